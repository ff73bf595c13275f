"""ORC, OBR, ZDS, IPC → orders, acts and studies (spec hl7v2.md §4.2, §4.6; REQ-27)."""

from datetime import datetime
from typing import Final, NamedTuple

from gateway.mapping import hl7_types as types
from gateway.mapping.code_rows import TableKind
from gateway.mapping.hl7_clinical import reasons
from gateway.mapping.hl7_reader import Group, Reader
from gateway.mapping.hl7_studies import study_uid
from gateway.model.findings import Finding, finding
from gateway.model.report import Act, OrderReference, SectionKind
from gateway.model.terms import CCAM, LOINC, Code, Identifier

DEPARTMENTS: Final = frozenset(
    {"RAD", "RX", "CT", "NMR", "MR", "NMS", "RUS", "VUS", "CUS", "US", "XRC", "IMG"}
)
"""OBR-24 of imaging (HL7 table 0074, and DCM codes that senders put there)."""
_FOREIGN: Final = "LAB BG BLB CH CP CTH CG HM IMM MB MCB MYC PAT SP TX URN VR PHR RT RC OSL"
FOREIGN: Final = frozenset(_FOREIGN.split())
"""OBR-24 of other services (HL7 table 0074): no imaging report."""
_DOCUMENT_CODES: Final = frozenset(SectionKind)
"""LOINC codes of documents and sections (18748-4…): they name the report, not the act."""
_REPORT_TYPES: Final = frozenset({"11502-2", "11488-4", "34133-9", "18842-5", "11526-1"})
"""LOINC document types of other kinds met in OBR-4: laboratory, consultation, discharge, pathology."""


def order_number(reader: Reader, name: str, path: str) -> Identifier | None:
    """An order number by its locator, with the authority that its own field names."""
    found = reader.find(name)
    if found is None:
        return None
    reader.trail.source(path, found.location)
    return types.ei(reader.scope, found.segment, found.field, found.repetition)


def _accession(reader: Reader, path: str) -> Identifier | None:
    """OBR-18 or IPC-1; else what stands nearest, with the finding ACCESSION-GUESSED."""
    certain = order_number(reader, "order.accession", path)
    if certain is not None:
        return certain
    found = reader.find("order.accession_guessed")
    if found is None:
        return None
    reader.trail.at("ACCESSION-GUESSED", found.location)
    reader.trail.source(path, found.location)
    return types.ei(reader.scope, found.segment, found.field, found.repetition)


class Orders(NamedTuple):
    """`references` are distinct; `accessions` runs parallel to the groups."""

    references: tuple[OrderReference, ...]
    accessions: tuple[Identifier | None, ...]


def orders(groups: tuple[Group, ...], reader: Reader) -> Orders:
    """One reference per distinct (placer, filler, accession) of the report's groups."""
    made: list[OrderReference] = []
    accessions: list[Identifier | None] = []
    for group in groups:
        own, path = reader.over(group), f"orders[{len(made)}]"
        reason, codes = reasons(own, "order.reason", f"{path}.")
        order = OrderReference(
            placer=order_number(own, "order.placer", f"{path}.placer"),
            filler=order_number(own, "order.filler", f"{path}.filler"),
            accession=_accession(own, f"{path}.accession"),
            requested_at=_requested(own, f"{path}.requested_at"),
            reason=reason,
            reasons=codes,
        )
        accessions.append(order.accession)
        known = {(one.placer, one.filler, one.accession) for one in made}
        if order != OrderReference() and (order.placer, order.filler, order.accession) not in known:
            made.append(order)
    return Orders(tuple(made), tuple(accessions))


def _requested(reader: Reader, path: str) -> datetime | None:
    """ORC-9 when it can be the request: some senders put the result's time there, after the exam."""
    found = reader.find("order.requested_at")
    start = reader.profile.locators["act.start"].find(reader.scope)
    if found is None or (start is not None and found.value[:12] > start.value[:12]):
        return None
    return reader.moment(path, found)


def acts(
    groups: tuple[Group, ...], accessions: tuple[Identifier | None, ...], reader: Reader
) -> tuple[Act, ...]:
    """One act per OBR. A study named once in the report is that of all its acts."""
    uids = [study_uid(reader.over(group), group) for group in groups]
    named = {uid for uid, _ in uids if uid}
    made: list[Act] = []
    for group, (uid, place), accession in zip(groups, uids, accessions, strict=True):
        if group.first("OBR") is None and len(groups) > 1:
            continue
        path = f"acts[{len(made)}]"
        if uid:
            reader.trail.source(f"{path}.study_uid", place)
        elif len(named) == 1:
            (uid,) = named
            reader.trail.rule(f"{path}.study_uid", "only study of the report")
        made.append(_act(reader.over(group), path, uid, accession))
    return tuple(made)


