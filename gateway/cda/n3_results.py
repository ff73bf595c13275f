"""The sections of words: addendum, devices, results, comparison, conclusion, comment, documents."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.cda.built import AddedDocument
from gateway.cda.entries import Place, entry_act, typed
from gateway.cda.header_acts import performing_structure
from gateway.cda.header_people import entity
from gateway.cda.n3_clinical import Sections
from gateway.cda.narrative import Cell, Narrative, open_section, reference, title_of, titled_blocks
from gateway.cda.tree import Element
from gateway.cda.vocabulary_n3 import (
    ADDENDUM,
    COMMENT,
    COMPARISON,
    CONCLUSION,
    DEVICES,
    DOCUMENTS,
    EDUCATION,
    EMDN,
    ENTRIES,
    FINDINGS,
    PRIOR_RESULTS,
    SectionSpec,
)
from gateway.cda.writer import UID, Writer
from gateway.model.base import replace
from gateway.model.imaging import Device
from gateway.model.people import Practitioner
from gateway.model.report import SectionKind
from gateway.model.terms import LOINC, Code
from gateway.model.version import ReportVersion, VersionIdentity

_ATTACHED: Final = Code(code="55107-7", system=LOINC, display="Document attaché")
_DOCUMENT_TYPE: Final = Code(code="69764-9", system=LOINC, display="Type de document")
_INFORMATION: Final = Code(code="99622-3", system=LOINC, display="Informations pour le patient")


class Plain(NamedTuple):
    """A section of words alone and the kinds of text that it holds, in order."""

    spec: SectionSpec
    kinds: tuple[SectionKind, ...]


RESULTS: Final = (
    Plain(FINDINGS, (SectionKind.REPORT, SectionKind.FINDINGS)),
    Plain(PRIOR_RESULTS, (SectionKind.PRIOR_RESULTS,)),
    Plain(COMPARISON, (SectionKind.COMPARISON,)),
    Plain(CONCLUSION, (SectionKind.CONCLUSION, SectionKind.RECOMMENDATION)),
    Plain(COMMENT, (SectionKind.COMMENT,)),
)
"""In the order of the official example. The volet has no section for recommendations: they conclude."""

_OWN_HEADING: Final = {SectionKind.RECOMMENDATION: "Recommandations"}
"""Heading of a kind that shares another's section, when its sender gave none."""


def plain_section(
    out: Writer, body: Element, plain: Plain, sections: Sections, identity: VersionIdentity
) -> None:
    """The section, when any of its kinds has text; a single sender's heading becomes its title."""
    found = [
        replace(section, title=section.title or _OWN_HEADING.get(kind, ""))
        for kind in plain.kinds
        for section in sections.get(kind, ())
    ]
    if found:
        title = title_of(found)
        Narrative(out, open_section(out, body, plain.spec, identity, title=title)).sections(found, title)


def addendum(out: Writer, body: Element, version: ReportVersion, sections: Sections) -> None:
    """FR-DICOM-Addendum: at most one (SCH), its authors named; several additions follow one another."""
    found = sections.get(SectionKind.ADDENDUM, ())
    if not found:
        return
    report, site = version.report, version.site
    title = title_of(found)
    section = open_section(out, body, ADDENDUM, version.identity, title=title)
    Narrative(out, section).sections(found, title)
    default = report.authors[0] if report.authors else report.legal_authenticator or Practitioner()
    written: set[Practitioner] = set()
    for index, item in enumerate(found):
        who = item.author or default
        if who in written:
            continue
        written.add(who)
        source = f"sections[{SectionKind.ADDENDUM}][{index}].author" if item.author else "authors[0]"
        node = out.add(section, "author")
        if not out.time(node, "time", item.authored_at or report.validated_at, source):
            out.null(node, "time")
        employer = performing_structure(report, site)
        assigned = out.add(node, "assignedAuthor")
        entity(out, assigned, who, source, specialty=site.author_specialty, employer=employer)


