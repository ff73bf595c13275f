"""FHIR ServiceRequest, ImagingStudy, Encounter → orders, acts, studies (spec fhir.md §3, §5, §6.1)."""

from datetime import datetime
from typing import NamedTuple

from gateway.fhir import Node
from gateway.mapping.fhir_clinical import reasons
from gateway.mapping.fhir_studies import ACCESSION_TYPES, Study, is_study_uid, modalities
from gateway.mapping.fhir_walk import Walk, code, codes, identifier, type_codes
from gateway.model.findings import Severity
from gateway.model.report import Act, Encounter, OrderReference
from gateway.model.terms import CCAM, LOINC, SNOMED_CT, Code, Identifier

DOCUMENT_CODES = frozenset({"18748-4", "85430-7", "18726-0", "LP173421-1"})
"""LOINC codes that say "imaging report", not which exam."""
REGION_EXTENSION = "http://hl7.eu/fhir/imaging/StructureDefinition/AnatomicalRegionExtension"
ENCOUNTER_KINDS = {"IMP": "I", "ACUTE": "I", "NONAC": "I", "EMER": "E", "AMB": "O", "SS": "O", "VR": "O"}
"""ActEncounterCode → the PV1-2 that contentTypeCode is derived from (volet Transmission 2.1)."""


class Order(NamedTuple):
    """An order reference with its ServiceRequest, when the Bundle holds it."""

    reference: OrderReference
    node: Node | None


# --- orders


def orders(walk: Walk, report: Node) -> tuple[Order, ...]:
    """Orders of `basedOn`: ServiceRequests, or logical identifiers alone (EU minimal profile)."""
    made: list[Order] = []
    for reference in report.all("basedOn"):
        path = f"orders[{len(made)}]"
        node = walk.follow(reference)
        if node is not None and node.kind == "ServiceRequest":
            made.append(Order(_order(walk, path, node, node.all("identifier")), node))
        elif reference.text("identifier", "value"):
            made.append(Order(_order(walk, path, reference, reference.all("identifier")), None))
    return tuple(made)


def request(walk: Walk, node: Node) -> Order:
    """The one order that a ServiceRequest is by itself."""
    return Order(_order(walk, "orders[0]", node, node.all("identifier")), node)


def _order(walk: Walk, path: str, node: Node, identifiers: tuple[Node, ...]) -> OrderReference:
    """An identifier without a type is the order number of who placed it; a Study Instance UID is none."""
    found: dict[str, Identifier | None] = {}
    for one in identifiers:
        if is_study_uid(one):
            continue
        kinds = type_codes(one)
        name = (
            "accession"
            if kinds & ACCESSION_TYPES
            else "filler"
            if "FILL" in kinds
            else "placer"
            if not kinds or "PLAC" in kinds
            else ""
        )
        if name and name not in found:
            found[name] = identifier(walk, f"{path}.{name}", one)
    reason, coded = reasons(walk, node, f"{path}.")
    return OrderReference(
        placer=found.get("placer"),
        filler=found.get("filler"),
        accession=found.get("accession"),
        requested_at=walk.moment(f"{path}.requested_at", node, "authoredOn"),
        reason=reason,
        reasons=coded,
    )


# --- acts


def acts(walk: Walk, report: Node, orders: tuple[Order, ...], studies: tuple[Study, ...]) -> tuple[Act, ...]:
    """One act for each study of each order; one for an order without study; the report's own code names the
    exam when no ServiceRequest does."""
    requested = [order for order in orders if order.node is not None] or list(orders[:1])
    groups: list[tuple[Order | None, list[Study]]] = [(order, []) for order in requested] or [(None, [])]
    for study in studies:
        groups[_owner(walk, study, [order for order, _ in groups])][1].append(study)
    nothing: tuple[Study | None, ...] = (None,)
    pairs = [(order, study) for order, own in groups for study in own or nothing]
    return tuple(_act(walk, f"acts[{at}]", report, order, study) for at, (order, study) in enumerate(pairs))


def _owner(walk: Walk, study: Study, orders: list[Order | None]) -> int:
    """Index of the order that the study answers (ImagingStudy.basedOn, accession number); else the first."""
    based = study.node.all("basedOn") if study.node is not None else ()
    targets = {found.path for one in based if (found := walk.bundle.resolve(one)) is not None}
    for index, order in enumerate(orders):
        if order is not None and order.node is not None and order.node.path in targets:
            return index
        if order is not None and study.study.accession and study.study.accession == order.reference.accession:
            return index
    return 0


