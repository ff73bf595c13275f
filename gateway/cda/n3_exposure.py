"""Exposition aux rayonnements: who authorised it, pregnancy, doses, radiopharmaceuticals (P.215)."""

from collections.abc import Sequence
from typing import Final

from gateway.cda.entries import (
    Place,
    coded_value,
    entry_act,
    measure,
    observation,
    product,
    site,
    typed,
)
from gateway.cda.header_people import person_name
from gateway.cda.narrative import Cell, Narrative, open_section, reference, title_of
from gateway.cda.products import product_row, sites_of
from gateway.cda.tree import Element
from gateway.cda.vocabulary_n3 import (
    ENTRIES,
    EXPOSURE,
    NOT_PREGNANT,
    PREGNANCY,
    PREGNANCY_UNKNOWN,
)
from gateway.cda.writer import Writer
from gateway.model import wording
from gateway.model.imaging import AdministeredProduct, RadiationDose, RadiationExposure
from gateway.model.people import Practitioner, Sex
from gateway.model.report import ImagingReport, Section
from gateway.model.terms import DCM, PS_IDNAT, SNOMED_CT, Code
from gateway.model.version import ReportVersion

_EXPOSURE: Final = Code(code="121290", system=DCM, display="Exposition du patient aux rayonnements ionisants")
_AUTHORISATION: Final = Code(code="113850", system=DCM, display="Autorisation d'irradiation")
_PREGNANCY: Final = Code(code="364320009", system=SNOMED_CT, display="Statut de grossesse")
_RADIOPHARMACEUTICAL: Final = Code(
    code="440252007", system=SNOMED_CT, display="Administration de produits radiopharmaceutiques"
)


def exposure(
    out: Writer, parent: Element, version: ReportVersion, index: int, written: Sequence[Section]
) -> None:
    """The sub-section of one act, when the report says anything of it.

    Authorisation and pregnancy are required in it, of men too (IHE.sch, measured).
    """
    report, identity = version.report, version.identity
    act, prefix = report.acts[index], f"acte-{index + 1}"
    if not (written or act.exposure or act.radiopharmaceuticals or _pregnancy_alone(report, index)):
        return
    found = act.exposure or RadiationExposure()
    title = title_of(written)
    section = open_section(out, parent, EXPOSURE, identity, title=title, index=index + 1)
    who, who_source = _authorising(report, found, index)
    status = _pregnancy(report)
    text = Narrative(out, section)
    text.paragraph(wording.person(who), f"{prefix}-exposition", "Autorisation : ")
    text.paragraph(status.display, f"{prefix}-grossesse", "Statut de grossesse : ")
    if report.pregnancy is not None and report.pregnancy.code != status.code:
        text.paragraph(f"{report.pregnancy.display} [{report.pregnancy.code}]".strip())
        out.find("N3-TEXT-ONLY", "pregnancy", "pregnancy status outside 1.2.250.1.213.1.1.5.671")
    if found.doses:
        sites = sites_of(act)
        text.table(
            ("Mesure", "Localisation", "Quantité"),
            [_dose_row(dose, sites, f"{prefix}-mesure-{item}") for item, dose in enumerate(found.doses, 1)],
        )
    if act.radiopharmaceuticals:
        header = ("Produit radiopharmaceutique", "Codes", "Activité", "Voie d'administration")
        text.table(
            (*header, "Numéro de lot", "Commentaire"),
            [
                product_row(item, f"{prefix}-radiopharmaceutique-{place}")
                for place, item in enumerate(act.radiopharmaceuticals, 1)
            ],
        )
    text.sections(written, title)
    place = Place(out, section, identity)
    _authorisation(place, who, who_source, prefix)
    _pregnancy_entry(place, status, prefix, "pregnancy" if report.pregnancy else "patient.sex")
    source = f"acts[{index}]"
    for item, dose in enumerate(found.doses):
        path = f"{source}.exposure.doses[{item}]"
        _dose(place, dose, sites_of(act)[0], path, f"{prefix}-mesure-{item + 1}")
    for item, given in enumerate(act.radiopharmaceuticals):
        path = f"{source}.radiopharmaceuticals[{item}]"
        _radiopharmaceutical(place, given, path, f"{prefix}-radiopharmaceutique-{item + 1}")


def _pregnancy_alone(report: ImagingReport, index: int) -> bool:
    """A stated pregnancy status goes with the first act when no act tells of an exposure."""
    told = any(act.exposure or act.radiopharmaceuticals for act in report.acts)
    return report.pregnancy is not None and index == 0 and not told


