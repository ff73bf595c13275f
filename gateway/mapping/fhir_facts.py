"""What a Bundle says of the exam beside its narrative: doses, products, devices, the patient's state.

Doses are Observations (DCM codes of JDV 5.620, alone or as components), products MedicationAdministrations,
devices those of the Procedure (spec fhir.md §5).
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.fhir import Node
from gateway.mapping.code_rows import Hit
from gateway.mapping.code_tables import ObservationKind, Observed
from gateway.mapping.fhir_clinical import allergies
from gateway.mapping.fhir_exam import Order
from gateway.mapping.fhir_walk import Walk, codes
from gateway.mapping.hl7_exam import ATC_NAMES, PREGNANCY, RADIOPHARMACEUTICALS
from gateway.model.base import replace
from gateway.model.imaging import (
    AdministeredProduct,
    ContraIndication,
    Device,
    Quantity,
    RadiationDose,
    RadiationExposure,
)
from gateway.model.report import Act
from gateway.model.terms import ATC, DCM, LOINC, SNOMED_CT, Code, Identifier

VOID: Final = frozenset({"entered-in-error", "cancelled"})
_PREGNANCY: Final = frozenset({(LOINC, "82810-3"), (SNOMED_CT, "364320009")})
_CONTRAINDICATION: Final = (LOINC, "64100-1")


class Facts(NamedTuple):
    """`acts` as given, with what belongs to them; `taken`: paths of Observations that are no narrative."""

    acts: tuple[Act, ...]
    devices: tuple[Device, ...] = ()
    pregnancy: Code | None = None
    contraindications: tuple[ContraIndication, ...] = ()
    taken: frozenset[str] = frozenset()


def facts(walk: Walk, report: Node, orders: tuple[Order, ...], acts: tuple[Act, ...]) -> Facts:
    """From the results of the report, what its orders support themselves on, and what was administered."""
    made = list(acts)
    taken: set[str] = set()
    pregnancy: Code | None = None
    against: list[ContraIndication] = []
    for node in _observations(walk, report, orders):
        named = {(one.system, one.code) for one in codes(node.get("code"))}
        if named & _PREGNANCY:
            pregnancy = _pregnancy(walk, node) or pregnancy
        elif _CONTRAINDICATION in named:
            against += _contraindication(walk, node, len(against))
        elif doses := _doses(walk, node):
            at = _act_of(walk, node, acts)
            walk.trail.source(f"acts[{at}].exposure.doses", node.path)
            made[at] = _exposed(made[at], doses)
        else:
            continue
        taken.add(node.path)
    for node in _administrations(walk):
        at = _act_of(walk, node, acts)
        walk.trail.source(f"acts[{at}].products", node.path)
        made[at] = _given(made[at], _product(walk, node))
    against += allergies(walk, report, len(against))
    devices = tuple(_devices(walk, report))
    return Facts(tuple(made), devices, pregnancy, tuple(against), frozenset(taken))


def _observations(walk: Walk, report: Node, orders: tuple[Order, ...]) -> Iterator[Node]:
    """Results with their members, and what the orders rest on; each once."""
    seen: set[str] = set()
    references = list(report.all("result"))
    references += [one for order in orders if order.node for one in order.node.all("supportingInfo")]
    while references:
        node = walk.follow(references.pop(0))
        if node is None or node.kind != "Observation" or node.path in seen or node.text("status") in VOID:
            continue
        seen.add(node.path)
        references += node.all("hasMember")
        yield node


def _pregnancy(walk: Walk, node: Node) -> Code | None:
    for one in codes(node.get("valueCodeableConcept")):
        if one.code in PREGNANCY:
            walk.trail.source("pregnancy", node.path)
            return PREGNANCY[one.code]
    return None


def _contraindication(walk: Walk, node: Node, number: int) -> list[ContraIndication]:
    value = node.get("valueCodeableConcept")
    code = next((one for one in codes(value) if one.system and "://" not in one.system), None)
    notes = [one.text("text") for one in node.all("note")]
    words = "\n".join(
        filter(None, (node.text("valueString") or ("" if code else value.text("text")), *notes))
    )
    if code is None and not words:
        return []
    walk.trail.source(f"contraindications[{number}]", node.path)
    return [ContraIndication(code=code, comment=words)]


# --- doses


def _doses(walk: Walk, node: Node) -> list[RadiationDose]:
    """The Observation itself, or all its components; () when one of them is no dose."""
    parts = node.all("component") or (node,)
    found = [_dose(walk, part) for part in parts]
    return [one for one in found if one is not None] if all(found) else []


def _dose(walk: Walk, part: Node) -> RadiationDose | None:
    quantity = part.get("valueQuantity")
    hit = _row(walk, part.get("code"))
    if hit is None or not quantity.text("value") or quantity.text("comparator"):
        return None
    unit = quantity.text("code") or quantity.text("unit") or hit.value.unit
    return RadiationDose(
        code=hit.value.code,
        quantity=Quantity(value=quantity.text("value"), unit=unit),
        site=_site(walk, part),
    )


def _row(walk: Walk, concept: Node) -> Hit[Observed] | None:
    for one in codes(concept):
        hit = walk.profile.codes.observation(one.code) if one.system in (DCM, "") else None
        if hit is not None and hit.value.kind is ObservationKind.DOSE:
            return hit
    return None


def _site(walk: Walk, node: Node) -> Code | None:
    found = (walk.profile.codes.site(one.code) for one in codes(node.get("bodySite")))
    return next((hit.value.site for hit in found if hit is not None), None)


def _exposed(act: Act, doses: list[RadiationDose]) -> Act:
    known = act.exposure or RadiationExposure()
    return replace(act, exposure=replace(known, doses=(*known.doses, *doses)))


def _act_of(walk: Walk, node: Node, acts: tuple[Act, ...]) -> int:
    """Index of the act whose study the resource names; else the first."""
    uids = {act.study_uid: place for place, act in reversed(list(enumerate(acts))) if act.study_uid}
    for name in ("partOf", "derivedFrom", "supportingInformation") if len(acts) > 1 else ():
        for reference in node.all(name):
            study = walk.bundle.resolve(reference)
            for identifier in study.all("identifier") if study is not None else ():
                uid = identifier.text("value").removeprefix("urn:oid:")
                if uid in uids:
                    return uids[uid]
    return 0


# --- products


def _administrations(walk: Walk) -> Iterator[Node]:
    """Those of the Bundle, when it holds one report or order: they name none."""
    if len(walk.bundle.reports or walk.bundle.requests) > 1:
        return
    for node in walk.bundle.entries("MedicationAdministration", walk.reads):
        if node.text("status") not in VOID:
            walk.used[node.path] = node
            yield node


def _product(walk: Walk, node: Node) -> AdministeredProduct:
    medication = walk.follow(node.get("medicationReference"))
    concept = node.get("medicationCodeableConcept") if medication is None else medication.get("code")
    dosage = node.get("dosage")
    named = tuple(one for one in codes(concept) if "://" not in one.system)
    displays = (one.display for one in named if one.display)
    label = concept.text("text") or next(displays, "") or ATC_NAMES.get(_group(named), "Produit")
    dose = dosage.get("dose")
    routes = (one for one in codes(dosage.get("route")) if "://" not in one.system)
    return AdministeredProduct(
        label=label,
        codes=named,
        route=next(routes, None),
        quantity=Quantity(value=dose.text("value"), unit=dose.text("code") or dose.text("unit"))
        if dose.text("value")
        else None,
        lot=medication.text("batch", "lotNumber") if medication is not None else "",
        comment="\n".join(filter(None, (one.text("text") for one in node.all("note")))),
    )


def _group(named: tuple[Code, ...]) -> str:
    return next((one.code[:3] for one in named if one.system == ATC), "")


def _given(act: Act, product: AdministeredProduct) -> Act:
    if _group(product.codes) in RADIOPHARMACEUTICALS:
        return replace(act, radiopharmaceuticals=(*act.radiopharmaceuticals, product))
    return replace(act, products=(*act.products, product))


# --- devices


def _devices(walk: Walk, report: Node) -> Iterator[Device]:
    """Devices of the Procedures that the studies of the report name."""
    for reference in report.all("imagingStudy"):
        study = walk.bundle.resolve(reference)
        for named in study.all("procedureReference") if study is not None else ():
            procedure = walk.follow(named)
            for used in procedure.all("usedReference") if procedure is not None else ():
                node = walk.follow(used)
                if node is not None and node.kind == "Device":
                    yield _device(walk, node)


def _device(walk: Walk, node: Node) -> Device:
    walk.trail.source("devices", node.path)
    carrier = node.get("udiCarrier")
    udi = carrier.text("carrierHRF") or carrier.text("deviceIdentifier")
    label = node.text("deviceName", "name") or node.get("type").text("text") or node.text("modelNumber")
    return Device(label=label or "Appareil d'imagerie", udi=Identifier(value=udi) if udi else None)
