"""Technical acknowledgement: MSH, MSA, one ERR for each error (volet Transmission 2.1 §1.7; HL7 2.5 §2.9).

Findings become ERR segments here and nowhere else; what the other side answered is read here too.
"""

import re
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from gateway.hl7v2 import cisis
from gateway.hl7v2.charsets import UTF_8, declaration_of
from gateway.hl7v2.dialect import STANDARD
from gateway.hl7v2.er7 import read, read_header
from gateway.hl7v2.faults import NotHl7Error
from gateway.hl7v2.message import Message
from gateway.hl7v2.segment import Segment
from gateway.hl7v2.times import format_dtm
from gateway.hl7v2.writer import Field, Repeat, encode, segment, written
from gateway.model.base import Value
from gateway.model.findings import Finding, Severity


class AckCode(StrEnum):
    """MSA-1, HL7 table 0008. The French volets use the original mode (A…); C… are commit codes."""

    AA = "AA"
    AE = "AE"
    """The same bytes will fail again."""
    AR = "AR"
    """Refused for now, or unreadable: may be resent later."""
    CA = "CA"
    CE = "CE"
    CR = "CR"

    @property
    def accepted(self) -> bool:
        return self in (AckCode.AA, AckCode.CA)


_SEVERITIES = {Severity.ERROR: "E", Severity.WARNING: "W", Severity.INFO: "I"}
"""ERR-4, HL7 table 0516."""
_LOCAL = "L"
"""Coding system of our finding codes in ERR-5 (HL7 table 0396: local)."""
_GENERAL = "207"
_LOCATION = re.compile(
    r"(?P<name>[A-Z][A-Z0-9]{2})(?:\((?P<number>\d+)\))?"
    r"(?:-(?P<field>\d+)(?:\[(?P<repetition>\d+)\])?(?:\.(?P<component>\d+)(?:\.(?P<sub>\d+))?)?)?"
)


class Reply(Value):
    """What an acknowledgement gives back of the message that it answers, as ER7.

    It goes back in the character set and version of the message; MSA-2 is MSH-10 verbatim.
    """

    charset: str = UTF_8
    addresses: str = "|||"
    """MSH-3 to MSH-6 of the answer."""
    kind: str = "ACK"
    """MSH-9."""
    control_id: str = ""
    """MSA-2."""
    processing_id: str = "P"
    version: str = "2.5"


def reply_to(received: Message | None) -> Reply:
    """None: not even MSH could be read."""
    if received is None:
        return Reply()
    return Reply(
        charset=received.charset,
        addresses=STANDARD.field.join([_copied(received, field) for field in (5, 6, 3, 4)]),
        kind=_kind(received.trigger_event),
        control_id=_copied(received, 10),
        processing_id=_copied(received, 11) or "P",
        version=received.known_version,
    )


@lru_cache(maxsize=64)
def _kind(event: str) -> str:
    return written(("ACK", event, "ACK") if event else "ACK")


def acknowledge(
    reply: Reply,
    code: AckCode,
    *,
    findings: tuple[Finding, ...] = (),
    now: datetime,
    control_id: str,
) -> bytes:
    """The acknowledgement (ER7, no MLLP) of a message.

    A refusal carries one ERR for each error of `findings`, at least one; an acceptance none.
    """
    header = (
        f"MSH|{STANDARD.encoding_characters}|{reply.addresses}|{format_dtm(now)}||{reply.kind}|{control_id}"
        f"|{reply.processing_id}|{reply.version}|||||FRA|{declaration_of(reply.charset)}\r"
    )
    answered = f"MSA|{code}|{reply.control_id}\r" if reply.control_id else f"MSA|{code}\r"
    refusals = () if code.accepted else _refusals(findings)
    return encode(header + answered + "".join(f"{one}\r" for one in refusals), reply.charset)


def refuse(head: bytes, found: Finding, *, now: datetime, control_id: str) -> bytes:
    """The refusal of a message that was not kept, by its first bytes: AR when it may be resent, else AE.

    MSA-2 is its MSH-10 where MSH is whole in `head`, else empty.
    """
    code = AckCode.AR if found.spec.retry else AckCode.AE
    return acknowledge(reply_to(read_header(head)), code, findings=(found,), now=now, control_id=control_id)