def _authorising(report: ImagingReport, found: RadiationExposure, index: int) -> tuple[Practitioner, str]:
    """Who justified the exposure: as named, else the radiologist who did the act."""
    if found.authorized_by is not None:
        return found.authorized_by, f"acts[{index}].exposure.authorized_by"
    if report.authors:
        return report.authors[0], "authors[0]"
    return report.legal_authenticator or Practitioner(), "legal_authenticator"


def _authorisation(place: Place, who: Practitioner, source: str, prefix: str) -> None:
    """FR-DICOM-Exposition-patient (E.165)."""
    out = place.out
    node = out.add(out.add(place.section, "entry"), "procedure", classCode="PROC", moodCode="EVN")
    out.add(node, "templateId", root=ENTRIES + "165")
    code = out.code(node, "code", _EXPOSURE, "")
    reference(out, code, f"{prefix}-exposition", "originalText")
    role = out.add(out.add(node, "participant", typeCode="RESP"), "participantRole")
    if who.id:
        out.add(role, "id", "", f"{source}.id", root=PS_IDNAT, extension=who.id)
    else:
        out.null(role, "id")
    out.code(role, "code", _AUTHORISATION, "")
    person_name(out, out.add(role, "playingEntity"), who, source)


def _pregnancy(report: ImagingReport) -> Code:
    """As stated, within JDV 5.671; unstated it is absent of a man and unknown of anybody else."""
    stated = report.pregnancy
    if stated is not None and stated.code in PREGNANCY:
        return Code(code=stated.code, system=SNOMED_CT, display=stated.display or PREGNANCY[stated.code])
    code = NOT_PREGNANT if report.patient.sex is Sex.MALE else PREGNANCY_UNKNOWN
    return Code(code=code, system=SNOMED_CT, display=PREGNANCY[code])


def _pregnancy_entry(place: Place, status: Code, prefix: str, source: str) -> None:
    node = observation(place, f"pregnancy/{prefix}", _PREGNANCY, f"{prefix}-grossesse")
    coded_value(place.out, node, "value", status, source, f"{prefix}-grossesse")
    place.out.null(node, "targetSiteCode", "NA")


def _dose_row(dose: RadiationDose, sites: tuple[Code, ...], target: str) -> tuple[Cell, ...]:
    where = dose.site or sites[0]
    label = dose.code.display or wording.DOSES.get(dose.code.code, "")
    return (
        Cell(f"{label} [DCM : {dose.code.code}]" if label else dose.code.code, target),
        Cell(where.display or where.code, f"{target}-localisation"),
        Cell(wording.quantity(dose.quantity)),
    )


def _dose(place: Place, dose: RadiationDose, default: Code, source: str, target: str) -> None:
    """FR-DICOM-Quantite (E.154): all its parts are checked by the rules; what does not fit stays text."""
    out, value = place.out, measure(dose.quantity)
    if dose.code.code not in wording.DOSES or value is None:
        out.find("N3-TEXT-ONLY", source, _why_words(dose))
        return
    node = place.entry(
        "observation", target, "2.16.840.1.113883.10.20.6.2.14", ENTRIES + "154", classCode="OBS"
    )
    display = dose.code.display or wording.DOSES[dose.code.code]
    out.code(node, "code", Code(code=dose.code.code, system=DCM, display=display), f"{source}.code")
    reference(out, node, target)
    out.add(node, "statusCode", code="completed")
    typed(out, node, "value", "PQ", value=value.value, unit=value.unit)
    site(out, node, dose.site or default, f"{source}.site", f"{target}-localisation")


def _why_words(dose: RadiationDose) -> str:
    if dose.code.code not in wording.DOSES:
        return "no dose code of 1.2.250.1.213.1.1.5.620"
    if dose.quantity.unit.replace("²", "2").endswith("2"):
        return "the unit list of the official rules holds no dose area product (Gy.cm2, Gy.m2)"
    return "no number with a unit that the official rules list (mGy, mGy.cm, Gy, Sv, Bq, s…)"


def _radiopharmaceutical(place: Place, given: AdministeredProduct, source: str, target: str) -> None:
    """FR-DICOM-Administration-radiopharmaceutique (E.173): no id in its template."""
    out = place.out
    entry = out.add(place.section, "entry")
    node = entry_act(out, entry, "substanceAdministration", "", ENTRIES + "173", classCode="SBADM")
    out.code(node, "code", _RADIOPHARMACEUTICAL, "")
    product(out, node, given, source, target)
