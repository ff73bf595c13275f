"""FHIR ImagingStudy → studies (spec fhir.md §3, §5)."""

import re
from typing import NamedTuple

from gateway.fhir import Node
from gateway.mapping.code_rows import TableKind
from gateway.mapping.fhir_walk import Walk, identifier, type_codes
from gateway.model.findings import Severity
from gateway.model.report import ImagingSeries, ImagingStudy
from gateway.model.terms import Code

ACCESSION_TYPES = frozenset({"ACSN", "121022"})
"""v2-0203 ACSN, DCM 121022."""
_UID = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+")


class Study(NamedTuple):
    """A study with its ImagingStudy, when the Bundle holds it."""

    study: ImagingStudy
    node: Node | None


def is_study_uid(identifier: Node) -> bool:
    """System `urn:dicom:uid` or type DCM 110180."""
    return identifier.text("system") == "urn:dicom:uid" or "110180" in type_codes(identifier)


def studies_based_on(walk: Walk, order: Node) -> tuple[Study, ...]:
    """Studies of an order: those of the Bundle that are `basedOn` it, else the one whose UID it gives."""
    made: list[Study] = []
    for node in walk.bundle.entries("ImagingStudy", walk.reads):
        targets = (walk.bundle.resolve(one) for one in node.all("basedOn"))
        if any(found is not None and found.path == order.path for found in targets):
            path = f"studies[{len(made)}]"
            walk.used[node.path] = node
            if uid := _uid(walk, f"{path}.uid", node.all("identifier")):
                made.append(Study(_study(walk, path, uid, node), node))
    if not made and (uid := _uid(walk, "studies[0].uid", order.all("identifier"))):
        made.append(Study(ImagingStudy(uid=uid), None))
    return tuple(made)


def studies(walk: Walk, report: Node) -> tuple[Study, ...]:
    """Studies of `imagingStudy`: resources, or logical identifiers alone; a display alone names nothing."""
    made: list[Study] = []
    for reference in report.all("imagingStudy"):
        path = f"studies[{len(made)}]"
        node = walk.follow(reference)
        named = node.all("identifier") if node is not None else reference.all("identifier")
        if node is None and not named:
            if not reference.text("reference"):
                walk.trail.at("REF-DANGLING", reference.path, "no study is named", Severity.WARNING)
            continue
        uid = _uid(walk, f"{path}.uid", named)
        if uid:
            made.append(Study(_study(walk, path, uid, node), node))
    return tuple(made)


def _uid(walk: Walk, path: str, identifiers: tuple[Node, ...]) -> str:
    """Study Instance UID, with or without `urn:oid:`."""
    for one in identifiers:
        if is_study_uid(one):
            uid = one.text("value").removeprefix("urn:oid:")
            if _UID.fullmatch(uid) and len(uid) <= 64:
                walk.take(path, one, "value")
                return uid
            walk.trail.at("STUDY-UID-FORM", one.get("value").path)
    return ""


def _study(walk: Walk, path: str, uid: str, node: Node | None) -> ImagingStudy:
    if node is None:
        return ImagingStudy(uid=uid)
    accessions = (one for one in node.all("identifier") if type_codes(one) & ACCESSION_TYPES)
    logical = (
        one
        for based in node.all("basedOn")
        for one in based.all("identifier")
        if type_codes(one) & ACCESSION_TYPES
    )
    number = next(accessions, None) or next(logical, None)
    return ImagingStudy(
        uid=uid,
        accession=identifier(walk, f"{path}.accession", number) if number else None,
        modalities=tuple(one.code for one in modalities(walk, f"{path}.modalities", node)),
        started=walk.moment(f"{path}.started", node, "started"),
        description=walk.take(f"{path}.description", node, "description"),
        series=tuple(
            ImagingSeries(
                uid=one.text("uid").removeprefix("urn:oid:"),
                modality=one.text("modality", "code"),
                sop_class_uid=one.text("instance", "sopClass", "code").removeprefix("urn:oid:"),
                instance_uid=one.text("instance", "uid").removeprefix("urn:oid:"),
            )
            for one in node.all("series")
        ),
    )


def modalities(walk: Walk, path: str, node: Node) -> tuple[Code, ...]:
    """ImagingStudy.modality, else those of its series; DCM codes through the code map (RM → MR)."""
    codings = node.all("modality") or tuple(one.get("modality") for one in node.all("series"))
    made: dict[str, Code] = {}
    for coding in codings:
        word = coding.text("code")
        hit = walk.profile.codes.modality(word) if word else None
        if hit is not None:
            walk.trail.source(path, coding.path, hit.rule)
            made[hit.value.code] = hit.value
        elif word:
            near = ", ".join(walk.profile.codes.nearest(TableKind.MODALITY, word))
            walk.trail.at("CODE-UNKNOWN", f"{coding.path}.code", f"modality {word}; known: {near}")
    return tuple(made.values())
