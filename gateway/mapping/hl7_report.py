"""Classic RIS reports (ORU with text or PDF, MDM instead) → canonical reports (spec hl7v2.md §4)."""

from typing import Final

from gateway.hl7v2 import Message, Segment
from gateway.mapping import hl7_documents as documents
from gateway.mapping import hl7_types as types
from gateway.mapping.finish import finish
from gateway.mapping.hl7_clinical import allergies
from gateway.mapping.hl7_context import context
from gateway.mapping.hl7_events import action, contradiction, is_addendum
from gateway.mapping.hl7_exam import exam
from gateway.mapping.hl7_orders import acts, not_imaging, orders
from gateway.mapping.hl7_patient import encounter, patient
from gateway.mapping.hl7_people import people, performer
from gateway.mapping.hl7_reader import Group, Reader, Used, groups
from gateway.mapping.hl7_status import status, validated_at
from gateway.mapping.hl7_studies import studies
from gateway.mapping.hl7_text import TEXT_TYPES, sections
from gateway.mapping.locator import Found
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.findings import Finding, finding
from gateway.model.report import ImagingReport, OrderReference, ReportStatus, SectionKind
from gateway.model.submission import Blob, Mapped, Trace
from gateway.model.terms import Identifier

_NUMBERS: Final = (("OBR", 3), ("OBR", 18))
"""Filler order number and accession number: OBR that share one of them belong to one report."""


def classic(message: Message, profile: Profile, used: Used) -> tuple[Mapped, ...]:
    """One Mapped per report of the message, without coverage. `used` gathers the fields that were read."""
    head, found = groups(message)
    if not found:
        trail = Trail(profile.site.name)
        trail.at("HL7-SEGMENT-MISSING", "OBR")
        return (_mapped(None, message, head, Reader(head, profile, trail, used)),)
    return tuple(_one(message, bundle, head, profile, used) for bundle in _bundles(found))


def _one(message: Message, bundle: tuple[Group, ...], head: Group, profile: Profile, used: Used) -> Mapped:
    scope = bundle[0]
    if len(bundle) > 1:
        scope = Group([segment for group in bundle for segment in group.segments], message, head)
    reader = Reader(scope, profile, Trail(profile.site.name), used)
    reader.trail.take(_unreadable(head, bundle))
    report: ImagingReport | None = None
    blobs: tuple[Blob, ...] = ()
    if not reader.trail.findings:
        report, blobs = _report(message, bundle, scope, reader)
    return _mapped(report, message, scope, reader, blobs)


def _unreadable(head: Group, bundle: tuple[Group, ...]) -> tuple[Finding, ...]:
    """Why no report can be made of these groups at all."""
    if head.first("PID") is None:
        return (finding("HL7-SEGMENT-MISSING", "PID"),)
    return not_imaging(bundle)


def _mapped(
    report: ImagingReport | None,
    message: Message,
    scope: Group,
    reader: Reader,
    blobs: tuple[Blob, ...] = (),
) -> Mapped:
    if (control := message.first("ORC")) is not None and control.field(1):
        reader.mark(control, 1)
        reader.trail.source("context.action", control.location(1))
    came = context(message, scope, reader, action(message))
    own, prior = reader.find("document"), reader.find("prior_document")
    came = replace(
        came,
        document_id=_document_id(own, reader) if own else "",
        prior_document_id=_document_id(prior, reader) if prior else "",
    )
    provenance = reader.trail.provenance
    if report is not None:
        done = finish(report, reader.profile, provenance)
        report, provenance = done.report, done.provenance
        reader.trail.take(done.findings)
    return Mapped(
        report=report,
        context=came,
        blobs=blobs,
        trace=Trace(provenance=provenance),
        findings=reader.trail.findings,
    )


