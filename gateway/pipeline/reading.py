"""What one HL7 v2 message says: read, mapped, encoded. No store, no clock: any process may do it.

`pack` and `unpack` carry a reading from one process to another. Values with times go as JSON, which keeps
their offsets: MessagePack has none.
"""

import hashlib
from typing import NamedTuple

import msgspec

from gateway import hl7v2
from gateway.mapping import hl7 as hl7_mapping
from gateway.mapping.hl7_adt import identity as identity_event
from gateway.mapping.hl7_adt import is_identity
from gateway.mapping.hl7_order import is_order, orders
from gateway.mapping.sites import Sites
from gateway.model.base import Value, decode, encode
from gateway.model.canonical import Canonical, canonical, trace_text
from gateway.model.findings import Finding
from gateway.model.identity import MappedIdentity
from gateway.model.order import MappedOrder
from gateway.model.report import ImagingReport
from gateway.model.submission import Blob, Mapped, SubmissionContext


class Readout(NamedTuple):
    """A mapped report and its text; without report there is none."""

    mapped: Mapped
    canonical: Canonical | None


def readout(mapped: Mapped) -> Readout:
    return Readout(mapped, canonical(mapped) if mapped.report is not None else None)


class Envelope(Value):
    """How the message names itself, and what its answer gives back. `site`: the profile it was read with."""

    dedupe_key: str
    reply: hl7v2.Reply = hl7v2.Reply()
    site: str = ""
    message_type: str = ""
    control_id: str = ""
    sending_application: str = ""
    sending_facility: str = ""


class Reading(NamedTuple):
    """Of `reports`, `orders`, `identity` and `unreadable` one is set: why the frame is no message."""

    envelope: Envelope
    reports: tuple[Readout, ...] = ()
    orders: tuple[MappedOrder, ...] = ()
    identity: MappedIdentity | None = None
    unreadable: Finding | None = None


def read(frame: bytes, sites: Sites, remarks: tuple[Finding, ...] = ()) -> Reading:
    """In the character set that the site of the message states, else the one it declares.

    `remarks` are kept with what there is to say of it.
    """
    try:
        message = hl7v2.read(frame)
        profile = sites.match(message)
        if profile.charset:
            message = hl7v2.read(frame, profile.charset)
        message.findings += remarks
    except hl7v2.NotHl7Error as unreadable:
        return Reading(Envelope(dedupe_key=hashlib.sha256(frame).hexdigest()), unreadable=unreadable.finding)
    envelope = Envelope(
        dedupe_key=dedupe_key(message),
        reply=hl7v2.reply_to(message),
        site=profile.site.name,
        message_type=f"{message.message_code}^{message.trigger_event}".rstrip("^"),
        control_id=message.control_id,
        sending_application=message.sending_application,
        sending_facility=message.sending_facility,
    )
    if is_order(message):
        return Reading(envelope, orders=orders(message, profile))
    if is_identity(message):
        return Reading(envelope, identity=identity_event(message, profile))
    return Reading(envelope, reports=tuple(map(readout, hl7_mapping.reports(message, profile))))


def dedupe_key(message: hl7v2.Message) -> str:
    """SHA-256 over MSH-3, MSH-4, MSH-10 and the payload without MSH-7 (REQ-03).

    Never MSH-10 alone: official initial, replacement and deletion samples share MSH-10 `015`.
    """
    raw, msh = message.raw, message.segments[0].raw
    separator = message.delimiters.field.encode()
    fields = msh.split(separator)
    if len(fields) > 6:
        fields[6] = b""
    start = raw.find(msh)
    digest = hashlib.sha256(
        "\x1f".join((message.sending_application, message.sending_facility, message.control_id)).encode()
    )
    digest.update(separator.join(fields))
    digest.update(memoryview(raw)[start + len(msh) :])
    return digest.hexdigest()


# --- from process to process


class _Report(Value):
    """A Readout; `report` is "" where there is none."""

    context: str
    trace: str
    report: str = ""
    content_hash: str = ""
    findings: tuple[Finding, ...] = ()
    blobs: tuple[Blob, ...] = ()


class _Packed(Value):
    """A Reading; `orders` and `identity` as JSON, b"" for none."""

    envelope: Envelope
    reports: tuple[_Report, ...] = ()
    orders: bytes = b""
    identity: bytes = b""
    unreadable: Finding | None = None


_ENCODER, _DECODER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(_Packed)
_ORDERS = msgspec.json.Decoder(tuple[MappedOrder, ...])


def pack(reading: Reading) -> bytes:
    return _ENCODER.encode(
        _Packed(
            envelope=reading.envelope,
            reports=tuple(map(_out, reading.reports)),
            orders=msgspec.json.encode(reading.orders) if reading.orders else b"",
            identity=encode(reading.identity) if reading.identity is not None else b"",
            unreadable=reading.unreadable,
        )
    )


def unpack(data: bytes | memoryview) -> Reading:
    """What `pack` was given; raises msgspec.MsgspecError for anything else."""
    packed = _DECODER.decode(data)
    return Reading(
        packed.envelope,
        reports=tuple(map(_in, packed.reports)),
        orders=_ORDERS.decode(packed.orders) if packed.orders else (),
        identity=decode(packed.identity, MappedIdentity) if packed.identity else None,
        unreadable=packed.unreadable,
    )


def _out(one: Readout) -> _Report:
    mapped, text = one
    if text is None:
        return _Report(
            context=encode(mapped.context).decode(),
            trace=trace_text(mapped),
            findings=mapped.findings,
            blobs=mapped.blobs,
        )
    return _Report(
        context=text.context,
        trace=text.trace,
        report=text.report,
        content_hash=text.content_hash,
        findings=mapped.findings,
        blobs=mapped.blobs,
    )


_CONTEXTS, _REPORTS = msgspec.json.Decoder(SubmissionContext), msgspec.json.Decoder(ImagingReport)


def _in(one: _Report) -> Readout:
    mapped = Mapped(
        report=_REPORTS.decode(one.report) if one.report else None,
        context=_CONTEXTS.decode(one.context),
        blobs=one.blobs,
        trace=one.trace,
        findings=one.findings,
    )
    if not one.report:
        return Readout(mapped, None)
    return Readout(
        mapped,
        Canonical(content_hash=one.content_hash, report=one.report, context=one.context, trace=one.trace),
    )