def devices(out: Writer, body: Element, version: ReportVersion) -> None:
    """FR-Dispositifs-medicaux: one supply each (E.20)."""
    found = version.report.devices
    if not found:
        return
    section = open_section(out, body, DEVICES, version.identity)
    rows = [
        (
            Cell(item.label, f"dispositif-{number}"),
            Cell(f"{item.code.display or ''} [EMDN : {item.code.code}]".strip() if item.code else ""),
            Cell(item.udi.value if item.udi else ""),
        )
        for number, item in enumerate(found, 1)
    ]
    Narrative(out, section).table(("Dispositif médical", "Catégorie", "Identifiant unique"), rows)
    for number, item in enumerate(found, 1):
        _device(out, section, item, number)


def _device(out: Writer, section: Element, item: Device, number: int) -> None:
    source = f"devices[{number - 1}]"
    templates = ("2.16.840.1.113883.10.20.1.34", ENTRIES + "20")
    node = entry_act(out, out.add(section, "entry"), "supply", "", *templates, classCode="SPLY")
    out.null(node, "id")
    reference(out, node, f"dispositif-{number}")
    if item.used_at is not None:
        period = typed(out, node, "effectiveTime", "IVL_TS")
        out.time(period, "low", item.used_at, f"{source}.used_at")
    else:
        typed(out, node, "effectiveTime", "IVL_TS", nullFlavor="UNK")
    role = out.add(out.add(node, "participant", typeCode="DEV"), "participantRole", classCode="MANU")
    if item.udi is not None and UID.fullmatch(item.udi.system):
        out.identifier(role, "id", item.udi, f"{source}.udi")
    else:
        out.null(role, "id")
    device = out.add(role, "playingDevice", classCode="DEV", determinerCode="INSTANCE")
    if item.code is not None:
        out.code(device, "code", replace(item.code, system=item.code.system or EMDN), f"{source}.code")


def documents(out: Writer, body: Element, added: Sequence[AddedDocument], identity: VersionIdentity) -> None:
    """FR-Documents-ajoutes: title, link and content of each (E.18, E.48.18)."""
    if not added:
        return
    section = open_section(out, body, DOCUMENTS, identity)
    text = Narrative(out, section)
    for number, item in enumerate(added, 1):
        text.paragraph(item.title, f"document-{number}")
        shown = out.add(text.node, "paragraph")
        out.add(shown, "renderMultiMedia", referencedObject=f"DOC-{number}")
    place = Place(out, section, identity)
    for number, item in enumerate(added, 1):
        node = place.entry("organizer", f"document/{number}", ENTRIES + "18", classCode="CLUSTER")
        out.code(node, "code", _ATTACHED, "")
        out.add(node, "statusCode", code="completed")
        kind = entry_act(
            out,
            out.add(node, "component"),
            "observation",
            identity.oid(f"entry/document-type/{number}"),
            *("1.3.6.1.4.1.19376.1.5.3.1.4.13", ENTRIES + "48", ENTRIES + "48.18"),
            classCode="OBS",
        )
        out.code(kind, "code", _DOCUMENT_TYPE, "")
        reference(out, kind, f"document-{number}")
        out.add(kind, "statusCode", code="completed")
        out.null(kind, "effectiveTime", "NA")
        reference(out, typed(out, kind, "value", "CD"), f"document-{number}", "originalText")
        holder = out.add(node, "component")
        media = entry_act(out, holder, "observationMedia", "", classCode="OBS", ID=f"DOC-{number}")
        out.content(media, "value", item.data, item.media_type)


def education(out: Writer, body: Element, version: ReportVersion, sections: Sections) -> None:
    """FR-Education-du-patient: what the patient was told."""
    found = sections.get(SectionKind.PATIENT_INFORMATION, ())
    if not found:
        return
    title = title_of(found)
    section = open_section(out, body, EDUCATION, version.identity, title=title)
    Narrative(out, section).blocks(titled_blocks(found, title), "information-patient")
    place = Place(out, section, version.identity)
    templates = ("1.3.6.1.4.1.19376.1.5.3.1.4.13", ENTRIES + "48")
    node = place.entry("observation", "information", *templates, classCode="OBS")
    out.code(node, "code", _INFORMATION, "")
    reference(out, node, "information-patient")
    out.add(node, "statusCode", code="completed")
    if not out.time(node, "effectiveTime", version.report.validated_at, "validated_at"):
        out.null(node, "effectiveTime")
