"""FHIR R4 DiagnosticReport → canonical report, the same as an HL7 v2 message of the exam gives (fhir.md §6).

Nothing raises: what cannot be read is a finding with its FHIRPath, and `Mapped.report` is None only where no
report can be made of it.
"""

from gateway.fhir import Node, ReportBundle
from gateway.mapping import fhir_content as content
from gateway.mapping import fhir_exam as exam
from gateway.mapping import fhir_header as header
from gateway.mapping import fhir_roles as roles
from gateway.mapping.fhir_facts import facts
from gateway.mapping.fhir_studies import studies as imaging_studies
from gateway.mapping.fhir_walk import Walk, has_code
from gateway.mapping.finish import finish
from gateway.mapping.sites import Profile
from gateway.model.base import replace
from gateway.model.findings import finding
from gateway.model.report import ImagingReport, ReportStatus, Section, SectionKind
from gateway.model.submission import Blob, Mapped, SubmissionContext, Trace
from gateway.model.terms import LOINC, SNOMED_CT, Identifier
from gateway.rules import completeness

IMAGING = {
    "http://terminology.hl7.org/CodeSystem/v2-0074": frozenset(
        {"RAD", "RX", "CT", "MR", "NMR", "NMS", "US", "RUS", "VUS", "CUS"}
    ),
    LOINC: frozenset({"18748-4", "85430-7", "18726-0", "LP29684-5"}),
    SNOMED_CT: frozenset({"394914008", "4201000179104", "363679005"}),
}
"""Categories that say imaging (spec fhir.md §3.3); anything else is NOT-IMAGING (REQ-06)."""

STATUSES = {
    "registered": ReportStatus.REGISTERED,
    "partial": ReportStatus.PRELIMINARY,
    "preliminary": ReportStatus.PRELIMINARY,
    "final": ReportStatus.FINAL,
    "amended": ReportStatus.CORRECTED,
    "corrected": ReportStatus.CORRECTED,
    "appended": ReportStatus.APPENDED,
    "cancelled": ReportStatus.CANCELLED,
    "entered-in-error": ReportStatus.ENTERED_IN_ERROR,
}
"""DiagnosticReport.status (spec fhir.md §6.2); any other code is refused."""

_NAMELESS = Identifier(value="")
"""Stands for the report set of a report that cannot be named: it is looked through, then refused."""


def reports(bundle: ReportBundle, profile: Profile) -> tuple[Mapped, ...]:
    """Every report of the Bundle, in order, each with its provenance (FHIRPath), coverage and findings. Of
    orders that none of them answers the first one says so."""
    made = tuple(_mapped(Walk(bundle, profile), position) for position in bundle.reports)
    beside = tuple(finding("ORDER-BESIDE-REPORT", place) for place in bundle.unanswered)
    return (replace(made[0], findings=(*made[0].findings, *beside)), *made[1:]) if beside else made


def _mapped(walk: Walk, position: int) -> Mapped:
    node = walk.bundle.at(position, walk.reads)
    status = STATUSES.get(walk.take("status", node, "status"))
    context = header.context(walk, node, status)
    if not has_code((*node.all("category"), node.get("code")), IMAGING):
        walk.trail.at("NOT-IMAGING", f"{node.path}.category")
        return _refused(walk, context)
    if status is None:
        walk.trail.at("STATUS-UNKNOWN", f"{node.path}.status")
        return _refused(walk, context)
    met, patient_class = exam.encounter(walk, node)
    report, blobs = _report(walk, node, status)
    done = finish(replace(report, encounter=met), walk.profile, walk.trail.provenance)
    made = Mapped(
        report=done.report,
        context=replace(context, patient_class=patient_class),
        blobs=blobs,
        trace=Trace(provenance=done.provenance, coverage=walk.coverage()),
        findings=walk.trail.findings + done.findings + walk.left_out(),
    )
    return made if report.report_set != _NAMELESS else _without_name(made, node)


def _refused(walk: Walk, context: SubmissionContext) -> Mapped:
    trail = walk.trail
    trace = Trace(provenance=trail.provenance)
    return Mapped(report=None, context=context, trace=trace, findings=trail.findings)


def _without_name(made: Mapped, node: Node) -> Mapped:
    """No report without a report set; what else it lacks is said in the same answer."""
    lacks = completeness.check(made) if made.report and made.report.status.validated else ()
    missing = finding("REPORT-SET-MISSING", f"{node.path}.identifier")
    said = {one.code for one in made.findings}
    more = tuple(one for one in lacks if one.code not in said)
    return replace(made, report=None, blobs=(), findings=(*made.findings, missing, *more))


def _report(walk: Walk, node: Node, status: ReportStatus) -> tuple[ImagingReport, tuple[Blob, ...]]:
    """The report without its encounter, and the bytes of its attachments."""
    orders = exam.orders(walk, node)
    studies = imaging_studies(walk, node)
    composition = header.composition(walk, node)
    files, blobs, texts = content.attachments(walk, node)
    told = facts(walk, node, orders, exam.acts(walk, node, orders, studies))
    sections = _sections(walk, node, composition, texts, bool(files), told.taken)
    report = ImagingReport(
        report_set=header.report_set(walk, node, composition, orders) or _NAMELESS,
        status=status,
        patient=roles.subject(walk, node),
        language=walk.take("language", node, "language") or "fr-FR",
        validated_at=walk.moment("validated_at", node, "issued"),
        authors=roles.authors(walk, node),
        legal_authenticator=roles.interpreter(walk, node),
        requester=roles.requester(walk, orders),
        custodian=roles.custodian(walk, composition),
        performer=roles.performer(walk, node),
        orders=tuple(order.reference for order in orders),
        acts=told.acts,
        studies=tuple(study.study for study in studies),
        sections=sections,
        attachments=files,
        replaces=header.replaces(walk, composition),
        pregnancy=told.pregnancy,
        contraindications=told.contraindications,
        devices=told.devices,
    )
    return roles.attested(walk, composition, report), blobs


def _sections(
    walk: Walk,
    node: Node,
    composition: Node | None,
    texts: tuple[Section, ...],
    documents: bool,
    taken: frozenset[str],
) -> tuple[Section, ...]:
    """Typed narrative; else the attached text; else, with no document either, the page of the report."""
    found = content.sections(walk, node, composition, taken) or texts
    if found or documents:
        return found
    page = content.narrative(node.text("text", "div"))
    return (Section(kind=SectionKind.REPORT, text=page),) if page else ()
