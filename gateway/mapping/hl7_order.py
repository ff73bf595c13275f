"""ORM, OMG, OMI, téléradiologie and CDA → canonical orders (spec hl7v2.md §3, §4.1, §4.2; REQ-64)."""

from collections import defaultdict

from gateway.hl7v2 import Message, cisis
from gateway.mapping import hl7_types as types
from gateway.mapping.cda_order import carries_order, document_order
from gateway.mapping.coverage import coverage
from gateway.mapping.finish_order import finished
from gateway.mapping.hl7_clinical import allergies, reasons
from gateway.mapping.hl7_exam import exam
from gateway.mapping.hl7_order_acts import order_acts
from gateway.mapping.hl7_order_parts import order_status, parts
from gateway.mapping.hl7_orders import not_imaging, order_number
from gateway.mapping.hl7_patient import encounter, patient
from gateway.mapping.hl7_people import all_persons, one_person
from gateway.mapping.hl7_reader import Group, Reader, Used, groups
from gateway.mapping.locator import Found
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.findings import Finding, finding
from gateway.model.order import MappedOrder
from gateway.model.people import Organization, Practitioner
from gateway.model.report import ImagingReport, OrderReference, ReportStatus
from gateway.model.terms import Identifier

TYPES = frozenset({"ORM", "OMG", "OMI"})
EVENTS = {"ORM": "O01", "OMG": "O19", "OMI": "O23"}
ANSWER = "REPONSE_DEMANDE"
"""OBR-4 of téléradiologie flux 3: ORC-12 and ORC-21 are then those who answer, not those who ask."""


def is_order(message: Message) -> bool:
    """An order, also as a document (IMG-DA-IMG), or the answer to one in téléradiologie (flux 3): ORU and MDM
    that are no report."""
    answer = (
        message.message_code == "ORU" and message.profile.partition("^")[2] == cisis.PROFILE_TELERADIOLOGY
    )
    return message.message_code in TYPES or answer or carries_order(message)


def orders(message: Message, profile: Profile) -> tuple[MappedOrder, ...]:
    """One MappedOrder per order of the message, at least one; of groups that share a number one is made.

    MSH-9 is not trusted beyond its first component: some feeds file an OMI as ORM (spec §4.5), so the
    segments alone tell. Findings of reading the message stand in the first one.
    """
    used: Used = defaultdict(set)
    head, found = groups(message)
    why_not = _unreadable(message, head, found)
    if why_not:
        reader = Reader(head, profile, Trail(profile.site.name), used)
        mapped: tuple[MappedOrder, ...] = (
            MappedOrder(order=None, findings=(*why_not, *reader.trail.findings)),
        )
    elif carries_order(message):
        mapped = (document_order(message, profile, used),)
    else:
        bundles = _bundles(found)
        mapped = tuple(_one(message, bundle, head, profile, used) for bundle in bundles)
    reader = Reader(head, profile, Trail(profile.site.name), used)
    reader.mark(message.segments[0], 3, 4, 5, 6, 7, 9, 10, 11, 21)
    covered, asked = coverage(message, used, profile), message.processing_id
    first = replace(mapped[0], findings=(*message.findings, *mapped[0].findings))
    return tuple(replace(one, coverage=covered, processing_id=asked) for one in (first, *mapped[1:]))


def _unreadable(message: Message, head: Group, found: tuple[Group, ...]) -> tuple[Finding, ...]:
    """Why no order can be made at all."""
    event = message.trigger_event
    if message.message_code in TYPES and event and event not in EVENTS.values():
        return (finding("HL7-EVENT-UNSUPPORTED", "MSH-9.2", f"{message.message_code}^{event[:8]}"),)
    if head.first("PID") is None:
        return (finding("HL7-SEGMENT-MISSING", "PID"),)
    if not any(group.segments[0].name == "ORC" for group in found):
        return (finding("HL7-SEGMENT-MISSING", "ORC"),)
    return not_imaging(found)


def _one(
    message: Message, bundle: tuple[Group, ...], head: Group, profile: Profile, used: Used
) -> MappedOrder:
    scope = Group([segment for group in bundle for segment in group.segments], message, head)
    reader = Reader(scope, profile, Trail(profile.site.name), used)
    status, control = order_status(reader)
    answer = scope.first("OBR") is not None and reader.scope.all("OBR")[0].value(4).strip() == ANSWER
    reason, codes = reasons(reader, "request.reason", "orders[0].")
    reference = OrderReference(
        placer=order_number(reader, "request.placer", "orders[0].placer"),
        filler=order_number(reader, "request.filler", "orders[0].filler"),
        accession=order_number(reader, "request.accession", "orders[0].accession"),
        requested_at=reader.time("orders[0].requested_at", "request.requested_at"),
        reason=reason,
        reasons=codes,
    )
    seen = exam(bundle, order_acts(bundle, reference.accession, reader), reader, frozenset())
    # The last step of reports, on a report that holds only what an order has: same codes, times, authorities.
    draft = ImagingReport(
        report_set=Identifier(value=""),
        status=ReportStatus.REGISTERED,
        patient=patient(reader),
        requester=None if answer else _requester(reader),
        attending=one_person(reader, "attending", "attending"),
        copies_to=all_persons(reader, "copies_to", "copies_to"),
        encounter=encounter(reader),
        orders=(reference,),
        acts=seen.acts,
        pregnancy=seen.pregnancy,
        contraindications=(
            *seen.contraindications,
            *allergies(reader, len(seen.contraindications)),
        ),
        devices=seen.devices,
    )
    facility = reader.find("request.facility") if answer else None
    extra = parts(reader, status, control)._replace(
        entered_by=one_person(reader, "request.entered_by", "entered_by"),
        performer=_structure(reader, facility) if facility is not None else None,
    )
    return finished(draft, extra, profile, reader.trail, "ORC-2")


def _requester(reader: Reader) -> Practitioner | None:
    """Who asks, with the structure that asks (ORC-21)."""
    found = one_person(reader, "request.requester", "requester")
    facility = reader.find("request.facility")
    if found is None or facility is None or found.organization is not None:
        return found
    reader.trail.source("requester.organization", facility.segment.location(facility.field))
    return replace(found, organization=_structure(reader, facility))


def _structure(reader: Reader, facility: Found) -> Organization | None:
    return types.xon(reader.scope, facility.segment, facility.field, facility.repetition)


# --- which groups make one order


def _bundles(found: tuple[Group, ...]) -> tuple[tuple[Group, ...], ...]:
    """Groups that name the same placer or filler order number, in the order of their first one."""
    bundles: dict[str, list[Group]] = {}
    for place, group in enumerate(found):
        bundles.setdefault(_number(group) or f"group {place}", []).append(group)
    return tuple(tuple(bundle) for bundle in bundles.values())


def _number(group: Group) -> str:
    for kind, name, field in (("placer", "ORC", 2), ("placer", "OBR", 2), ("filler", "ORC", 3)):
        for segment in group.segments:
            if segment.name == name and segment.value(field).strip():
                number = types.ei(group, segment, field)
                return f"{kind}:{number.value}^{number.system}"
    return ""
