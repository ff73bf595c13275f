"""Canonical report → structured CDA R2 (N3), volet IMG-CR-IMG 2024.01 (cda.md §4)."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from gateway.cda.builder import build
from gateway.cda.built import AddedDocument, Built
from gateway.cda.n3_act import acts
from gateway.cda.n3_clinical import Sections, clinical_information
from gateway.cda.n3_results import RESULTS, addendum, devices, documents, education, plain_section
from gateway.cda.products import sites_of
from gateway.cda.tree import Element
from gateway.cda.vocabulary import MODALITIES
from gateway.cda.vocabulary_n3 import N3_TEMPLATES
from gateway.cda.writer import Writer
from gateway.model.findings import Finding, finding
from gateway.model.report import ImagingReport, Section, SectionKind
from gateway.model.version import ReportVersion

_CODE: Final = "N3-NOT-POSSIBLE"


def n3_possible(report: ImagingReport) -> tuple[Finding, ...]:
    """Why this report cannot be an N3, () when it can: places where the official rules refuse a nullFlavor.

    Nothing is invented for them: without a conclusion, a modality or a site of each act it stays an N1.
    """
    found = []
    kinds = {section.kind for section in report.sections if _says_something(section)}
    if not kinds - {SectionKind.REPORT}:
        found.append(finding(_CODE, "sections", "the report is one text without sections"))
    elif SectionKind.CONCLUSION not in kinds:
        found.append(finding(_CODE, "sections", "no conclusion"))
    if not report.acts:
        found.append(finding(_CODE, "acts", "no act"))
    for index, act in enumerate(report.acts):
        codes = {item.code for item in act.modalities}
        if not codes or codes - MODALITIES:
            found.append(finding(_CODE, f"acts[{index}].modalities", "no modality of JDV 5.618"))
        if not sites_of(act):
            found.append(finding(_CODE, f"acts[{index}].sites", "no anatomic site of JDV 5.694"))
    if not any(who.family for who in (*report.authors, report.legal_authenticator) if who is not None):
        found.append(finding(_CODE, "authors", "no radiologist is named"))
    return tuple(found)


def build_n3(version: ReportVersion, pdf: bytes | None = None, added: Sequence[AddedDocument] = ()) -> Built:
    """The structured report; same input, same bytes. `pdf` (Ségur wave 2) is its page, as an added document.

    The caller has asked `n3_possible`; raises ValueError when the report is none.
    """
    if reasons := n3_possible(version.report):
        raise ValueError("; ".join(f"{found.location}: {found.detail}" for found in reasons))
    attached = list(added)
    if pdf is not None:
        attached.insert(0, AddedDocument(title=version.report.title, data=pdf))
    return build(version, N3_TEMPLATES, partial(_body, version=version, added=attached))


def _body(out: Writer, component: Element, version: ReportVersion, added: Sequence[AddedDocument]) -> None:
    """All sections in the order of the official example."""
    body = out.add(component, "structuredBody")
    sections = _by_kind(version.report)
    addendum(out, body, version, sections)
    clinical_information(out, body, version.report, sections, version.identity)
    acts(out, body, version, sections)
    devices(out, body, version)
    for plain in RESULTS:
        plain_section(out, body, plain, sections, version.identity)
    documents(out, body, added, version.identity)
    education(out, body, version, sections)


def _by_kind(report: ImagingReport) -> Sections:
    found: dict[SectionKind, list[Section]] = {}
    for section in report.sections:
        if _says_something(section):
            found.setdefault(section.kind, []).append(section)
    return {kind: tuple(sections) for kind, sections in found.items()}


def _says_something(section: Section) -> bool:
    return bool(section.text.strip() or section.blocks)
