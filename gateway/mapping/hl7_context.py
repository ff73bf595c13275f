"""How the message came and what its sender asks: MSH, PRT, MetaDMPMSS observations (spec hl7v2.md §1)."""

from typing import Final

from gateway.hl7v2 import Base64Error, Message, Segment, cisis, parse_dtm
from gateway.mapping import hl7_types as types
from gateway.mapping.hl7_reader import Group, Reader
from gateway.model.findings import Severity
from gateway.model.people import Practitioner
from gateway.model.submission import (
    Action,
    Flags,
    Protocol,
    Recipient,
    RecipientKind,
    SubmissionContext,
)
from gateway.model.terms import INS_ROOTS

_FLAG_NTE: Final = "to_patient"
"""NTE-4 = FIN after DESTMSSANTEPAT forbids the patient's answer."""


def context(message: Message, scope: Group, reader: Reader, action: Action) -> SubmissionContext:
    """The submission context of one report; its flags and recipients come from the whole message."""
    _mark_header(message, reader)
    flags, bodies = _metadata(message, reader)
    sender, reply_to, recipients = _participations(message, reader)
    patient_class = scope.first("PV1")
    return SubmissionContext(
        protocol=Protocol.HL7V2,
        site=reader.profile.site.name,
        message_type=f"{message.message_code}^{message.trigger_event}",
        control_id=message.control_id,
        sending_application=message.sending_application,
        sending_facility=message.sending_facility,
        receiving_application=message.receiving_application,
        receiving_facility=message.receiving_facility,
        processing_id=message.processing_id,
        sent_at=parse_dtm(message.sent_at_text, reader.profile.site.tz),
        action=action,
        flags=flags,
        sender=sender,
        sender_organization=sender.organization if sender else None,
        recipients=recipients,
        reply_to=reply_to,
        body_professional=bodies.get("body_professional", ""),
        body_patient=bodies.get("body_patient", ""),
        patient_class=patient_class.leaf(2) if patient_class is not None else "",
    )


def _mark_header(message: Message, reader: Reader) -> None:
    reader.mark(message.segments[0], 3, 4, 5, 6, 7, 9, 10, 11, 21)


# --- MetaDMPMSS observations (§1.6)


def _metadata(message: Message, reader: Reader) -> tuple[Flags, dict[str, str]]:
    flags: dict[str, bool] = {}
    bodies: dict[str, str] = {}
    last = ""
    for segment in message.segments:
        if segment.name == "OBX":
            last = ""
            code = segment.leaf(3)
            if (field := cisis.FLAG_FIELDS.get(code)) is not None:
                last = field
                _flag(segment, field, flags, reader)
            elif (body := cisis.MAIL_BODIES.get(code)) is not None:
                bodies[body] = _body(segment, reader)
                reader.trail.source(f"context.{body}", segment.location(5))
        elif segment.name == "NTE" and last == _FLAG_NTE and segment.value(4).strip() == cisis.NO_REPLY:
            flags["patient_may_not_reply"] = True
            reader.mark(segment, 2, 3, 4)
            reader.trail.source("context.flags.patient_may_not_reply", segment.location(4))
    return Flags(**flags), bodies


def _flag(segment: Segment, field: str, flags: dict[str, bool], reader: Reader) -> None:
    reader.mark(segment, 2, 3, 4, 5, 11)
    answer = segment.value(5).strip().upper()
    if answer in cisis.YES_NO:
        flags[field] = cisis.YES_NO[answer]
        reader.trail.source(f"context.flags.{field}", segment.location(5))
    else:
        # An unreadable flag must not decide for the patient: the sender has to say it.
        reader.trail.at("HL7-DATATYPE", segment.location(5), "neither Y nor N")


def _body(segment: Segment, reader: Reader) -> str:
    """Text of the mail (ED, Base64 of UTF-8; some write it plainly)."""
    reader.mark(segment, 2, 3, 4, 5, 11)
    if segment.value(5, 1, 4).strip().upper() != "BASE64":
        return segment.text(5)
    try:
        data = segment.binary(5)
    except Base64Error as wrong:  # official lab samples have one cut short: no reason to refuse the report
        reader.trail.at(wrong.finding.code, wrong.finding.location, wrong.finding.detail, Severity.WARNING)
        return ""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


# --- PRT (§1.4)


def _participations(
    message: Message, reader: Reader
) -> tuple[Practitioner | None, str, tuple[Recipient, ...]]:
    sender: Practitioner | None = None
    reply_to = ""
    recipients: list[Recipient] = []
    for segment in message.all("PRT"):
        role = segment.leaf(4)
        if role in cisis.PARTICIPATIONS:
            reader.mark(segment, 4, 5, 8, 10, 14, 15)
        if role == cisis.PRT_SENDER and sender is None:
            sender = _sender(segment, reader)
            reader.trail.source("context.sender", segment.location(5))
            reader.trail.source("context.sender_organization", segment.location(8))
        elif role == cisis.PRT_REPLY_TO and not reply_to:
            reply_to = _mailbox(segment, reader)
            reader.trail.source("context.reply_to", segment.location(15))
        elif role == cisis.PRT_RECIPIENT:
            _trace(segment, f"context.recipients[{len(recipients)}]", reader)
            recipients.append(_recipient(segment, reader))
    return sender, reply_to, tuple(recipients)


def _trace(segment: Segment, path: str, reader: Reader) -> None:
    """A recipient came from whatever of PRT-5, 8, 10 and 15 it has; the first one is named in findings."""
    for field in (15, 14, 5, 8, 10):
        if segment.field(field):
            reader.trail.source(path, segment.location(field))


def _sender(segment: Segment, reader: Reader) -> Practitioner:
    person = types.xcn(reader.scope, segment, 5, 1) or Practitioner()
    return Practitioner(
        id=person.id,
        family=person.family,
        given=person.given,
        prefix=person.prefix,
        suffix=person.suffix,
        organization=types.xon(reader.scope, segment, 8),
    )


def _recipient(segment: Segment, reader: Reader) -> Recipient:
    """A person or patient (PRT-5), an organisation (PRT-8) or an application (PRT-10), with its mailbox."""
    address = _mailbox(segment, reader)
    number = segment.value(5).strip()
    name = " ".join(part for part in (segment.value(5, 1, 3).strip(), segment.value(5, 1, 2).strip()) if part)
    if number or name:
        authority = types.oid_of(*reversed(segment.subcomponents(5, 1, 9)[:2]))
        patient = authority in INS_ROOTS or segment.value(5, 1, 13).strip().startswith("INS")
        if patient:
            return Recipient(kind=RecipientKind.PATIENT, id=number, name=name, address=address)
        person = types.xcn(reader.scope, segment, 5, 1)
        return Recipient(
            kind=RecipientKind.PROFESSIONAL, id=person.id if person else "", name=name, address=address
        )
    if (organization := types.xon(reader.scope, segment, 8)) is not None:
        return Recipient(
            kind=RecipientKind.ORGANIZATION, id=organization.id, name=organization.name, address=address
        )
    return Recipient(kind=RecipientKind.APPLICATION, id=segment.value(10).strip(), address=address)


def _mailbox(segment: Segment, reader: Reader) -> str:
    """PRT-15.4. One `|` too few (IG examples) moves it to PRT-14, which is said."""
    for field in (15, 14):
        for place in (4, 1, 3):
            value = segment.value(field, 1, place).strip()
            if "@" in value:
                if field == 14:
                    reader.trail.at(
                        "HL7-DATATYPE", segment.location(14), "mailbox in PRT-14", Severity.WARNING
                    )
                return value
    return ""
