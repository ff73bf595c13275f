"""Entries shared by several sections of the imaging volets: observations, quantities, products, comments."""

import re
from decimal import Decimal
from typing import Final, NamedTuple

from gateway.cda.narrative import reference
from gateway.cda.tree import Element
from gateway.cda.vocabulary_n3 import DOSE_UNITS, ENTRIES, PRODUCT_UNITS, TOPOGRAPHY
from gateway.cda.writer import Writer
from gateway.model.imaging import AdministeredProduct, Quantity
from gateway.model.terms import LOINC, SNOMED_CT, Code
from gateway.model.version import VersionIdentity

_TYPE: Final = "xsi:type"
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
_COMMENT: Final = Code(code="48767-8", system=LOINC, display="Commentaire")


class Place(NamedTuple):
    """Where an entry goes, and what names its id: `key` is unique in the version."""

    out: Writer
    section: Element
    identity: VersionIdentity

    def entry(self, tag: str, key: str, *templates: str, **attributes: str) -> Element:
        """entry/<tag> with templateIds and id; attributes default to those of an event."""
        node = self.out.add(self.section, "entry")
        return entry_act(self.out, node, tag, self.identity.oid(f"entry/{key}"), *templates, **attributes)


def entry_act(
    out: Writer, parent: Element, tag: str, root: str, *templates: str, **attributes: str
) -> Element:
    """An act of the right-hand side of the CDA model; `root` is its id, "" for none."""
    attributes.setdefault("moodCode", "EVN")
    node = out.add(parent, tag, "", "", **attributes)
    for template in templates:
        out.add(node, "templateId", root=template)
    if root:
        out.add(node, "id", root=root)
    return node


def typed(out: Writer, parent: Element, tag: str, kind: str, /, **attributes: str) -> Element:
    """An element whose data type stands in xsi:type."""
    node = out.add(parent, tag, "", "", **attributes)
    node.set(_TYPE, kind)
    return node


def coded_value(out: Writer, parent: Element, tag: str, code: Code, source: str, target: str = "") -> Element:
    """A CD with xsi:type and its originalText."""
    node = out.code(parent, tag, code, source)
    node.set(_TYPE, "CD")
    if target:
        reference(out, node, target, "originalText")
    return node


def observation(place: Place, key: str, code: Code, target: str) -> Element:
    """FR-DICOM-Observation (E.150) up to its statusCode; value and targetSiteCode follow."""
    node = place.entry("observation", key, "2.16.840.1.113883.10.20.6.2.13", ENTRIES + "150", classCode="OBS")
    place.out.code(node, "code", code, "")
    reference(place.out, node, target)
    place.out.add(node, "statusCode", code="completed")
    return node


def site(
    out: Writer,
    parent: Element,
    found: Code,
    source: str,
    target: str = "",
    modifier: Code | None = None,
) -> None:
    """targetSiteCode of JDV 5.694 with its topographic modifier."""
    node = coded_value(out, parent, "targetSiteCode", _snomed(found), source, target)
    if modifier is not None:
        qualifier = out.add(node, "qualifier")
        out.code(qualifier, "name", TOPOGRAPHY, "")
        out.code(qualifier, "value", modifier, "")


def _snomed(code: Code) -> Code:
    return Code(code=code.code, system=code.system or SNOMED_CT, display=code.display)


def comment(out: Writer, parent: Element, target: str) -> None:
    """FR-Commentaire-ER (E.32) on the act that holds it."""
    node = out.add(parent, "entryRelationship", typeCode="SUBJ", inversionInd="true")
    templates = ("2.16.840.1.113883.10.20.1.40", "1.3.6.1.4.1.19376.1.5.3.1.4.2", ENTRIES + "32")
    node = entry_act(out, node, "act", "", *templates, classCode="ACT")
    out.code(node, "code", _COMMENT, "")
    reference(out, node, target)
    out.add(node, "statusCode", code="completed")


def amount(quantity: Quantity | None) -> Quantity | None:
    """The quantity of a product as PQ takes it, None when it is no number or its unit is not known."""
    value = _decimal(quantity)
    if quantity is None or value is None or quantity.unit not in PRODUCT_UNITS:
        return None
    return Quantity(value=value, unit=quantity.unit)


def measure(quantity: Quantity) -> Quantity | None:
    """A measured dose in a unit that the rules accept, exactly converted; None when there is no such unit."""
    value = _decimal(quantity)
    if value is None or quantity.unit not in DOSE_UNITS:
        return None
    unit, factor = DOSE_UNITS[quantity.unit]
    if factor != "1":
        value = format((Decimal(value) * Decimal(factor)).normalize(), "f")
    return Quantity(value=value, unit=unit)


def _decimal(quantity: Quantity | None) -> str | None:
    value = quantity.value.strip().replace(",", ".") if quantity is not None else ""
    return value if _NUMBER.fullmatch(value) else None


def product(out: Writer, parent: Element, found: AdministeredProduct, source: str, target: str) -> None:
    """routeCode, doseQuantity, consumable: the shared end of both administrations (E.151, E.173)."""
    if found.route is not None:
        out.code(parent, "routeCode", found.route, f"{source}.route")
    dose = amount(found.quantity)
    if dose is not None:
        out.add(parent, "doseQuantity", "", f"{source}.quantity", value=dose.value, unit=dose.unit)
    elif found.quantity is not None:
        out.find("N3-TEXT-ONLY", f"{source}.quantity", "no number with a UCUM unit")
    consumable = out.add(parent, "consumable", typeCode="CSM")
    material = out.add(out.add(consumable, "manufacturedProduct", classCode="MANU"), "manufacturedMaterial")
    code = out.add(material, "code")
    reference(out, code, target, "originalText")
    for index, item in enumerate(found.codes):
        out.code(code, "translation", item, f"{source}.codes[{index}]")
    out.text(material, "name", found.label, f"{source}.label")
    out.text(material, "lotNumberText", found.lot, f"{source}.lot")
    if found.comment:
        comment(out, parent, f"{target}-commentaire")
