"""Does a message that carries a CDA conform to the volet Transmission de documents CDA-R2 en HL7v2 2.1?

The second verdict, beside "can it be processed": strict where the intake is tolerant, and never a reason to
refuse. Rules of spec hl7v2.md §1.1–§1.6, as tables; a detail says what is expected, never what was found.
"""

from collections.abc import Iterator

from gateway.hl7v2 import cisis
from gateway.hl7v2.message import Message
from gateway.hl7v2.segment import Segment
from gateway.model.findings import Finding, finding

STRUCTURES = {"ORU": ("2.5", "ORU_R01"), "MDM": ("2.6", "MDM_T02")}
"""Message code → MSH-12, MSH-9.3 (§1.1)."""
SEQUENCES = {
    "ORU": ("MSH", "PID", "PV1", "ORC", "OBR", "OBX", "PRT"),
    "MDM": ("MSH", "EVN", "PID", "PV1", "ORC", "OBR", "TXA", "OBX", "PRT"),
}
"""Segments in the order in which each first stands (§1.3)."""
OPTIONAL = {"ORU": frozenset({"PV1"}), "MDM": frozenset[str]()}
CHARSETS = ("UNICODE UTF-8", "8859/15")

_Wanted = tuple[str, int, int, tuple[str, ...]]
"""Segment, field, component, the values allowed; () for any."""
FIELDS: tuple[_Wanted, ...] = (
    *(("MSH", field, 1, ()) for field in (3, 4, 5, 6, 7, 10)),
    ("MSH", 11, 1, ("P", "T", "D")),
    ("MSH", 17, 1, ("FRA",)),
    ("MSH", 18, 1, CHARSETS),
    ("MSH", 21, 1, ("2.1",)),
    ("MSH", 21, 2, (cisis.PROFILE_TRANSMISSION,)),
    ("PID", 3, 1, ()),
    ("PID", 5, 1, ()),
    ("PV1", 2, 1, ("E", "I", "O", "R", "N")),
    ("ORC", 1, 1, tuple(row.order_control for row in cisis.ACTION_MATRIX)),
    ("OBR", 4, 1, ()),
    ("OBR", 4, 3, ("LN", "TRE_A05")),
)
"""§1.4."""
MDM_FIELDS: tuple[_Wanted, ...] = (
    ("TXA", 1, 1, ("1",)),
    ("TXA", 2, 1, ()),
    ("TXA", 3, 1, ("TEXT",)),
    ("TXA", 12, 1, ()),
    ("TXA", 17, 1, ("AU",)),
)
_STAYS = frozenset({"E", "I", "O", "R"})
"""PV1-2 with which PV1-19 is required."""


def check(message: Message) -> tuple[Finding, ...]:
    """HL7-VOLET-RULE for every departure; () for a message of another type, or of another volet (LPS)."""
    if message.message_code not in STRUCTURES or message.profile.endswith(f"^{cisis.PROFILE_LPS}"):
        return ()
    parts = (_structure, _fields, _document, _participations, _metadata)
    return tuple(
        finding("HL7-VOLET-RULE", place, f"expected: {expected}")
        for part in parts
        for place, expected in part(message)
    )


_Departures = Iterator[tuple[str, str]]
"""(place, what is expected there)."""


def _structure(message: Message) -> _Departures:
    code = message.message_code
    version, structure = STRUCTURES[code]
    if message.version != version:
        yield "MSH-12", f"{version} for {code}"
    if message.structure != structure:
        yield "MSH-9.3", structure
    names = [segment.name for segment in message.segments]
    last = 0
    for name in SEQUENCES[code]:
        if name not in names:
            if name not in OPTIONAL[code]:
                yield name, "this segment"
            continue
        place = names.index(name)
        if place < last:
            yield name, f"the order {' '.join(SEQUENCES[code])}"
        last = max(last, place)


def _fields(message: Message) -> _Departures:
    rows = FIELDS + (MDM_FIELDS if message.message_code == "MDM" else ())
    for name, number, component, allowed in rows:
        segment = message.first(name)
        if segment is None:
            continue
        value = segment.value(number, 1, component).strip()
        if value and (not allowed or value in allowed):
            continue
        place = segment.location(number) + (f".{component}" if component > 1 else "")
        yield place, " or ".join(allowed) or "a value"
    visit = message.first("PV1")
    if visit is not None and visit.value(2).strip() in _STAYS and not visit.value(19).strip():
        yield "PV1-19", "a value, with PV1-2 E, I, O or R"
    replaces = message.trigger_event == "T10" and message.first("TXA") is not None
    if replaces and not message.value("TXA", 13).strip():
        yield "TXA-13", "a value, for a replacement (T10)"


def _document(message: Message) -> _Departures:
    documents = [one for one in message.all("OBX") if one.value(3, 1, 3).strip() != cisis.METADATA_SYSTEM]
    if message.message_code == "MDM" and len(documents) > 1:
        yield documents[1].location(), "one document in an MDM"
    ordered = message.value("OBR", 4).strip()
    for one in documents:
        if one.value(2).strip() != "ED":
            yield one.location(2), "ED"
        if ordered and one.value(3).strip() != ordered:
            yield one.location(3), "the code of OBR-4"
        for component, wanted in ((2, "TEXT"), (3, "XML"), (4, "BASE64")):
            if one.value(5, 1, component).strip().upper() != wanted:
                yield f"{one.location(5)}.{component}", wanted.replace("BASE64", "Base64")


def _participations(message: Message) -> _Departures:
    """Sender, recipients, reply: in this order, behind the document."""
    order = tuple(cisis.PARTICIPATIONS)
    last = 0
    for one in message.all("PRT"):
        role = one.value(4).strip()
        if role not in order:
            yield one.location(4), " or ".join(order)
            continue
        if order.index(role) < last:
            yield one.location(4), f"the order {', '.join(order)}"
        last = max(last, order.index(role))
        if one.value(2).strip() != "UC":
            yield one.location(2), "UC"
        if role != cisis.PRT_SENDER and one.value(10).strip() == "":
            yield from _mailbox(one)


def _mailbox(segment: Segment) -> _Departures:
    if segment.value(15, 1, 3).strip() != cisis.MAILBOX_TYPE or "@" not in segment.value(15, 1, 4):
        yield segment.location(15), f"^^{cisis.MAILBOX_TYPE}^ and the mailbox"


def _metadata(message: Message) -> _Departures:
    """The ten flags, each once, by their present names, in their order (§1.6)."""
    wanted = [row.code for row in cisis.FLAG_ROWS]
    kind = "CWE" if message.message_code == "MDM" else "CE"
    said: list[str] = []
    misplaced = ""
    for one in message.all("OBX"):
        code = one.value(3).strip()
        field = cisis.FLAG_FIELDS.get(code)
        if field is None:
            continue
        present = next(row.code for row in cisis.FLAG_ROWS if row.field == field)
        if code != present:
            yield one.location(3), present
        if said and wanted.index(present) <= wanted.index(said[-1]):
            misplaced = misplaced or one.location(3)
        said.append(present)
        for number, component, expected in (
            (2, 1, kind),
            (3, 3, cisis.METADATA_SYSTEM),
            (5, 3, cisis.YES_NO_SYSTEM),
            (11, 1, "F"),
        ):
            if one.value(number, 1, component).strip() != expected:
                place = one.location(number) + (f".{component}" if component > 1 else "")
                yield place, expected
    if misplaced:
        yield misplaced, f"the order {', '.join(wanted)}, each once"
    for missing in (code for code in wanted if code not in said):
        yield "OBX", missing