def _act(reader: Reader, path: str, uid: str, accession: Identifier | None) -> Act:
    loinc, ccam, local, label = _codes(reader, path)
    start = reader.time(f"{path}.start", "act.start")
    if start is None and (guess := reader.find("act.start_guessed")) is not None:
        reader.trail.at("EXAM-TIME-GUESSED", guess.location)
        start = reader.moment(f"{path}.start", guess)
    regions, sites = _places(reader, path)
    return Act(
        label=label,
        code=loinc,
        ccam=ccam,
        local=local,
        modalities=_modalities(reader, path, ccam),
        regions=regions,
        sites=sites,
        laterality=_side(reader, path),
        start=start,
        end=reader.time(f"{path}.end", "act.end"),
        study_uid=uid,
        accession=accession,
    )


def _codes(reader: Reader, path: str) -> tuple[Code | None, Code | None, Code | None, str]:
    """(LOINC, CCAM, local code, label) of OBR-4, then OBR-44; a document's code is not the act's."""
    found: dict[str, Code] = {}
    label = ""
    seen: set[tuple[int, int, int]] = set()
    for name_path in reader.profile.locators["act.code"].paths:
        for hit in name_path.matches(reader.scope):
            place = (hit.segment.index, hit.field, hit.repetition)
            if place in seen:
                continue
            seen.add(place)
            reader.mark(hit.segment, hit.field)
            for coded in types.ce(reader.scope, hit.segment, hit.field, hit.repetition):
                if coded.system == LOINC and coded.code in _DOCUMENT_CODES:
                    continue
                if not label and coded.text:
                    label = coded.text
                    reader.trail.source(f"{path}.label", hit.location)
                if coded.code and coded.system not in found:
                    found[coded.system] = coded.as_code()
                    field = {LOINC: "code", CCAM: "ccam"}.get(coded.system, "local")
                    reader.trail.source(f"{path}.{field}", hit.location)
    return found.get(LOINC), found.get(CCAM), found.get(""), label


def _modalities(reader: Reader, path: str, ccam: Code | None) -> tuple[Code, ...]:
    """OBR-24 through the code map. A department (RAD) is no modality; the act's code then tells it."""
    made: list[Code] = []
    for found in reader.find_all("act.modality"):
        if (hit := reader.profile.codes.modality(found.value)) is not None:
            if hit.value not in made:
                made.append(hit.value)
                reader.trail.source(f"{path}.modalities[{len(made) - 1}]", found.location, hit.rule)
        elif found.value.upper() not in DEPARTMENTS and ccam is None:
            near = ", ".join(reader.profile.codes.nearest(TableKind.MODALITY, found.value))
            detail = f"modality {found.value[:16]}" + (f"; known codes like it: {near}" if near else "")
            reader.trail.at("CODE-UNKNOWN", found.location, detail)
    return tuple(made)


def _places(reader: Reader, path: str) -> tuple[tuple[Code, ...], tuple[Code, ...]]:
    """(regions, sites) of one body site: a site has its region, a region alone may have no site."""
    found = reader.find("act.region")
    if found is None:
        return (), ()
    site, region = reader.profile.codes.site(found.value), reader.profile.codes.region(found.value)
    if site is None and region is None:
        reader.trail.at("CODE-UNKNOWN", found.location, "region")
        return (), ()
    sites: tuple[Code, ...] = ()
    if site is not None:
        reader.trail.source(f"{path}.sites[0]", found.location, site.rule)
        sites = (site.value.site,)
    named = region.value if region is not None else site.value.region if site is not None else None
    if named is None:
        return (), sites
    rule = region.rule if region is not None else site.rule if site is not None else ""
    reader.trail.source(f"{path}.regions[0]", found.location, rule)
    return (named,), sites


def _side(reader: Reader, path: str) -> Code | None:
    found = reader.find("act.laterality")
    if found is None:
        return None
    if (hit := reader.profile.codes.side(found.value)) is None:
        reader.trail.at("CODE-UNKNOWN", found.location, f"side {found.value[:16]}")
        return None
    reader.trail.source(f"{path}.laterality", found.location, hit.rule)
    return hit.value


# --- imaging or not


def not_imaging(groups: tuple[Group, ...]) -> tuple[Finding, ...]:
    """NOT-IMAGING when OBR-24 names another service, or OBR-4 another kind of document (REQ-06)."""
    for group in groups:
        obr = group.first("OBR")
        if obr is None:
            continue
        if (service := obr.leaf(24).upper()) in FOREIGN:
            return (finding("NOT-IMAGING", obr.location(24), f"service {service}"),)
        if (code := obr.leaf(4)) in _REPORT_TYPES:
            return (finding("NOT-IMAGING", obr.location(4), f"document type {code}"),)
    return ()
