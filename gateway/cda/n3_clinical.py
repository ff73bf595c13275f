"""Informations cliniques: why the exam was asked, history, contra-indications (cda.md §4, P.205)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.cda.entries import Place, coded_value, observation, typed
from gateway.cda.narrative import Cell, Narrative, open_section, reference, title_of, titled_blocks
from gateway.cda.tree import Element, allowed
from gateway.cda.vocabulary_n3 import CLINICAL, CONTRAINDICATIONS, HISTORY, REQUEST
from gateway.cda.writer import Writer
from gateway.model import wording
from gateway.model.imaging import ContraIndication
from gateway.model.narrative import Block
from gateway.model.report import ImagingReport, Section, SectionKind
from gateway.model.terms import LOINC, Code
from gateway.model.version import VersionIdentity

UNKNOWN: Final = "Non renseigné"

_MEDICAL: Final = Code(code="11348-0", system=LOINC, display="Antécédents médicaux")
_SURGICAL: Final = Code(code="47519-4", system=LOINC, display="Antécédents chirurgicaux")
_INDICATION: Final = Code(code="59768-2", system=LOINC, display="Indication de l'acte")
_CONTRAINDICATION: Final = Code(code="64100-1", system=LOINC, display="Contre-indications")


class Stated(NamedTuple):
    """A coded statement about the patient: what is stated (`code`), and its value."""

    label: str
    code: Code
    value: Code
    source: str
    target: str


Sections = dict[SectionKind, tuple[Section, ...]]


def clinical_information(
    out: Writer,
    body: Element,
    report: ImagingReport,
    sections: Sections,
    identity: VersionIdentity,
    more: Sequence[Stated] = (),
) -> None:
    """The section with its two sub-sections, both required. An indication alone is the justification."""
    asked = sections.get(SectionKind.REQUEST, ())
    indication = sections.get(SectionKind.CLINICAL, ())
    title = title_of(indication) if asked else ""
    section = open_section(out, body, CLINICAL, identity, title=title)
    own = Narrative(out, section)
    if asked:
        own.sections(indication, title)
    _request(out, section, asked or indication, report, identity)
    medical = (*sections.get(SectionKind.MEDICAL_HISTORY, ()), *sections.get(SectionKind.HISTORY, ()))
    history(
        out,
        section,
        identity,
        medical=medical,
        surgical=sections.get(SectionKind.SURGICAL_HISTORY, ()),
        contraindications=report.contraindications,
        written=sections.get(SectionKind.CONTRAINDICATIONS, ()),
        more=more,
    )


def _request(
    out: Writer,
    parent: Element,
    texts: Sequence[Section],
    report: ImagingReport,
    identity: VersionIdentity,
) -> None:
    """What the requester wrote; a reason that stands in the order alone is not lost."""
    title = title_of(texts)
    section = open_section(out, parent, REQUEST, identity, title=title)
    text = Narrative(out, section)
    text.sections(texts, title)
    words = "\n".join(section.text for section in texts)
    coded = [
        (code, f"orders[{place}].reasons[{number}]")
        for place, order in enumerate(report.orders)
        for number, code in enumerate(order.reasons)
    ]
    shown = {code.display for code, _ in coded}
    reasons = dict.fromkeys(order.reason for order in report.orders if order.reason)
    for reason in reasons:
        if reason not in words and reason not in shown:
            text.paragraph(reason)
    for number, (code, _) in enumerate(coded, 1):
        text.paragraph(wording.coded(code), f"motif-{number}")
    if not texts and not reasons and not coded:
        text.paragraph(UNKNOWN)
    for number, (code, source) in enumerate(coded, 1):
        _reason(Place(out, section, identity), code, source, number)


def _reason(place: Place, code: Code, source: str, number: int) -> None:
    """What was asked in words, which the sender's code translates: no value set of the volet holds it."""
    target = f"motif-{number}"
    node = observation(place, f"reason/{number}", _INDICATION, target)
    value = typed(place.out, node, "value", "CD")
    reference(place.out, value, target, "originalText")
    place.out.code(value, "translation", code, source)
    place.out.null(node, "targetSiteCode", "NA")