def _report(
    message: Message, bundle: tuple[Group, ...], scope: Group, reader: Reader
) -> tuple[ImagingReport | None, tuple[Blob, ...]]:
    state = status(scope, _is_content, reader)
    ordered = orders(bundle, reader)
    report_set = _report_set(ordered.references, reader)
    if state is None or report_set is None:
        return None, ()
    reader.trail.take(contradiction(message, state))
    whole = SectionKind.ADDENDUM if is_addendum(message) else None
    if whole and state is ReportStatus.FINAL:
        state = ReportStatus.APPENDED
    received = documents.embedded(scope, reader)
    rich = documents.rich_texts(received)
    text = sections(scope, reader, whole=whole)
    if rich and not text:  # beside plain text an RTF says it again
        text = sections(scope, reader, rich, whole=whole)
    attached, blobs = documents.attachments(received, rich, reader, alone=not text)
    told = exam(bundle, acts(bundle, ordered.accessions, reader), reader, TEXT_TYPES)
    who = people(reader)
    return ImagingReport(
        report_set=report_set,
        status=state,
        patient=patient(reader),
        validated_at=validated_at(state, reader),
        authors=who.authors,
        legal_authenticator=who.legal_authenticator,
        requester=who.requester,
        attending=who.attending,
        copies_to=who.copies_to,
        performer=performer(reader),
        encounter=encounter(reader),
        orders=ordered.references,
        acts=told.acts,
        studies=studies(told.acts, reader),
        sections=text,
        attachments=attached,
        replaces=_replaces(reader),
        pregnancy=told.pregnancy,
        contraindications=(*told.contraindications, *allergies(reader, len(told.contraindications))),
        devices=told.devices,
    ), blobs


def _report_set(references: tuple[OrderReference, ...], reader: Reader) -> Identifier | None:
    """What later messages replace (architecture decision 11): filler order or accession number, else
    the chain of document ids of an MDM (TXA-13, TXA-12)."""
    found = reader.find("report.set")
    if found is not None:
        reader.trail.source("report_set", found.location)
        return types.ei(reader.scope, found.segment, found.field, found.repetition)
    for place, order in enumerate(references):
        if order.accession is not None:
            reader.trail.rule("report_set", f"orders[{place}].accession")
            return order.accession
    for name in ("prior_document", "document"):
        if (found := reader.find(name)) is not None:
            reader.trail.source("report_set", found.location)
            return Identifier(value=_document_id(found, reader))
    reader.trail.at("REPORT-SET-MISSING", "OBR-3")
    return None


def _replaces(reader: Reader) -> Identifier | None:
    """A document that a registry may hold: TXA-13 with an OID. A number of the RIS alone names none."""
    found = reader.find("prior_document")
    if found is None or not types.oid_of((name := _document_id(found, reader)).partition("^")[0]):
        return None
    reader.trail.source("replaces", found.location)
    return Identifier(value=name)


def _document_id(found: Found, reader: Reader) -> str:
    return types.document_id(reader.scope, found.segment, found.field, found.repetition)


# --- which groups make one report (architecture decision 12)


def _bundles(found: tuple[Group, ...]) -> tuple[tuple[Group, ...], ...]:
    """Groups that share a filler or accession number; all of them when only one carries content."""
    if len(found) == 1:
        return (found,)
    bundles: list[list[Group]] = []
    numbers: list[set[str]] = []
    for group in found:
        own = _numbers(group)
        near = [place for place, known in enumerate(numbers) if known & own]
        if not near:
            bundles.append([group])
            numbers.append(own)
            continue
        first = near[0]
        bundles[first].append(group)
        numbers[first] |= own
        for place in reversed(near[1:]):  # the new group ties two bundles together
            bundles[first] += bundles.pop(place)
            numbers[first] |= numbers.pop(place)
    carrying = [bundle for bundle in bundles if any(map(_carries, bundle))]
    if len(bundles) > 1 and len(carrying) <= 1:
        lead = carrying[0] if carrying else []
        rest = [group for bundle in bundles if bundle is not lead for group in bundle]
        bundles = [sorted(lead + rest, key=_position)]
    return tuple(tuple(sorted(bundle, key=_position)) for bundle in bundles)


def _position(group: Group) -> int:
    return group.segments[0].index


def _numbers(group: Group) -> set[str]:
    """`field:number^authority` of a group; spaces do not count."""
    made = set()
    for name, field in _NUMBERS:
        for segment in group.segments:
            if segment.name == name and segment.value(field).strip():
                number = types.ei(group, segment, field)
                made.add(f"{field}:{number.value.replace(' ', '')}^{number.system}")
    return made


def _carries(group: Group) -> bool:
    return any(_is_content(segment) for segment in group.segments)


def _is_content(segment: Segment) -> bool:
    return segment.name == "OBX" and documents.is_content(segment)
