"""The acts that an order asks for, or tells of: OBR and IPC, or the observations of téléradiologie."""

from gateway.hl7v2 import Segment
from gateway.mapping import hl7_types as types
from gateway.mapping.code_rows import Hit
from gateway.mapping.hl7_orders import acts
from gateway.mapping.hl7_reader import Group, Reader
from gateway.model.base import replace
from gateway.model.report import Act
from gateway.model.terms import LOINC, SNOMED_CT, Code, Identifier

TELERADIOLOGY_STEP = "TLR_OBR_PROCEDURE"
"""OBR-4.3 of téléradiologie: OBR-4 names the step of the dialogue, not an act."""
LATERALITY = frozenset({"24028007", "7771000", "51440002", "66459002"})
"""SNOMED CT values of REGION_ANATOMIQUE n.2 that are sides (as in `Act.laterality`)."""


def order_acts(bundle: tuple[Group, ...], accession: Identifier | None, reader: Reader) -> tuple[Act, ...]:
    """One act per OBR; of téléradiologie the one act that the observations describe. Empty acts are none."""
    made = acts(bundle, tuple(accession for _ in bundle), reader)
    start = reader.time("acts[0].start", "request.scheduled_at")
    obr = reader.scope.first("OBR")
    if obr is not None and obr.value(4, 1, 3).strip() == TELERADIOLOGY_STEP and len(made) == 1:
        made = (_described(made[0], reader),)
    if len(made) == 1 and start is not None:
        made = (replace(made[0], start=start),)
    return tuple(act for act in made if replace(act, accession=None, start=None) != Act() or len(made) > 1)


def _described(act: Act, reader: Reader) -> Act:
    """`act` with code, modality, region and side from MODALITE_IMAGERIE, REGION_ANATOMIQUE…"""
    code, label = _code(reader)
    regions, sites, side = _places(reader)
    return replace(
        act,
        label=label,
        local=None,
        code=code,
        modalities=_modality(reader) or act.modalities,
        regions=regions,
        sites=sites,
        laterality=side,
    )


def _code(reader: Reader) -> tuple[Code | None, str]:
    found = reader.find("request.act")
    if found is None:
        return None, ""
    reader.mark(found.segment, 2, 3, 11)
    for coded in types.ce(reader.scope, found.segment, found.field, found.repetition):
        if coded.system == LOINC:
            reader.trail.source("acts[0].code", found.location)
            return coded.as_code(), coded.text
    return None, ""


def _modality(reader: Reader) -> tuple[Code, ...]:
    made: list[Code] = []
    for found in reader.find_all("request.modality"):
        reader.mark(found.segment, *((2, 3, 11) if found.segment.name == "OBX" else ()))
        hit = reader.profile.codes.modality(found.value)
        if hit is None:
            reader.trail.at("CODE-UNKNOWN", found.location, f"modality {found.value[:16]}")
        elif hit.value not in made:
            reader.trail.source(f"acts[0].modalities[{len(made)}]", found.location, hit.rule)
            made.append(hit.value)
    return tuple(made)


def _places(reader: Reader) -> tuple[tuple[Code, ...], tuple[Code, ...], Code | None]:
    """Regions and sites (OBX-4 n.1) and the side (n.2). What the code maps do not know keeps its SNOMED CT
    code, as a region."""
    regions: list[Code] = []
    sites: list[Code] = []
    side: Code | None = None
    for found in reader.find_all("request.region"):
        segment = found.segment
        reader.mark(segment, 2, 3, 4, 11)
        if _is_modifier(segment):
            if found.value in LATERALITY and side is None:
                reader.trail.source("acts[0].laterality", found.location)
                side = Code(code=found.value, system=SNOMED_CT, display=segment.value(5, 1, 2).strip())
            continue
        hit, place = reader.profile.codes.region(found.value), reader.profile.codes.site(found.value)
        if place is not None:
            reader.trail.source(f"acts[0].sites[{len(sites)}]", found.location, place.rule)
            sites.append(place.value.site)
        if hit is None and place is not None and place.value.region is not None:
            hit = Hit(place.value.region, place.rule)
        rule = hit.rule if hit is not None else ""
        reader.trail.source(f"acts[0].regions[{len(regions)}]", found.location, rule)
        given = Code(code=found.value, system=SNOMED_CT, display=segment.value(5, 1, 2).strip())
        regions.append(hit.value if hit is not None else given)
    return tuple(dict.fromkeys(regions)), tuple(sites), side


def _is_modifier(segment: Segment) -> bool:
    """OBX-4 `n.2`: the topographic modifier of the n-th region."""
    return segment.value(4).strip().partition(".")[2] == "2"