def history(
    out: Writer,
    parent: Element,
    identity: VersionIdentity,
    *,
    medical: Sequence[Section],
    surgical: Sequence[Section],
    contraindications: Sequence[ContraIndication],
    written: Sequence[Section] = (),
    more: Sequence[Stated] = (),
) -> Element:
    """FR-DICOM-Historique-medical: medical, surgical, contra-indications, each as text and observation.

    What nobody stated is said to be unknown: the observations are required (SCH). `more` are further coded
    statements, in an order.
    """
    section = open_section(out, parent, HISTORY, identity)
    text = Narrative(out, section)
    _past(text, "Antécédents médicaux", medical, "antecedents-medicaux")
    _past(text, "Antécédents chirurgicaux", surgical, "antecedents-chirurgicaux")
    text.heading("Contre-indications")
    if contraindications:
        rows = [_row(item, number) for number, item in enumerate(contraindications, 1)]
        text.table(("Contre-indication", "Commentaire"), rows)
    if written or not contraindications:
        text.blocks(
            titled_blocks(written, "Contre-indications") or (Block(text=UNKNOWN),), "contre-indications"
        )
    for stated in more:
        text.paragraph(stated.value.display or stated.value.code, stated.target, f"{stated.label} : ")
    place = Place(out, section, identity)
    _history_entry(place, "medical", _MEDICAL, "antecedents-medicaux", known=bool(medical))
    _history_entry(place, "surgical", _SURGICAL, "antecedents-chirurgicaux", known=bool(surgical))
    for number, item in enumerate(contraindications, 1):
        _coded_contraindication(place, item, number)
    if written or not contraindications:
        words = "\n".join(found.text for found in written) or UNKNOWN
        node = observation(place, "contraindications", _CONTRAINDICATION, "contre-indications")
        _said(place, node, words)
    for stated in more:
        node = observation(place, f"history/{stated.target}", stated.code, stated.target)
        coded_value(out, node, "value", stated.value, stated.source, stated.target)
        out.null(node, "targetSiteCode", "NA")
    return section


def _past(text: Narrative, title: str, sections: Sequence[Section], target: str) -> None:
    text.heading(title)
    text.blocks(titled_blocks(sections, title) or (Block(text=UNKNOWN),), target)


def _history_entry(place: Place, key: str, code: Code, target: str, *, known: bool) -> None:
    node = observation(place, f"history/{key}", code, target)
    if known:
        reference(place.out, typed(place.out, node, "value", "CD"), target, "originalText")
    else:
        typed(place.out, node, "value", "CD", nullFlavor="UNK")
    place.out.null(node, "targetSiteCode", "NA")


def _row(item: ContraIndication, number: int) -> tuple[Cell, Cell]:
    code = item.code
    label = f"{code.display or code.code} [{code.code}]" if code is not None else item.comment
    target = f"contre-indication-{number}"
    comment = item.comment if code is not None else ""
    return Cell(label, target), Cell(comment, f"{target}-commentaire" if comment else "")


def _coded_contraindication(place: Place, item: ContraIndication, number: int) -> None:
    """A value outside JDV 5.659, or none, is refused as a code: the words stand as a text value instead."""
    target = f"contre-indication-{number}"
    source = f"contraindications[{number - 1}]"
    told = f"{target}-commentaire" if item.code is not None and item.comment else target
    node = observation(place, f"contraindication/{number}", _CONTRAINDICATION, told)
    if item.code is not None and (item.code.system, item.code.code) in CONTRAINDICATIONS:
        coded_value(place.out, node, "value", item.code, f"{source}.code", target)
        place.out.null(node, "targetSiteCode", "NA")
        return
    if item.code is not None:
        place.out.find("N3-TEXT-ONLY", f"{source}.code", "contra-indication outside 1.2.250.1.213.1.1.5.659")
    _said(place, node, (item.code.display or item.code.code) if item.code is not None else item.comment)


def _said(place: Place, node: Element, words: str) -> None:
    """A value in words: the rules refuse a nullFlavor here but no other type than CD is checked (SCH)."""
    typed(place.out, node, "value", "ST").text = allowed(words)
    place.out.null(node, "targetSiteCode", "NA")