def _copied(received: Message, field: int) -> str:
    """A field of MSH as the sender wrote it; written anew when its delimiters are not the usual ones."""
    header = received.header
    if received.delimiters == STANDARD:
        return header.verbatim(field)
    return written(
        Repeat(
            *(
                tuple(
                    header.subcomponents(field, repetition, component)
                    for component in range(1, len(header.components(field, repetition)) + 1)
                )
                for repetition in range(1, header.repetitions(field) + 1)
            )
        )
    )


def _refusals(findings: tuple[Finding, ...]) -> list[str]:
    """ERR segments: the errors; else, as a refusal needs its reason, the other findings, else a bare 207."""
    grave = tuple(found for found in findings if found.severity is Severity.ERROR)
    told = [_error(found) for found in grave or findings]
    return told or [segment("ERR", None, None, _condition(_GENERAL), "E")]


def _error(found: Finding) -> str:
    """ERR-2 place, ERR-3 table 0357, ERR-4 severity, ERR-5 application code, ERR-7 what, ERR-8 remedy."""
    field, _, inside = found.location.partition("/")  # an element of a document: OBX-5.5/ClinicalDocument/id
    place = _place(field)
    what = ": ".join(one for one in (inside if place else found.location, found.detail) if one)
    return segment(
        "ERR",
        None,
        place,
        _condition(found.spec.err3),
        _SEVERITIES[found.severity],
        _application(found),
        None,
        what,
        f"{found.text}. {found.remedy}",
    )


def _place(location: str) -> Field:
    """ERL: segment, occurrence, field, repetition, component, subcomponent; None for an XPath or FHIRPath."""
    found = _LOCATION.fullmatch(location)
    if found is None:
        return None
    name, number, field, repetition, component, sub = found.groups()
    if field is None:
        return (name, number or "1")
    return (name, number or "1", field, repetition or "1", component, sub)


def _condition(code: str) -> Field:
    return (code, cisis.MESSAGE_ERROR_CONDITIONS[code], "messageErrorCondition")


def _application(found: Finding) -> Field:
    """The code of the volet where it has one, and always ours."""
    own = (found.code, found.text, _LOCAL)
    if not found.spec.err5:
        return own
    label = cisis.APPLICATION_ERROR_CONDITIONS[found.spec.err5]
    return (found.spec.err5, label, "applicationErrorCondition", *own)


class Ack(Value):
    """What the other side answered. `errors` are lines for people, one for each ERR (or MSA-3)."""

    code: AckCode
    control_id: str
    errors: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.code.accepted


def read_ack(data: bytes) -> Ack:
    """The acknowledgement in `data`; raises NotHl7Error when it is none (no MSA, unknown code)."""
    answer = read(data)
    confirmed = answer.first("MSA")
    if confirmed is None:
        raise NotHl7Error("no MSA in the answer", "HL7-SEGMENT-MISSING", "MSA")
    code = confirmed.value(1).strip().upper()
    if code not in AckCode.__members__:
        raise NotHl7Error("not a code of table 0008", "HL7-DATATYPE", "MSA-1")
    errors = tuple(line for one in answer.all("ERR") if (line := _told(one)))
    if not errors and not AckCode(code).accepted and confirmed.value(3):
        errors = (confirmed.value(3),)
    return Ack(code=AckCode(code), control_id=confirmed.verbatim(2), errors=errors)


def _told(error: Segment) -> str:
    """`PID-3: 207 Application error, 905, INS-KEY: 14 digits: …`, from ERR-2 to ERR-8 (ERR-1 before 2.5)."""
    place = error.components(2) or error.components(1)[:3]
    codes = [" ".join(error.components(3)[:2]), error.value(5), error.value(5, component=4)]
    if not any(codes):
        codes = [" ".join(error.subcomponents(1, component=4)[:2])]
    said = ", ".join(one for one in codes if one)
    texts = [error.text(field) for field in (7, 8)]
    if not any(texts):
        texts = [error.value(5, component=2)]
    return ": ".join(one for one in (_written(place), said, *texts) if one)


def _written(place: tuple[str, ...]) -> str:
    """ERL → `PID-3[2].4`."""
    name, number, field, repetition, component, sub = (*place, *("",) * 6)[:6]
    said = f"{name}({number})" if number not in ("", "1") else name
    if field:
        said += f"-{field}" + (f"[{repetition}]" if repetition not in ("", "1") else "")
    return said + "".join(f".{one}" for one in (component, sub) if one and field)
