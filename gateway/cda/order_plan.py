"""What an order asks for and what the patient was told: the sections of IMG-DA-IMG alone (cda.md §6)."""

from typing import Final

from gateway.cda.entries import Place, coded_value, comment, entry_act, site, typed
from gateway.cda.narrative import Cell, Narrative, open_section, reference
from gateway.cda.products import sites_of
from gateway.cda.tree import Element
from gateway.cda.vocabulary_n3 import EDUCATION, ENTRIES, PLAN, SIDES
from gateway.cda.writer import Writer
from gateway.model.order import ImagingOrder
from gateway.model.report import Act
from gateway.model.terms import CISIS_TERMS, DCM, SNOMED_CT, Code
from gateway.model.version import VersionIdentity

_SIMPLE: Final = ("1.3.6.1.4.1.19376.1.5.3.1.4.13", ENTRIES + "48")
_RISKS: Final = Code(code="MED-1130", system=CISIS_TERMS, display="Patient informé des risques de l'examen")
_FUNCTION: Final = Code(code="MED-1133", system=CISIS_TERMS, display="Fonction étudiée")
_INJECTION: Final = Code(
    code="MED-1153", system=CISIS_TERMS, display="Avec injection de produit de contraste"
)
_URGENT: Final = Code(code="UR", system="2.16.840.1.113883.5.7", display="Urgent")
_INFORMED: Final = {True: "Oui", False: "Non", None: "Non renseigné"}

_DCM_WANTED: Final = {
    "CT": "Scanner",
    "MR": "IRM",
    "MG": "Mammographie",
    "NM": "Scintigraphie",
    "PT": "TEP : tomographie par émission de positons",
    "OT": "Autre technique d'imagerie",
}
_CISIS_WANTED: Final = {
    "MED-1126": "Radiographie sans contraste",
    "MED-1127": "Radiographie avec contraste",
    "MED-1128": "Échographie sans contraste",
    "MED-1129": "Échographie avec contraste",
}
_BY_CONTRAST: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(("DX", "CR", "RG", "PX", "IO"), ("MED-1126", "MED-1127")),
    "RF": ("MED-1127", "MED-1127"),
    "US": ("MED-1128", "MED-1129"),
}
"""DCM modality → code of JDV 5.660 without and with contrast medium."""

_OTHER_FUNCTION: Final = {
    "NM": Code(code="GEN-092.04.19", system=CISIS_TERMS, display="Autre fonction étudiée"),
    "PT": Code(code="GEN-092.04.18", system=CISIS_TERMS, display="Autre"),
}
"""NM and PT must name a function (JDV 5.669, 5.668): this one when the order names none."""

_URGENT_PRIORITIES: Final = frozenset({"S", "A", "ST", "UR", "STAT", "ASAP"})
"""HL7 table 0485 and its long forms."""


_PRIORITIES: Final = {
    **dict.fromkeys(("S", "ST", "STAT"), "immédiatement"),
    **dict.fromkeys(("A", "ASAP"), "dès que possible"),
    "UR": "urgent",
    "R": "sans urgence",
    "P": "avant une intervention",
    "C": "sur rappel",
    "T": "à une heure fixée",
}
"""HL7 table 0485."""


def wanted_modality(act: Act) -> Code | None:
    """The code of JDV 5.660 for the act's first modality; None when it names none."""
    if not act.modalities:
        return None
    code = act.modalities[0].code
    if code in _CISIS_WANTED:
        return Code(code=code, system=CISIS_TERMS, display=_CISIS_WANTED[code])
    if code in _BY_CONTRAST:
        plain = _BY_CONTRAST[code][1 if act.products else 0]
        return Code(code=plain, system=CISIS_TERMS, display=_CISIS_WANTED[plain])
    known = code if code in _DCM_WANTED else "OT"
    return Code(code=known, system=DCM, display=_DCM_WANTED[known])


def informed(out: Writer, body: Element, order: ImagingOrder, identity: VersionIdentity) -> None:
    """FR-Education-du-patient: was the patient told of the risks? Required; NASK when nobody said."""
    section = open_section(out, body, EDUCATION, identity)
    text = Narrative(out, section)
    text.paragraph(_INFORMED[order.informed_of_risks], "risques", f"{_RISKS.display} : ")
    node = Place(out, section, identity).entry("observation", "risks", *_SIMPLE, classCode="OBS")
    out.code(node, "code", _RISKS, "")
    reference(out, node, "risques")
    out.add(node, "statusCode", code="completed")
    _time(out, node, order)
    if order.informed_of_risks is None:
        typed(out, node, "value", "BL", nullFlavor="NASK")
    else:
        typed(out, node, "value", "BL", value=str(order.informed_of_risks).lower())


def _time(out: Writer, node: Element, order: ImagingOrder) -> None:
    if not out.time(node, "effectiveTime", order.requested_at, "requested_at"):
        out.null(node, "effectiveTime")


