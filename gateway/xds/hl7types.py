"""HL7 v2 data types as XDS metadata carries them: XCN, XON, CX, CXi, coded triples, UTC times.

Sources: IHE ITI TF-3 table 4.2.3.1.7-2; French components in CI-SIS volet Partage (spec §1.2).
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from gateway.model.terms import Code
from gateway.xds.model import Cx, Xcn, Xon

_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
_TO_ESCAPE = re.compile(r"[\\|^&~]")
_BLANKS = re.compile(r"[\x00-\x20\x7f-\x9f\xa0\ufffe\uffff]+")


class TimeFormError(ValueError):
    """Text that is not an HL7 time."""


def clean(text: str) -> str:
    """`text` on one line: runs of blanks and control characters (illegal in XML) become one space."""
    if text.isprintable() and "  " not in text and text == text.strip(" "):
        return text  # nearly always
    return _BLANKS.sub(" ", text).strip()


def escape(text: str) -> str:
    """A value for one component: cleaned, and the five delimiters as HL7 v2 escape sequences (§2.7)."""
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], clean(text))


def _authority(oid: str) -> str:
    return f"&{escape(oid)}&ISO" if oid else ""


def _join(*components: str) -> str:
    return "^".join(components).rstrip("^")


def xcn(person: Xcn) -> str:
    """`801234560801^BIDEAULT^Jacques^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS`."""
    return _join(
        escape(person.id),
        escape(person.family),
        escape(person.given),
        *("",) * 5,
        _authority(person.authority),
        person.name_type,
        *("",) * 2,
        person.id_type,
    )


def xon(organization: Xon) -> str:
    """`Centre^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1920008059`; without id only the name (components 6, 7, 10
    stay empty, as for an id with a nullFlavor)."""
    if not organization.id:
        return escape(organization.name)
    return _join(
        escape(organization.name),
        *("",) * 4,
        _authority(organization.authority),
        organization.id_type,
        *("",) * 2,
        escape(organization.id),
    )


def cx(identifier: Cx) -> str:
    """`279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH`; CXi is the same with a URN as type."""
    return _join(escape(identifier.value), "", "", _authority(identifier.authority), identifier.id_type)


def coded(code: Code) -> str:
    """`code^label^OID`, the form of authorSpecialty."""
    return _join(escape(code.code), escape(code.display), escape(code.system))


_DTM = re.compile(r"(\d{4}(?:\d{2}){0,5})(?:\.\d+)?([+-]\d{4}|Z)?")

_FIRST_MOMENT = "00000101000000"
"""What a time of lower precision leaves out."""


def utc(time: datetime | str, zone: tzinfo = UTC) -> str:
    """A DTM in UTC without offset, in the precision of `time` (IHE ITI TF-3 §4.2.3.1.7: DTM).

    `time` is aware, or an HL7 v2 / CDA time (`20210108111700+0100`); without offset it is read in `zone`.
    A date without hours is not an instant and keeps its digits. Raises TimeFormError.
    """
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC).strftime("%Y%m%d%H%M%S")
    found = _DTM.fullmatch(time.strip())
    if found is None:
        raise TimeFormError(f"{len(time)} characters are no HL7 time")
    digits, offset = found[1], found[2]
    whole = digits + _FIRST_MOMENT[len(digits) :]
    year, month, day, hour, minute, second = int(whole[:4]), *(int(whole[n : n + 2]) for n in range(4, 14, 2))
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=_offset(offset) or zone)
    except ValueError:
        raise TimeFormError("not a date of the calendar") from None
    pattern = "%Y%m%d%H%M%S"[: len(digits) - 2]
    return moment.astimezone(UTC).strftime(pattern) if len(digits) >= 10 else digits


def _offset(text: str | None) -> tzinfo | None:
    if not text or text == "Z":
        return UTC if text else None
    span = timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
    return timezone(-span if text[0] == "-" else span)
