"""Catalogue d'objets DICOM: study → one series → one pointer (P.217, E.155–E.157)."""

from typing import Final

from gateway.cda.entries import Place, entry_act
from gateway.cda.narrative import Cell, Narrative, open_section, reference
from gateway.cda.tree import Element
from gateway.cda.vocabulary import MODALITIES
from gateway.cda.vocabulary_n3 import CATALOGUE, ENTRIES, MODALITY_NAME, SOP_CLASSES
from gateway.cda.writer import UID, Writer
from gateway.model import viewer, wording
from gateway.model.base import replace
from gateway.model.report import ImagingReport, ImagingSeries, ImagingStudy
from gateway.model.terms import DCM, Code
from gateway.model.version import ReportVersion

NO_OBJECTS: Final = "Aucun objet DICOM référencé."
_STUDY: Final = Code(code="113014", system=DCM, display="Examen")
_SERIES: Final = Code(code="113015", system=DCM, display="Série")


def catalogue(out: Writer, parent: Element, version: ReportVersion, index: int) -> None:
    """Studies of one act; the section is required, with a text, even when no study is known.

    One generic series with one pointer stands for each study: the rules allow exactly one (SCH). What the
    message does not tell of them is UNK, never made up.
    """
    report, identity = version.report, version.identity
    section = open_section(out, parent, CATALOGUE, identity, index=index + 1)
    text = Narrative(out, section)
    found = studies_of(report, index)
    if not found:
        text.paragraph(NO_OBJECTS)
        return
    modalities = report.acts[index].modalities
    shown = [(study, f"examen-{index + 1}-{number}") for number, (study, _) in enumerate(found, 1)]
    header = ("Examen", "Modalité d'acquisition", "Date", "N° d'examen", "Images")
    links = [viewer.link(version, study) if _valid(study) else "" for study, _ in shown]
    rows = [_row(study, modalities, target, link) for (study, target), link in zip(shown, links, strict=True)]
    text.table(header, rows)
    place = Place(out, section, identity)
    for (study, source), (_, target), link in zip(found, shown, links, strict=True):
        if _valid(study):
            dated = replace(study, started=study.started or report.acts[index].start)
            _study(place, dated, source, _modality(study, modalities), target, link)
        else:
            out.find("STUDY-UID-FORM", f"{source}.uid")


def _valid(study: ImagingStudy) -> bool:
    return UID.fullmatch(study.uid) is not None and len(study.uid) <= 64


def studies_of(report: ImagingReport, index: int) -> tuple[tuple[ImagingStudy, str], ...]:
    """(study, canonical path) of one act: those that it names, and for the first act those nobody names."""
    own = report.acts[index].study_uid
    named = {item.study_uid for item in report.acts if item.study_uid}
    listed = [(study, f"studies[{place}]") for place, study in enumerate(report.studies)]
    found = [
        (study, path) for study, path in listed if study.uid == own or (index == 0 and study.uid not in named)
    ]
    if own and all(study.uid != own for study, _ in found):
        started = report.acts[index].start
        found.insert(0, (ImagingStudy(uid=own, started=started), f"acts[{index}].study_uid"))
    return tuple(found)


def _modality(study: ImagingStudy, of_act: tuple[Code, ...]) -> Code:
    """Modality of the series: its own, the study's, else the act's; the rules demand one of JDV 5.618."""
    series = study.series[0].modality if study.series else ""
    for code in (series, *study.modalities):
        if code in MODALITIES:
            display = next((item.display for item in of_act if item.code == code), "")
            return Code(code=code, system=DCM, display=display or wording.modality(code))
    return Code(code=of_act[0].code, system=DCM, display=of_act[0].display)


def _row(study: ImagingStudy, modalities: tuple[Code, ...], target: str, link: str) -> tuple[Cell, ...]:
    modality = _modality(study, modalities)
    named = dict.fromkeys((*study.modalities, *(series.modality for series in study.series[:1])))
    others = [f"{wording.modality(code)} [{code}]" for code in named if code not in ("", modality.code)]
    lines = [study.uid, study.description, *(series.uid for series in study.series[:1])]
    if not _valid(study):  # no entry will hold them
        lines += [uid for one in study.series[:1] for uid in (one.sop_class_uid, one.instance_uid)]
    return (
        Cell("\n".join(filter(None, lines)), target),
        Cell("\n".join([f"{modality.display} [{modality.code}]".strip(), *others]), f"{target}-modalite"),
        Cell(study.started.strftime("%d/%m/%Y") if study.started else ""),
        Cell(study.accession.value if study.accession else ""),
        Cell(link, f"{target}-images"),
    )


def _study(place: Place, study: ImagingStudy, source: str, modality: Code, target: str, link: str) -> None:
    out = place.out
    series = study.series[0] if study.series else ImagingSeries(uid="")
    node = out.add(place.section, "entry")
    node = entry_act(out, node, "act", "", "1.2.840.10008.9.16", ENTRIES + "155", classCode="ACT")
    out.add(node, "id", "", f"{source}.uid", root=study.uid)
    out.code(node, "code", _STUDY, "")
    if not out.time(node, "effectiveTime", study.started, f"{source}.started"):
        out.null(node, "effectiveTime")
    node = out.add(node, "entryRelationship", typeCode="COMP")
    node = entry_act(out, node, "act", "", "1.2.840.10008.9.17", ENTRIES + "156", classCode="ACT")
    _uid(out, node, series.uid, f"{source}.series[0].uid")
    code = out.code(node, "code", _SERIES, "")
    qualifier = out.add(code, "qualifier")
    out.code(qualifier, "name", MODALITY_NAME, "")
    value = out.code(qualifier, "value", modality, f"{source}.modalities")
    reference(out, value, f"{target}-modalite", "originalText")
    node = out.add(node, "entryRelationship", typeCode="COMP")
    node = entry_act(out, node, "observation", "", "1.2.840.10008.9.18", ENTRIES + "157", classCode="DGIMG")
    _uid(out, node, series.instance_uid, f"{source}.series[0].instance_uid")
    if series.sop_class_uid:
        kind = Code(code=series.sop_class_uid, system=SOP_CLASSES)
        code = out.code(node, "code", kind, f"{source}.series[0].sop_class_uid")
    else:
        code = out.null(node, "code")
    reference(out, code, f"{target}-images", "originalText")
    if link:
        out.add(out.add(node, "text", mediaType="application/dicom"), "reference", value=link)


def _uid(out: Writer, node: Element, uid: str, source: str) -> None:
    if UID.fullmatch(uid):
        out.add(node, "id", "", source, root=uid)
    else:
        out.null(node, "id")
