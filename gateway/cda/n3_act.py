"""Acte d'imagerie: one section per act with technique, products, complications, exposure and catalogue."""

from collections.abc import Sequence

from gateway.cda.entries import Place, comment, product, site
from gateway.cda.n3_clinical import Sections
from gateway.cda.n3_exposure import exposure
from gateway.cda.n3_objects import catalogue
from gateway.cda.narrative import Cell, Narrative, open_section, reference, title_of, titled_blocks
from gateway.cda.products import product_row, sites_of
from gateway.cda.tree import Element
from gateway.cda.vocabulary_n3 import (
    BOTH_SIDES,
    COMPLICATIONS,
    ENTRIES,
    ONE_SIDE,
    PROCEDURE,
    SIDES,
)
from gateway.cda.writer import Writer
from gateway.model.base import replace
from gateway.model.report import Act, ImagingReport, Section, SectionKind
from gateway.model.site import Site
from gateway.model.terms import CCAM, CCAM_OLD, DCM, LOINC, SNOMED_CT, Code
from gateway.model.version import ReportVersion, VersionIdentity


def acts(out: Writer, body: Element, version: ReportVersion, sections: Sections) -> None:
    """One section for each act, in order."""
    for index in range(len(version.report.acts)):
        _act(out, body, version, index, _of_act(sections, index, len(version.report.acts)))


def _of_act(sections: Sections, index: int, count: int) -> Sections:
    """Sections about this act; one that names no act, or none that exists, belongs to the first."""
    return {
        kind: tuple(
            section
            for section in found
            if index == (section.act if section.act is not None and 0 <= section.act < count else 0)
        )
        for kind, found in sections.items()
    }


def _act(out: Writer, body: Element, version: ReportVersion, index: int, sections: Sections) -> None:
    report, identity = version.report, version.identity
    act, source, prefix = report.acts[index], f"acts[{index}]", f"acte-{index + 1}"
    described = sections.get(SectionKind.PROCEDURE, ())
    title = act.label or title_of(described)
    section = open_section(out, body, PROCEDURE, identity, title=title, index=index + 1)
    text = Narrative(out, section, source)
    _act_table(text, act, prefix, report, version.site)
    blocks = titled_blocks(described, title)
    if blocks:
        text.blocks(blocks, f"{prefix}-description")
    if act.products:
        _product_table(text, act, prefix)
    place = Place(out, section, identity)
    for number in range(len(sites_of(act))):
        _technique(place, act, source, prefix, number, described=bool(blocks))
    for number, item in enumerate(act.products, 1):
        target = f"{prefix}-produit-{number}"
        node = place.entry(
            "substanceAdministration", target, "1.2.840.10008.9.13", ENTRIES + "151", classCode="SBADM"
        )
        reference(out, node, target)
        out.add(node, "statusCode", code="completed")
        product(out, node, item, f"{source}.products[{number - 1}]", target)
    _complications(out, section, sections.get(SectionKind.COMPLICATIONS, ()), identity, index + 1)
    exposure(out, section, version, index, sections.get(SectionKind.EXPOSURE, ()))
    catalogue(out, section, version, index)


def _act_table(text: Narrative, act: Act, prefix: str, report: ImagingReport, place: Site) -> None:
    """One line for each thing known of the act; the entries refer to the right-hand cells."""
    label = act.label or next(
        (code.display or code.code for code in (act.local, act.code, act.ccam) if code), ""
    )
    codes = [
        f"{code.display or code.code} [{name} : {code.code}]"
        for name, code in (("LOINC", act.code), ("CCAM", act.ccam), ("Code local", act.local))
        if code
    ]
    rows = [(Cell("Acte"), Cell(label, prefix))]
    rows += [(Cell("Codes"), Cell("\n".join(codes)))] if codes else []
    rows += [
        (Cell("Modalité"), Cell(item.display or item.code, f"{prefix}-modalite-{number}"))
        for number, item in enumerate(act.modalities, 1)
    ]
    rows += [
        (Cell("Localisation anatomique"), Cell(item.display or item.code, f"{prefix}-localisation-{number}"))
        for number, item in enumerate(sites_of(act), 1)
    ]
    if act.laterality is not None:
        side = act.laterality.display or SIDES.get(act.laterality.code, "")
        words = f"{side} [SNOMED CT : {act.laterality.code}]" if side else act.laterality.code
        rows.append((Cell("Précision topographique"), Cell(words)))
    if act.function:
        shown = f"{act.function.display} [{act.function.code}]".strip()
        rows.append((Cell("Fonction étudiée"), Cell(shown)))
    if act.parameters:
        rows.append((Cell("Paramètres"), Cell(act.parameters, f"{prefix}-parametres")))
    text.table((), rows)


def _product_table(text: Narrative, act: Act, prefix: str) -> None:
    text.table(
        ("Produit administré", "Codes", "Dose", "Voie d'administration", "Numéro de lot", "Commentaire"),
        [product_row(item, f"{prefix}-produit-{number}") for number, item in enumerate(act.products, 1)],
    )


def _technique(place: Place, act: Act, source: str, prefix: str, number: int, *, described: bool) -> None:
    """FR-DICOM-Technique-imagerie (E.153): exactly one site each (IHE.sch), so one entry for each site."""
    out = place.out
    key = f"technique/{prefix}/{number}"
    node = place.entry("procedure", key, "1.2.840.10008.9.14", ENTRIES + "153", classCode="PROC")
    _act_code(out, node, act, source, prefix)
    if described:
        reference(out, node, f"{prefix}-description")
    out.time(node, "effectiveTime", act.start, f"{source}.start")
    for index, item in enumerate(act.modalities):
        method = out.code(
            node, "methodCode", replace(item, system=item.system or DCM), f"{source}.modalities[{index}]"
        )
        reference(out, method, f"{prefix}-modalite-{index + 1}", "originalText")
    path = f"{source}.sites[{number}]" if act.sites else f"{source}.regions"
    target = f"{prefix}-localisation-{number + 1}"
    site(out, node, sites_of(act)[number], path, target, _modifier(out, act.laterality, source))
    if act.parameters:
        comment(out, node, f"{prefix}-parametres")


def _act_code(out: Writer, node: Element, act: Act, source: str, prefix: str) -> None:
    """LOINC with at most the CCAM as translation; without LOINC OTH, the name as originalText."""
    if act.code is not None and act.code.code:
        code = out.code(node, "code", replace(act.code, system=act.code.system or LOINC), f"{source}.code")
    else:
        code = out.null(node, "code", "OTH")
    reference(out, code, prefix, "originalText")
    if act.ccam is not None:
        system = CCAM if act.ccam.system in ("", CCAM_OLD) else act.ccam.system
        out.code(code, "translation", replace(act.ccam, system=system), f"{source}.ccam")


def _modifier(out: Writer, laterality: Code | None, source: str) -> Code | None:
    """JDV 5.617 knows one side or both, not which: the side itself stands in the text."""
    if laterality is None:
        return None
    if laterality.code not in SIDES:
        out.find("N3-TEXT-ONLY", f"{source}.laterality", "laterality outside 1.2.250.1.213.1.1.5.617")
        return None
    code = laterality.code if laterality.code in (ONE_SIDE, BOTH_SIDES) else ONE_SIDE
    return Code(code=code, system=SNOMED_CT, display=SIDES[code])


def _complications(
    out: Writer,
    parent: Element,
    found: Sequence[Section],
    identity: VersionIdentity,
    index: int,
) -> None:
    if found:
        title = title_of(found)
        section = open_section(out, parent, COMPLICATIONS, identity, title=title, index=index)
        Narrative(out, section).sections(found, title)
