"""Observations beside the narrative: doses, products given, devices, pregnancy, contra-indications.

The table `observation` tells doses, products and devices by OBX-3 (DCM codes of JDV 5.620, the volet
Téléradiologie, a site's own words); a report of text alone costs one glance at each OBX-2.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.hl7v2 import Segment
from gateway.mapping.code_rows import Hit
from gateway.mapping.code_tables import ObservationKind, Observed
from gateway.mapping.hl7_reader import Group, Reader
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
from gateway.model.terms import ATC, CIM10, CISIS_TERMS, SNOMED_CT, Code, Identifier

RADIOPHARMACEUTICALS: Final = ("V09", "V10")
"""ATC groups of radiopharmaceuticals, diagnostic and therapeutic (volet Téléradiologie)."""
SYSTEMS: Final = {
    **dict.fromkeys(("SCT", "SNM3", "SNOMED", "SNOMED-CT", SNOMED_CT), SNOMED_CT),
    **dict.fromkeys(("I10", "ICD10", "CIM10", "CIM-10", CIM10), CIM10),
    **dict.fromkeys(("ATC", "WC", ATC), ATC),
    **dict.fromkeys(("CIP", "CIP13", "1.2.250.1.213.2.3.2"), "1.2.250.1.213.2.3.2"),
    **dict.fromkeys(("UCD", "1.2.250.1.213.2.3.1"), "1.2.250.1.213.2.3.1"),
    **dict.fromkeys(("TA_CISIS", CISIS_TERMS), CISIS_TERMS),
}
"""CE.3 (HL7 table 0396 and French usage) → OID."""
_TERMS: Final = re.compile(r"(?:MED|GEN)-[\d.]+")
"""Codes of the CI-SIS terminology, which senders write without system."""
_ATC: Final = re.compile(r"V(?:0[89]|10)[A-Z0-9]{0,4}")
_AMOUNT: Final = re.compile(r"(?P<value>[<>]?\s*-?\d+(?:[.,]\d+)?)\s*(?P<unit>[^\d\s].*)?")
_UNITS: Final = {
    "ML": "mL",
    "mgy*cm": "mGy.cm",
    "mGy*cm": "mGy.cm",
    "mGycm": "mGy.cm",
    "sec": "s",
    "mn": "min",
}
"""Ways of writing that are not UCUM → UCUM."""
_PRODUCT, _LOT, _VOLUME = "1", "2", "3"
"""OBX-4 `n.m`: the m-th fact of the n-th product (volet Téléradiologie)."""

PREGNANCY: Final = {
    **dict.fromkeys(
        ("Y", "77386006", "LA15173-0"), Code(code="77386006", system=SNOMED_CT, display="Grossesse")
    ),
    **dict.fromkeys(
        ("N", "60001007", "LA26683-5"),
        Code(code="60001007", system=SNOMED_CT, display="Absence de grossesse"),
    ),
    **dict.fromkeys(
        ("U", "UNK", "ASKU", "NI", "261665006", "LA4489-6"),
        Code(code="261665006", system=SNOMED_CT, display="Inconnu"),
    ),
}
"""HL7 table 0532, SNOMED CT, LOINC answers → JDV 1.2.250.1.213.1.1.5.671."""
PREGNANT: Final = "B6"
"""PV1-15, HL7 table 0009: pregnant. Its other codes say nothing of a pregnancy."""


class Exam(NamedTuple):
    """What observations say: `acts` as given, with what belongs to them."""

    acts: tuple[Act, ...]
    devices: tuple[Device, ...] = ()
    pregnancy: Code | None = None
    contraindications: tuple[ContraIndication, ...] = ()


class _Seen(NamedTuple):
    segment: Segment
    hit: Hit[Observed]


def exam(groups: Iterable[Group], acts: tuple[Act, ...], reader: Reader, skip: frozenset[bytes]) -> Exam:
    """`acts` with their doses and products, and what is said of the patient.

    Acts stand in the order of the groups that name one (an OBR); observations of other groups are of the
    first act. `skip`: values of OBX-2 that are narrative, and read as such.
    """
    made = list(acts)
    devices: list[Device] = []
    against: list[ContraIndication] = []
    place = -1
    for group in groups:
        place += group.first("OBR") is not None
        seen = _observations(group, reader, skip)
        if not seen:
            continue
        at = min(max(place, 0), len(made) - 1)
        if made:
            made[at] = _told(made[at], f"acts[{at}]", seen, reader)
        devices += _devices(seen, reader, len(devices))
        against += _contraindications(seen, reader, len(against))
    return Exam(tuple(made), tuple(devices), _pregnancy(reader, skip), tuple(against))


def _observations(group: Group, reader: Reader, skip: frozenset[bytes]) -> list[_Seen]:
    """OBX with a row in the table, by OBX-3.1, .2 or .4. `group` is never the head of the message."""
    look_up = reader.profile.codes.observation
    found = []
    for segment in group.segments:
        if segment.name != "OBX" or segment.field(2) in skip or not segment.field(5):
            continue
        hit = look_up(segment.leaf(3), segment.leaf(3, 4), segment.leaf(3, 2))
        if hit is not None:
            reader.mark(segment, 2, 3, 4, 5, 6, 11)
            found.append(_Seen(segment, hit))
    return found


def _pregnancy(reader: Reader, skip: frozenset[bytes]) -> Code | None:
    """Stated in an observation or by PV1-15 (HL7 table 0009), whose other codes say nothing of it."""
    found = reader.find("pregnancy")
    if found is None or (found.segment.name == "OBX" and found.segment.field(2) in skip):
        return None
    stated = found.segment.name != "PV1"
    said = found.value.upper()
    code = PREGNANCY.get("Y" if said == PREGNANT else said if stated else "")
    if code is not None:
        reader.trail.source("pregnancy", found.location)
        reader.mark(found.segment, *((2, 3, 11) if stated else ()))
    elif stated:
        reader.trail.at("CODE-UNKNOWN", found.location, "pregnancy status")
    return code


def _contraindications(seen: list[_Seen], reader: Reader, before: int) -> list[ContraIndication]:
    """Coded (JDV 5.659), or in words."""
    made: list[ContraIndication] = []
    for segment, hit in seen:
        if hit.value.kind is ObservationKind.CONTRAINDICATION:
            code = _coded(segment)
            words = "" if code is not None else segment.leaf(5, 2) or segment.text(5).strip()
            reader.trail.source(f"contraindications[{before + len(made)}]", segment.location(5))
            made.append(ContraIndication(code=code, comment=words))
    return made


def _coded(segment: Segment) -> Code | None:
    """OBX-5 as a code with its system; None when it is words, or a code whose system nobody knows."""
    if segment.field(2) not in (b"CE", b"CWE", b"CNE"):
        return None
    code, display, system = segment.leaf(5), segment.leaf(5, 2), segment.leaf(5, 3).upper()
    known = SYSTEMS.get(system, "")
    if not known and _TERMS.fullmatch(code):
        known = CISIS_TERMS
    elif not known and not system and _ATC.fullmatch(code):
        known = ATC
    return Code(code=code, system=known, display=display) if code and known else None


# --- doses and products of one act


def _told(act: Act, path: str, seen: list[_Seen], reader: Reader) -> Act:
    doses = [
        dose
        for one in seen
        if one.hit.value.kind is ObservationKind.DOSE
        and (dose := _dose(one, f"{path}.exposure.doses", reader)) is not None
    ]
    products, tracers = _products(seen, path, reader)
    changes: dict[str, object] = {}
    if doses:
        known = act.exposure or RadiationExposure()
        changes["exposure"] = replace(known, doses=(*known.doses, *doses))
    if products:
        changes["products"] = (*act.products, *products)
    if tracers:
        changes["radiopharmaceuticals"] = (*act.radiopharmaceuticals, *tracers)
    return replace(act, **changes) if changes else act


def _dose(seen: _Seen, path: str, reader: Reader) -> RadiationDose | None:
    segment, row = seen.segment, seen.hit.value
    quantity = amount(segment.text(5), segment.leaf(6) or row.unit)
    if quantity is None:
        reader.trail.at("HL7-DATATYPE", segment.location(5), "no number")
        return None
    reader.trail.source(path, segment.location(5), seen.hit.rule)
    return RadiationDose(code=row.code, quantity=quantity)


def amount(text: str, unit: str) -> Quantity | None:
    """`905`, `905 mGy.cm`, `13,64` → a quantity; a unit in the text wins. None when it is no number."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    written = (found["unit"] or unit).strip()
    return Quantity(
        value=found["value"].replace(",", ".").replace(" ", ""), unit=_UNITS.get(written, written)
    )


