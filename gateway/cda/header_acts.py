"""What was asked and done: inFulfillmentOf, documentationOf, componentOf (cda.md §3.5–3.7)."""

from datetime import datetime
from typing import Final

from gateway.cda.header_people import address, entity
from gateway.cda.tree import Element
from gateway.cda.vocabulary import (
    ENCOUNTER_KINDS,
    FACILITY_TYPE,
    QUALIFIER_MODALITY,
    QUALIFIER_REGION,
)
from gateway.cda.writer import UID, Writer
from gateway.model.base import replace
from gateway.model.people import Organization, Practitioner
from gateway.model.report import Act, ImagingReport, OrderReference
from gateway.model.site import Site
from gateway.model.terms import CCAM, CCAM_OLD, CIM10, DCM, LOINC, SNOMED_CT, STRUCT_IDNAT, Code, Identifier

_MODALITY: Final = Code(code=QUALIFIER_MODALITY, system=DCM, display="Modalité d'imagerie")
_SCREENING: Final = Code(code="Z13.9", system=CIM10, display="Examen spécial de dépistage, sans précision")
_REGION: Final = Code(code=QUALIFIER_REGION, system=LOINC, display="Localisation anatomique")


def orders(out: Writer, report: ImagingReport, site: Site) -> None:
    """One inFulfillmentOf per accession number; an unknown placer or accession number carries UNK.

    Accession numbers that only an act or a study names get an order of their own.
    """
    wanted = [(order, f"orders[{index}]") for index, order in enumerate(report.orders)]
    known = {order.accession.value for order, _ in wanted if order.accession}
    sources = [(act.accession, f"acts[{index}].accession") for index, act in enumerate(report.acts)]
    sources += [
        (study.accession, f"studies[{index}].accession") for index, study in enumerate(report.studies)
    ]
    for accession, path in sources:
        if accession is not None and accession.value and accession.value not in known:
            known.add(accession.value)
            wanted.append((OrderReference(accession=accession), path.removesuffix(".accession")))
    for order, source in wanted:
        _order(out, order, source, site)


def _order(out: Writer, order: OrderReference, source: str, site: Site) -> None:
    if not (order.placer or order.accession):
        return
    node = out.add(out.add(out.root, "inFulfillmentOf"), "order")
    if not out.identifier(node, "id", order.placer, f"{source}.placer", site.authorities.placer_order):
        out.null(node, "id")
    path = f"{source}.accession"
    accession = order.accession
    root = out.root_of(accession, path, site.authorities.accession) if accession and accession.value else ""
    if accession and root:
        out.add(node, "ps3-20:accessionNumber", "", path, root=root, extension=accession.value)
    else:
        out.null(node, "ps3-20:accessionNumber")
        out.find("CDA-ADVICE", path, "the request has no accession number")


def service_events(out: Writer, report: ImagingReport, site: Site) -> None:
    """One documentationOf per act, the principal (first) with its performer; at least one must stand."""
    acts = report.acts or (Act(),)
    if not report.acts:
        out.find("CODE-UNKNOWN", "acts", "the report names no act")
    for index, act in enumerate(acts):
        _service_event(out, report, act, index, site)
    if report.screening:
        # Never first: the first one is the principal act, with its performer (cda.md §3.6).
        node = out.add(out.add(out.root, "documentationOf"), "serviceEvent", "", "screening", classCode="ACT")
        out.code(node, "code", _SCREENING, "")


def _service_event(out: Writer, report: ImagingReport, act: Act, index: int, site: Site) -> None:
    source = f"acts[{index}]"
    node = out.add(out.add(out.root, "documentationOf"), "serviceEvent", "", source, classCode="ACT")
    study_uid = act.study_uid or (report.studies[0].uid if len(report.studies) == 1 else "")
    if study_uid and UID.fullmatch(study_uid) and len(study_uid) <= 64:
        out.add(node, "id", "", f"{source}.study_uid", root=study_uid)
    elif study_uid:
        out.find("STUDY-UID-FORM", f"{source}.study_uid")
    _act_code(out, node, act, source)
    _act_times(out, node, act, _start(report, act, study_uid), source, principal=index == 0)
    if index == 0:
        performer(out, node, report, site)


def _start(report: ImagingReport, act: Act, study_uid: str) -> datetime | None:
    """Start of the act, else that of its study."""
    started = (study.started for study in report.studies if study.uid == study_uid)
    return act.start or next(started, None)


