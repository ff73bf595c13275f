"""What the page says of an exam beside the sender's words: side, products, doses, the patient's state."""

from typing import Final

from gateway.model import wording
from gateway.model.imaging import AdministeredProduct, Device
from gateway.model.letter import LetterSection
from gateway.model.narrative import Block
from gateway.model.report import Act, ImagingReport, SectionKind
from gateway.model.terms import Code
from gateway.model.wording import NBSP

TITLE: Final = "Données de l'examen"
_BEFORE: Final = frozenset(
    {
        SectionKind.REPORT,
        SectionKind.REQUEST,
        SectionKind.CLINICAL,
        SectionKind.HISTORY,
        SectionKind.MEDICAL_HISTORY,
        SectionKind.SURGICAL_HISTORY,
        SectionKind.CONTRAINDICATIONS,
        SectionKind.PROCEDURE,
        SectionKind.COMPLICATIONS,
        SectionKind.EXPOSURE,
    }
)
"""Sections that stand before these facts; the others, from the results on, follow them."""


def with_exam(sections: tuple[LetterSection, ...], report: ImagingReport) -> tuple[LetterSection, ...]:
    """`sections`, which run parallel to those of the report that say something, and the facts among them."""
    rows = _rows(report)
    if not rows:
        return sections
    kinds = [section.kind for section in report.sections if section.text.strip() or section.blocks]
    led = len(sections) - len(kinds)  # a reason that stands in the order alone leads
    place = led + max((number for number, kind in enumerate(kinds, 1) if kind in _BEFORE), default=0)
    facts = LetterSection(title=TITLE, blocks=(Block(rows=rows),))
    return (*sections[:place], facts, *sections[place:])


def _rows(report: ImagingReport) -> wording.Rows:
    """(label, value) of each fact; several acts are told apart by their label."""
    rows: list[tuple[str, str]] = []
    for act in report.acts:
        named = f"{act.label} – " if len(report.acts) > 1 and act.label else ""
        rows += [(f"{named}{label}", value) for label, value in _of_act(act)]
    against = [
        ": ".join(filter(None, (_words(one.code) if one.code else "", one.comment)))
        for one in report.contraindications
    ]
    reasons = (wording.coded(code) for order in report.orders for code in order.reasons)
    rows += [
        ("Motif codé de la demande", "\n".join(dict.fromkeys(reasons))),
        ("Statut de grossesse", _words(report.pregnancy) if report.pregnancy else ""),
        ("Contre-indications", "\n".join(against)),
        ("Dispositifs et appareils", "\n".join(map(_device, report.devices))),
    ]
    return wording.filled(rows)


def _of_act(act: Act) -> list[tuple[str, str]]:
    rows = [("Côté", _words(act.laterality) if act.laterality else "")]
    rows.append(("Fonction étudiée", _words(act.function) if act.function else ""))
    rows += [("Produit administré", _product(one)) for one in act.products]
    rows += [("Produit radiopharmaceutique", _product(one)) for one in act.radiopharmaceuticals]
    for dose in act.exposure.doses if act.exposure else ():
        where = f" ({_words(dose.site)})" if dose.site else ""
        label = dose.code.display or wording.DOSES.get(dose.code.code, dose.code.code)
        rows.append((f"{label}{where}", wording.quantity(dose.quantity).replace(" ", NBSP)))
    if act.exposure is not None and act.exposure.authorized_by is not None:
        rows.append(("Exposition autorisée par", wording.person(act.exposure.authorized_by)))
    return rows


def _product(found: AdministeredProduct) -> str:
    """`Iobitridol 350, 80 mL, voie intraveineuse, lot LOT-7`, then the comment on a line of its own."""
    names = [found.label, *(one.display for one in found.codes if one.display != found.label)]
    parts = [
        *names,
        wording.quantity(found.quantity).replace(" ", NBSP),
        _words(found.route) if found.route else "",
        f"lot {found.lot}" if found.lot else "",
    ]
    return "\n".join(filter(None, (", ".join(filter(None, parts)), found.comment)))


def _device(found: Device) -> str:
    return f"{found.label} (IUD {found.udi.value})" if found.udi else found.label


def _words(code: Code) -> str:
    return code.display or code.code
