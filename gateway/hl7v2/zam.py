"""ZAM^Z01, Z02, Z03: what became of a document, told to the system that sent it (volet Transmission 2.1
§1.8, HL7 2.6).

    MSH EVN OBX(what was received or read, Y or N) [OBX(by whom)] [ERR(why not)]

OBX-4 holds MSH-10 of the message that brought the document: the only thing that joins the two.
"""

from datetime import datetime
from enum import StrEnum

from gateway.hl7v2 import cisis
from gateway.hl7v2.charsets import UTF_8, declaration_of
from gateway.hl7v2.dialect import STANDARD
from gateway.hl7v2.times import format_dtm
from gateway.hl7v2.writer import Field, Verbatim, message, segment
from gateway.model.base import Value

VERSION = "2.6"
STRUCTURE = "ZAM_Z01"
SYSTEM = "AckMetierZAM"
"""OBX-3.3 of every observation of a ZAM."""


class ZamEvent(StrEnum):
    """MSH-9.2: what is told. Z02 and Z03 go out once for each recipient of the mail."""

    DMP_RECEPTION = "Z01"
    MAIL_RECEPTION = "Z02"
    MAIL_READING = "Z03"


class ZamRow(Value):
    """Names of one event: the observation, that of the mail's recipient, the code table of ERR-5."""

    observation: tuple[str, str]
    person: tuple[str, str] | None
    errors: str


ROWS: dict[ZamEvent, ZamRow] = {
    ZamEvent.DMP_RECEPTION: ZamRow(
        observation=("ACK_RECEPTION_DMP", "Accusé de réception DMP"),
        person=None,
        errors="DMP_ERROR_CODE",  # official samples spell it DMPERRORCODE
    ),
    ZamEvent.MAIL_RECEPTION: ZamRow(
        observation=("ACK_RECEPTION_MSS", "Accusé de réception MSSanté"),
        person=("DESTINATAIRE_MSS", "Destinataire MSSanté"),
        errors="SMTPERRORCODE",
    ),
    ZamEvent.MAIL_READING: ZamRow(
        observation=("ACK_LECTURE_MSS", "Accusé de lecture"),
        person=("LECTEUR_MSS", "Lecteur du courriel MSSanté"),
        errors="applicationErrorCondition",
    ),
}


class ZamFault(Value):
    """Why the answer is N: a code of the table of its event, and its label."""

    code: str
    label: str


class ZamRoute(Value):
    """Who speaks to whom: MSH-3 to 6, and MSH-11 (P, T or D)."""

    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str
    processing_id: str = "P"


class Zam(Value):
    """One business acknowledgement. `fault` None says Y.

    `about` is MSH-10, verbatim, of the message that brought the document. `occurred_at` is when the event
    happened, with offset. `person` (PS_IdNat, Struct_IdNat or matricule) and `mailbox` name the mail's
    recipient: required by Z02 and Z03, meaningless in Z01.
    """

    event: ZamEvent
    route: ZamRoute
    about: str
    occurred_at: datetime
    person: str = ""
    mailbox: str = ""
    fault: ZamFault | None = None


class ZamRequest(Value):
    """A ZAM ready to leave: `data` (ER7), whose MSH-10 is `control_id`.

    `application` and `facility` (MSH-3, MSH-4 of the creator) name its address in the settings.
    """

    application: str
    facility: str
    control_id: str
    data: bytes


def zam(one: Zam, *, now: datetime, control_id: str, charset: str = UTF_8) -> bytes:
    """The ZAM (ER7, no MLLP) in `charset`, a codec of `charsets` (UTF-8 or iso8859-15 in France).

    Raises ValueError when a Z02 or Z03 names no mailbox, or `about` is empty.
    """
    row = ROWS[one.event]
    if not one.about:
        raise ValueError("a ZAM without MSH-10 of the message that it is about cannot be correlated")
    if row.person and not one.mailbox:
        raise ValueError(f"{one.event} without mailbox")
    return message(*_segments(one, row, now, control_id, charset), charset=charset)


def _segments(one: Zam, row: ZamRow, now: datetime, control_id: str, charset: str) -> list[str]:
    answer = "N" if one.fault else "Y"
    about = _verbatim(one.about)
    segments = [
        _header(one, now, control_id, charset),
        segment("EVN", None, format_dtm(one.occurred_at)),
        _observation("1", "CWE", row.observation, about, (answer, None, cisis.YES_NO_SYSTEM)),
    ]
    if row.person:
        mailbox = (None, None, cisis.MAILBOX_TYPE, one.mailbox)  # XTN.3 equipment, XTN.4 address
        segments.append(_observation("2", "XTN", row.person, one.person, mailbox))
    if one.fault:
        segments.append(_error(one.fault, row.errors))
    return segments


def _header(one: Zam, now: datetime, control_id: str, charset: str) -> str:
    route = one.route
    return segment(
        "MSH",
        route.sending_application,
        route.sending_facility,
        route.receiving_application,
        route.receiving_facility,
        format_dtm(now),
        None,
        ("ZAM", one.event, STRUCTURE),
        control_id,
        route.processing_id,
        VERSION,
        None,
        None,
        None,
        None,
        "FRA",
        declaration_of(charset),
        None,
        None,
        Verbatim(cisis.OUR_PROFILE),
    )


def _observation(number: str, kind: str, name: tuple[str, str], sub_id: Field, value: Field) -> str:
    """OBX-1 to 5, and OBX-11 `F`."""
    return segment("OBX", number, kind, (*name, SYSTEM), sub_id, value, *(None,) * 5, "F")


def _error(fault: ZamFault, table: str) -> str:
    """ERR-3 207, ERR-4 E, ERR-5 the code of the DMP, of SMTP or of the reader."""
    general = ("207", cisis.MESSAGE_ERROR_CONDITIONS["207"], "messageErrorCondition")
    return segment("ERR", None, None, general, "E", (fault.code, fault.label, table))


def _verbatim(control_id: str) -> Field:
    """MSH-10 as its sender wrote it; escaped when it came under other delimiters and holds one of ours."""
    ours = (STANDARD.field, STANDARD.component, STANDARD.repetition, STANDARD.subcomponent)
    return control_id if any(one in control_id for one in ours) else Verbatim(control_id)