def _act_code(out: Writer, node: Element, act: Act, source: str) -> None:
    """LOINC with CCAM, modality and region as translations.

    Without LOINC the header rules accept any coded act, else a nullFlavor (SM serviceEvent/code): the CCAM
    act takes its place, else OTH with the sender's label (beside UNK the data types allow no word and no
    translation, DTr1 dtr1-1-ANY). The imaging volet itself (N3) wants LOINC.
    """
    loinc = replace(act.code, system=act.code.system or LOINC) if act.code and act.code.code else None
    ccam = replace(act.ccam, system=CCAM) if act.ccam and act.ccam.system in ("", CCAM_OLD) else act.ccam
    if loinc is not None:
        code = out.code(node, "code", loinc, f"{source}.code")
        if ccam is not None:
            out.code(code, "translation", ccam, f"{source}.ccam")
    else:
        out.find("CODE-UNKNOWN", f"{source}.code", "no LOINC procedure code for the act")
        if ccam is not None:
            code = out.code(node, "code", ccam, f"{source}.ccam")
        else:
            code = out.null(node, "code", "OTH")
            out.text(code, "originalText", act.label, f"{source}.label")
    if not act.modalities:
        out.find("CODE-UNKNOWN", f"{source}.modalities", "no modality for the act")
    for kind, found, system, qualifier in (
        ("modalities", act.modalities, DCM, _MODALITY),
        ("regions", act.regions, SNOMED_CT, _REGION),
    ):
        for index, item in enumerate(found):
            value = replace(item, system=item.system or system)
            translation = out.code(code, "translation", value, f"{source}.{kind}[{index}]")
            out.code(out.add(translation, "qualifier"), "name", qualifier, "")


def _act_times(
    out: Writer, node: Element, act: Act, start: datetime | None, source: str, *, principal: bool
) -> None:
    """effectiveTime/low, high. Required of the principal act only; low must have a value (SM)."""
    if start is None and not principal:
        return
    interval = out.add(node, "effectiveTime")
    if not out.time(interval, "low", start, f"{source}.start"):
        out.null(interval, "low")
        out.find("CDA-RULE", f"{source}.start", "the time of the exam is missing")
    out.time(interval, "high", act.end, f"{source}.end")


def performer(out: Writer, node: Element, report: ImagingReport, site: Site) -> None:
    """The radiologist in the structure that did the exam, whose practice setting the rules require."""
    source = "authors[0]" if report.authors else "legal_authenticator"
    who = report.authors[0] if report.authors else report.legal_authenticator or Practitioner()
    structure, path = performing_structure(report, site)
    if structure.practice_setting is None:
        out.find("STRUCTURE-MISSING", f"{path}.practice_setting", "no practice setting (JDV_J04)")
    if not structure.id:
        out.find("STRUCTURE-MISSING", f"{path}.id")
    person = replace(who, organization=None)
    wrapper = out.add(node, "performer", typeCode="PRF")
    entity(
        out,
        out.add(wrapper, "assignedEntity"),
        person,
        source,
        specialty=site.author_specialty,
        employer=(structure, path),
    )


def performing_structure(report: ImagingReport, site: Site) -> tuple[Organization, str]:
    """The structure that did the exam, with its canonical path: of the report, of its author, or the site's.

    What the report leaves open about the site's own structure is completed from the profile.
    """
    author = report.authors[0] if report.authors else report.legal_authenticator
    found, path = site.structure, "site.structure"
    if report.performer is not None:
        found, path = report.performer, "performer"
    elif author is not None and author.organization is not None:
        path = "authors[0].organization" if report.authors else "legal_authenticator.organization"
        found = author.organization
    return completed_structure(found, site), path


def completed_structure(found: Organization, site: Site) -> Organization:
    """`found`; what is left open of the site's own structure comes from the profile."""
    if found.id and found.id != site.structure.id:
        return found
    return Organization(
        id=found.id or site.structure.id,
        name=found.name or site.structure.name,
        telecoms=found.telecoms or site.structure.telecoms,
        address=found.address or site.structure.address,
        practice_setting=found.practice_setting or site.structure.practice_setting,
        facility_type=found.facility_type or site.structure.facility_type,
    )


def encounter(out: Writer, report: ImagingReport, site: Site) -> None:
    """componentOf: the visit and the facility; times that nobody sent are UNK, not those of the exam."""
    node = out.add(out.add(out.root, "componentOf"), "encompassingEncounter")
    visit = report.encounter
    out.identifier(node, "id", visit.number, "encounter.number", site.authorities.encounter)
    if visit.kind in ENCOUNTER_KINDS:
        system, label = ENCOUNTER_KINDS[visit.kind]
        out.code(node, "code", Code(code=visit.kind, system=system, display=label), "encounter.kind")
    elif visit.kind:
        out.find("CODE-UNKNOWN", "encounter.kind", "encounter class outside JDV_J142")
    if visit.start or visit.end:
        interval = out.add(node, "effectiveTime")
        out.time(interval, "low", visit.start, "encounter.start")
        out.time(interval, "high", visit.end, "encounter.end")
    else:
        out.null(node, "effectiveTime")
    _facility(out, node, *performing_structure(report, site))


def _facility(out: Writer, node: Element, structure: Organization, path: str) -> None:
    facility = out.add(out.add(node, "location"), "healthCareFacility")
    if structure.id:
        out.identifier(facility, "id", Identifier(value=structure.id, system=STRUCT_IDNAT), f"{path}.id")
    if structure.facility_type is not None:
        kind = replace(structure.facility_type, system=structure.facility_type.system or FACILITY_TYPE)
        out.code(facility, "code", kind, f"{path}.facility_type")
    else:
        out.null(facility, "code")
        out.find("STRUCTURE-MISSING", f"{path}.facility_type", "no facility type (JDV_J02)")
    if structure.name or structure.address:
        place = out.add(facility, "location")
        out.text(place, "name", structure.name, f"{path}.name")
        address(out, place, structure.address, f"{path}.address")