def plan(out: Writer, body: Element, order: ImagingOrder, identity: VersionIdentity) -> None:
    """FR-Plan-de-soins-IMG-DA: one observation for each act asked for (E.27.3)."""
    section = open_section(out, body, PLAN, identity)
    text = Narrative(out, section)
    header = ("Modalité de l'examen", "Localisation anatomique", "Précision topographique", "Commentaire")
    text.table(header, [_row(act, f"acte-{number}") for number, act in enumerate(order.acts, 1)])
    urgent = order.priority.upper() in _URGENT_PRIORITIES
    if urgent:
        text.paragraph(_priority(order), "urgence", "Demande urgente : ")
    elif order.priority:
        text.paragraph(f"Priorité : {_priority(order)}")
    for label, words in (("Protocole", order.protocol), ("Annulation", order.cancellation)):
        if words:
            text.paragraph(f"{label} : {words}")
    place = Place(out, section, identity)
    for index, act in enumerate(order.acts):
        _wanted(place, act, f"acts[{index}]", f"acte-{index + 1}", urgent=urgent, order=order)


def _priority(order: ImagingOrder) -> str:
    """`dès que possible [A]`: the code as received stays beside its French words."""
    word = _PRIORITIES.get(order.priority.upper(), "")
    return f"{word} [{order.priority}]" if word else order.priority


def _row(act: Act, prefix: str) -> tuple[Cell, ...]:
    modality = wanted_modality(act)
    side = act.laterality
    told = [f"{item.display or item.code} [{item.code}]" for item in (act.code, act.ccam, act.local) if item]
    told += [item.label for item in act.products]
    words = "\n".join(filter(None, (act.label, *told, act.parameters)))
    return (
        Cell(modality.display if modality else "", f"{prefix}-modalite"),
        Cell("\n".join(item.display or item.code for item in sites_of(act)), f"{prefix}-localisation"),
        Cell((side.display or SIDES.get(side.code, side.code)) if side else ""),
        Cell(words, f"{prefix}-commentaire"),
    )


def _wanted(place: Place, act: Act, source: str, prefix: str, *, urgent: bool, order: ImagingOrder) -> None:
    out = place.out
    node = place.entry(
        "observation",
        f"wanted/{prefix}",
        *("1.3.6.1.4.1.19376.1.5.3.1.1.20.3.1", "2.16.840.1.113883.10.20.1.25"),
        *(ENTRIES + "27", ENTRIES + "27.3"),
        classCode="OBS",
        moodCode="INT",
    )
    modality = wanted_modality(act)
    assert modality is not None, "order_possible has looked"
    code = out.code(node, "code", modality, f"{source}.modalities[0]")
    reference(out, code, f"{prefix}-modalite", "originalText")
    if act.products and modality.code in ("CT", "MR", "PT"):
        out.code(out.add(code, "qualifier"), "value", _INJECTION, "")
    reference(out, node, f"{prefix}-modalite")
    out.add(node, "statusCode", code="active")
    if not out.time(node, "effectiveTime", act.start, f"{source}.start"):
        out.null(node, "effectiveTime")
    if urgent:
        reference(out, out.code(node, "priorityCode", _URGENT, "priority"), "urgence", "originalText")
    modifier = _modifier(out, act, source)
    wanted = sites_of(act)
    for index, found in enumerate(wanted):
        path = f"{source}.sites[{index}]" if act.sites else f"{source}.regions"
        site(out, node, found, path, f"{prefix}-localisation", modifier if index == 0 else None)
    if modifier is not None and len(wanted) > 1:
        # One qualifier for all sites together (S_PlanDeSoins, count = 1).
        out.find("N3-TEXT-ONLY", f"{source}.laterality", "the side is coded on the first site alone")
    comment(out, node, f"{prefix}-commentaire")
    if modality.code in _OTHER_FUNCTION:
        _function(place, node, act, source, prefix, modality.code)


def _modifier(out: Writer, act: Act, source: str) -> Code | None:
    """JDV 5.688, of which the sides are the usual ones."""
    side = act.laterality
    if side is None:
        return None
    if side.code not in SIDES:
        out.find("N3-TEXT-ONLY", f"{source}.laterality", "no side of 1.2.250.1.213.1.1.5.688")
        return None
    return Code(code=side.code, system=SNOMED_CT, display=side.display or SIDES[side.code])


def _function(place: Place, parent: Element, act: Act, source: str, prefix: str, modality: str) -> None:
    """FR-Simple-Observation MED-1133; an order that names no function says « autre », with a finding."""
    out = place.out
    if act.function is None:
        out.find("N3-TEXT-ONLY", f"{source}.function", "no function studied is named")
    relation = out.add(parent, "entryRelationship", typeCode="COMP")
    root = place.identity.oid(f"entry/function/{prefix}")
    node = entry_act(out, relation, "observation", root, *_SIMPLE, classCode="OBS")
    out.code(node, "code", _FUNCTION, "")
    reference(out, node, f"{prefix}-modalite")
    out.add(node, "statusCode", code="completed")
    out.null(node, "effectiveTime")
    found = act.function or _OTHER_FUNCTION[modality]
    value = Code(code=found.code, system=CISIS_TERMS, display=found.display)
    coded_value(out, node, "value", value, f"{source}.function")
