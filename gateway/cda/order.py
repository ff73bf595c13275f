"""Imaging order → CDA R2, volet IMG-DA-IMG 2024.01 (cda.md §6)."""

from collections.abc import Sequence
from typing import Final

from gateway.cda.builder import build
from gateway.cda.built import Built
from gateway.cda.header import header
from gateway.cda.header_acts import completed_structure, performer
from gateway.cda.n3_clinical import Stated, clinical_information
from gateway.cda.order_plan import informed, plan, wanted_modality
from gateway.cda.products import sites_of
from gateway.cda.tree import Element
from gateway.cda.vocabulary_n3 import ORDER_TEMPLATES, PREGNANCY
from gateway.cda.writer import Writer
from gateway.model.base import replace
from gateway.model.findings import Finding, finding
from gateway.model.order import ImagingOrder
from gateway.model.people import Organization
from gateway.model.report import ImagingReport, OrderReference, ReportStatus, Section, SectionKind
from gateway.model.site import Site
from gateway.model.submission import Protocol, SubmissionContext
from gateway.model.terms import LOINC, SNOMED_CT, Code, Identifier
from gateway.model.version import ReportVersion, VersionIdentity
from gateway.model.wording import quantity

TITLE: Final = "Demande d'acte d'imagerie"
_ORDER: Final = Code(code="55115-0", system=LOINC, display=TITLE)
_PREGNANCY: Final = Code(code="364320009", system=SNOMED_CT, display="Statut de grossesse")
_NOT_POSSIBLE: Final = "ORDER-NOT-POSSIBLE"


def order_possible(order: ImagingOrder, site: Site) -> tuple[Finding, ...]:
    """Why this order cannot be a document, () when it can: who asks, what and where for each act.

    Of the structure that asks the rules want practice setting and type of facility, which no message carries.
    """
    found = []
    if order.requester is None or not order.requester.family:
        found.append(finding(_NOT_POSSIBLE, "requester", "nobody asks"))
    else:
        asking = asking_structure(order, site)
        for field in ("practice_setting", "facility_type"):
            if getattr(asking, field) is None:
                what = f"no {field.replace('_', ' ')} of the structure that asks ({asking.id or 'no number'})"
                found.append(finding(_NOT_POSSIBLE, f"requester.organization.{field}", what))
    if not order.acts:
        found.append(finding(_NOT_POSSIBLE, "acts", "no act"))
    for index, act in enumerate(order.acts):
        if wanted_modality(act) is None:
            found.append(finding(_NOT_POSSIBLE, f"acts[{index}].modalities", "no modality of JDV 5.660"))
        if not sites_of(act):
            found.append(finding(_NOT_POSSIBLE, f"acts[{index}].sites", "no anatomic site of JDV 5.694"))
    return tuple(found)


def build_order(order: ImagingOrder, identity: VersionIdentity, site: Site) -> Built:
    """The order as a document of its requester; same input, same bytes.

    `site` is the house that asks: it fills what the requester's own organisation leaves open. The caller has
    asked `order_possible`; raises ValueError when the order cannot be a document.
    """
    if reasons := order_possible(order, site):
        raise ValueError("; ".join(f"{found.location}: {found.detail}" for found in reasons))
    version = _as_report(order, identity, site)

    def heading(out: Writer, version: ReportVersion, templates: Sequence[Identifier]) -> None:
        header(out, version, templates, code=_ORDER, acts=lambda out, version: _asked(out, version, order))

    def body(out: Writer, component: Element) -> None:
        node = out.add(component, "structuredBody")
        texts = {kind: tuple(item for item in _sections(order) if item.kind is kind) for kind in SectionKind}
        more = _stated(order)
        clinical_information(out, node, version.report, texts, identity, more)
        informed(out, node, order, identity)
        plan(out, node, order, identity)

    return build(version, ORDER_TEMPLATES, body, heading)


def asking_structure(order: ImagingOrder, site: Site) -> Organization:
    """That of the requester, completed as the header does it."""
    named = order.requester.organization if order.requester is not None else None
    return completed_structure(named or site.structure, site)


def _as_report(order: ImagingOrder, identity: VersionIdentity, site: Site) -> ReportVersion:
    """The header of an order has the roles of a report: who asks is author and answers for it."""
    requester = order.requester
    assert requester is not None, "order_possible has looked"
    report = ImagingReport(
        report_set=order.placer or Identifier(value=identity.set_id),
        status=ReportStatus.FINAL,
        patient=order.patient,
        title=TITLE,
        validated_at=order.requested_at or identity.created_at,
        authors=(requester,),
        legal_authenticator=requester,
        requester=requester,
        attending=order.attending,
        copies_to=order.copies_to,
        custodian=requester.organization,
        performer=requester.organization,
        encounter=order.encounter,
        orders=(OrderReference(placer=order.placer, requested_at=order.requested_at, reasons=order.reasons),),
        contraindications=order.contraindications,
    )
    context = SubmissionContext(protocol=Protocol.HL7V2, site=site.name)
    house = replace(site, author_specialty=None)
    return ReportVersion(version_id=0, identity=identity, report=report, context=context, site=house)


def _asked(out: Writer, version: ReportVersion, order: ImagingOrder) -> None:
    """documentationOf: the order itself is the principal act, under the requester's number."""
    node = out.add(out.add(out.root, "documentationOf"), "serviceEvent", "", "placer", classCode="ACT")
    if order.requested_at is None:
        out.find("CDA-ADVICE", "requested_at", "no time of the request: that of the document stands for it")
    authority = version.site.authorities.placer_order
    if not out.identifier(node, "id", order.placer, "placer", authority):
        out.null(node, "id")
    out.code(node, "code", _ORDER, "")
    period = out.add(node, "effectiveTime")
    out.time(period, "low", order.requested_at or version.identity.created_at, "requested_at")
    performer(out, node, version.report, version.site)


def _sections(order: ImagingOrder) -> tuple[Section, ...]:
    """The order's words under the headings of the volet."""
    body = [("Taille", order.height), ("Poids", order.weight)]
    measured = [f"{label} : {quantity(value)}" for label, value in body if value is not None]
    texts = (
        (SectionKind.REQUEST, "Justification de la demande", order.reason),
        (SectionKind.REQUEST, "Finalité de l'examen", order.question),
        (SectionKind.MEDICAL_HISTORY, "", order.history),
        (SectionKind.MEDICAL_HISTORY, "", "\n".join(measured)),
    )
    return tuple(Section(kind=kind, title=title, text=text) for kind, title, text in texts if text.strip())


def _stated(order: ImagingOrder) -> tuple[Stated, ...]:
    if order.pregnancy is None or order.pregnancy.code not in PREGNANCY:
        return ()
    display = order.pregnancy.display or PREGNANCY[order.pregnancy.code]
    value = Code(code=order.pregnancy.code, system=SNOMED_CT, display=display)
    return (Stated("Statut de grossesse", _PREGNANCY, value, "pregnancy", "grossesse"),)