def _products(
    seen: list[_Seen], path: str, reader: Reader
) -> tuple[list[AdministeredProduct], list[AdministeredProduct]]:
    """(contrast media and others, radiopharmaceuticals) of one act, by the number in OBX-4."""
    given: dict[str, AdministeredProduct] = {}
    for one in seen:
        if one.hit.value.kind is ObservationKind.PRODUCT:
            number, _, fact = one.segment.leaf(4).partition(".")
            key = number or str(one.segment.index)  # without OBX-4 each observation is a product
            reader.trail.source(f"{path}.products", one.segment.location(5), one.hit.rule)
            given[key] = _product(given.get(key) or AdministeredProduct(label=""), one.segment, fact)
    kinds: tuple[list[AdministeredProduct], list[AdministeredProduct]] = ([], [])
    for product in given.values():
        named = (
            product if product.label else replace(product, label=ATC_NAMES.get(_group(product), "Produit"))
        )
        kinds[_group(product) in RADIOPHARMACEUTICALS].append(named)
    return kinds


ATC_NAMES: Final = {
    "V08": "Produit de contraste",
    "V09": "Produit radiopharmaceutique à usage diagnostique",
    "V10": "Produit radiopharmaceutique à usage thérapeutique",
}


def _group(product: AdministeredProduct) -> str:
    return next((code.code[:3] for code in product.codes if code.system == ATC), "")


def _product(known: AdministeredProduct, segment: Segment, fact: str) -> AdministeredProduct:
    if fact == _LOT:
        return replace(known, lot=segment.text(5).strip())
    if fact == _VOLUME:
        quantity = amount(segment.text(5), segment.leaf(6))
        return replace(known, quantity=quantity) if quantity else known
    code = _coded(segment)
    label = segment.leaf(5, 2) or ("" if code is not None else segment.leaf(5))
    return replace(known, label=label, codes=(*known.codes, code) if code is not None else known.codes)


def _devices(seen: list[_Seen], reader: Reader, before: int) -> list[Device]:
    """n.1: UDI; n.2: model (volet Téléradiologie, APPAREIL_IMAGERIE)."""
    made: dict[str, Device] = {}
    for one in seen:
        if one.hit.value.kind is ObservationKind.DEVICE:
            number, _, fact = one.segment.leaf(4).partition(".")
            known = made.get(number) or Device(label="")
            reader.trail.source(f"devices[{before + len(made)}]", one.segment.location(5))
            text = one.segment.text(5).strip()
            told = replace(known, label=text) if fact != "1" else replace(known, udi=Identifier(value=text))
            made[number] = told
    return [one if one.label else replace(one, label="Appareil d'imagerie") for one in made.values()]