def _act(walk: Walk, path: str, report: Node, order: Order | None, study: Study | None) -> Act:
    concept, label = _concept(report, order, study)
    named = codes(concept)
    exam = [one for one in named if not (one.system == LOINC and one.code in DOCUMENT_CODES)]
    loinc = next((one for one in exam if one.system == LOINC), None)
    ccam = next((one for one in exam if one.system == CCAM), None)
    local = next((one for one in exam if one.system not in (LOINC, CCAM)), None)
    walk.trail.source(path, concept.path)
    if exam:
        for name, one in (("code", loinc), ("ccam", ccam), ("local", local)):
            if one is not None:
                walk.trail.source(f"{path}.{name}", concept.path)
    start, end = _times(walk, path, report)
    node = study.node if study else None
    regions, sites = _places(walk, path, order, node)
    return Act(
        label=label or next((one.display for one in exam if one.display), ""),
        code=loinc,
        ccam=ccam,
        local=local,
        modalities=modalities(walk, f"{path}.modalities", node) if node else (),
        regions=regions,
        sites=sites,
        laterality=_side(walk, f"{path}.laterality", node),
        start=(study.study.started if study else None) or start,
        end=end,
        study_uid=study.study.uid if study else "",
        accession=(order.reference.accession if order else None)
        or (study.study.accession if study else None),
    )


def _concept(report: Node, order: Order | None, study: Study | None) -> tuple[Node, str]:
    """(CodeableConcept that names the exam, its label): the order's, the study's, the report's own."""
    candidates = [
        order.node.get("code") if order and order.node else None,
        study.node.get("procedureCode") if study and study.node else None,
        report.get("code"),
    ]
    for concept in candidates:
        if concept and {one.code for one in codes(concept)} - DOCUMENT_CODES:
            return concept, concept.text("text")
    own = report.get("code")
    return own, own.text("text")


def _times(walk: Walk, path: str, node: Node) -> tuple[datetime | None, datetime | None]:
    """When the exam of a report was, or that of an order is wanted."""
    name = "occurrence" if node.kind == "ServiceRequest" else "effective"
    start = walk.moment(f"{path}.start", node, f"{name}DateTime")
    period = node.get(f"{name}Period")
    return start or walk.moment(f"{path}.start", period, "start"), walk.moment(f"{path}.end", period, "end")


def _side(walk: Walk, path: str, study: Node | None) -> Code | None:
    """The laterality that all series of the study share (SNOMED CT; DICOM R, L)."""
    stated = [one.get("laterality") for one in study.all("series")] if study else []
    hits = [walk.profile.codes.side(one.text("code")) for one in stated]
    first = hits[0] if hits else None
    if first is None or any(hit is None or hit.value != first.value for hit in hits):
        return None
    walk.trail.source(path, stated[0].path, first.rule)
    return first.value


def _places(
    walk: Walk, path: str, order: Order | None, study: Node | None
) -> tuple[tuple[Code, ...], tuple[Code, ...]]:
    """(regions, sites) of ServiceRequest.bodySite, else the EU extension, else the sites of the series: JDV
    5.695 and 5.694. A site has its region."""
    requested = [
        c for one in (order.node.all("bodySite") if order and order.node else ()) for c in one.all("coding")
    ]
    region = study.extension(REGION_EXTENSION) if study else None
    stated = list(region.get("valueCodeableConcept").all("coding")) if region else []
    scanned = [one.get("bodySite") for one in (study.all("series") if study else ())]
    regions: dict[str, Code] = {}
    sites: dict[str, Code] = {}
    for coding in requested or stated or scanned:
        found = code(coding)
        if found is None or found.system != SNOMED_CT:
            continue
        hit, place = walk.profile.codes.region(found.code), walk.profile.codes.site(found.code)
        if hit is None and place is None:
            walk.trail.at("CODE-UNKNOWN", f"{coding.path}.code", f"region {found.code}")
        if place is not None:
            walk.trail.source(f"{path}.sites", coding.path, place.rule)
            sites[place.value.site.code] = place.value.site
        named = hit.value if hit is not None else place.value.region if place is not None else None
        rule = hit.rule if hit is not None else place.rule if place is not None else ""
        if named is not None:
            walk.trail.source(f"{path}.regions", coding.path, rule)
            regions[named.code] = named
    return tuple(regions.values()), tuple(sites.values())


# --- encounter


def encounter(walk: Walk, report: Node) -> tuple[Encounter, str]:
    """(the encounter, its PV1-2 for contentTypeCode); ambulatory with a finding when nobody says."""
    node = walk.follow(report.get("encounter"), Severity.WARNING)
    kind = walk.take("encounter.kind", node, "class", "code") if node else ""
    if kind not in ENCOUNTER_KINDS:
        place = f"{node.path}.class" if node else f"{report.path}.encounter"
        walk.trail.at("ENCOUNTER-CLASS-GUESSED", place)
        kind = "AMB"
    if node is None:
        return Encounter(), ""
    numbers = sorted(node.all("identifier"), key=lambda one: "VN" not in type_codes(one))
    made = Encounter(
        kind=kind,
        number=identifier(walk, "encounter.number", numbers[0]) if numbers else None,
        start=walk.moment("encounter.start", node, "period", "start"),
        end=walk.moment("encounter.end", node, "period", "end"),
    )
    return made, ENCOUNTER_KINDS[kind]
