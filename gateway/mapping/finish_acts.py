"""Acts and studies of a report, brought to the codes of the documents (REQ-27, REQ-28)."""

from gateway.mapping.code_rows import Hit, TableKind
from gateway.mapping.code_tables import ActCodes
from gateway.mapping.codes import CodeMaps
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.changes import changed, same
from gateway.model.report import Act, ImagingReport, ImagingStudy
from gateway.model.terms import Code, Identifier


def finish_acts(report: ImagingReport, codes: CodeMaps, trail: Trail) -> ImagingReport:
    """Acts with LOINC, CCAM, modalities, regions, accession; studies for every study of an act."""
    accessions = {order.accession for order in report.orders if order.accession is not None}
    only = accessions.pop() if len(accessions) == 1 else None
    rows = [_row(act, f"acts[{place}]", codes, trail) for place, act in enumerate(report.acts)]
    acts = same(
        report.acts,
        [
            _act(act, f"acts[{place}]", rows[place], codes, only, trail)
            for place, act in enumerate(report.acts)
        ],
    )
    screens = next((hit for hit in rows if hit is not None and hit.value.screening), None)
    if screens is not None and not report.screening:
        trail.rule("screening", screens.rule)
        report = replace(report, screening=True)
    return changed(report, acts=acts, studies=studies_of(report.studies, acts, trail))


def _act(
    act: Act,
    path: str,
    hit: Hit[ActCodes] | None,
    codes: CodeMaps,
    accession: Identifier | None,
    trail: Trail,
) -> Act:
    if hit is not None:
        act = _fill(act, path, hit, trail)
    if act.accession is not None:
        accession = act.accession
    elif accession is not None:
        trail.rule(f"{path}.accession", "orders[0].accession")
    return changed(
        act,
        accession=accession,
        code=_displayed(act.code, codes),
        modalities=same(act.modalities, [_word(one, codes, TableKind.MODALITY) for one in act.modalities]),
        regions=same(act.regions, [_word(one, codes, TableKind.REGION) for one in act.regions]),
    )


def _row(act: Act, path: str, codes: CodeMaps, trail: Trail) -> Hit[ActCodes] | None:
    """The row of the act's own codes: CCAM first, else the sender's local code."""
    if act.ccam is not None:
        hit, kind, code, place = codes.ccam(act.ccam.code), TableKind.CCAM, act.ccam.code, f"{path}.ccam"
    elif act.local is not None:
        hit, kind, code, place = codes.local(act.local.code), TableKind.LOCAL, act.local.code, f"{path}.local"
    else:
        if act.code is None:
            trail.finding("CODE-UNKNOWN", path, "the act has no code")
        return None
    if hit is None and act.code is None:
        near = codes.nearest(kind, code)
        detail = f"act code {code}" + (f"; known codes like it: {', '.join(near)}" if near else "")
        trail.finding("CODE-UNKNOWN", place, detail)
    return hit


def _fill(act: Act, path: str, hit: Hit[ActCodes], trail: Trail) -> Act:
    """What the row knows and the message does not say. The CCAM keeps the table's display and current OID.

    The row's site is not taken where the message names another region.
    """
    row = hit.value
    changes: dict[str, object] = {}
    if row.ccam is not None:
        changes["ccam"] = row.ccam
        if act.ccam is None:
            trail.rule(f"{path}.ccam", hit.rule)
    wanted: tuple[tuple[str, object], ...] = (
        ("code", row.loinc),
        ("modalities", (row.modality,) if row.modality else ()),
        ("regions", (row.region,) if row.region else ()),
        ("sites", (row.site,) if row.site and (not act.regions or row.region in act.regions) else ()),
        ("laterality", row.side),
        ("label", row.label),
    )
    for field, value in wanted:
        if value and not getattr(act, field):
            changes[field] = value
            trail.rule(f"{path}.{field}", hit.rule)
    return replace(act, **changes) if changes else act


def _displayed(code: Code | None, codes: CodeMaps) -> Code | None:
    known = codes.loinc(code.code) if code is not None else None
    return known.value if known is not None else code


def _word(code: Code, codes: CodeMaps, kind: TableKind) -> Code:
    known = codes.modality(code.code) if kind is TableKind.MODALITY else codes.region(code.code)
    return known.value if known is not None else code


def studies_of(
    studies: tuple[ImagingStudy, ...], acts: tuple[Act, ...], trail: Trail
) -> tuple[ImagingStudy, ...]:
    """`studies` completed from the acts that name them, then those that only an act names."""
    known = {study.uid: study for study in studies}
    for place, act in enumerate(acts):
        if not act.study_uid:
            continue
        if act.study_uid not in known:
            known[act.study_uid] = ImagingStudy(uid=act.study_uid)
            trail.rule(f"studies[{len(known) - 1}].uid", f"acts[{place}].study_uid")
        study = known[act.study_uid]
        known[act.study_uid] = changed(
            study,
            accession=study.accession or act.accession,
            modalities=study.modalities or tuple([one.code for one in act.modalities]),
            started=study.started or act.start,
        )
    return tuple(known.values())
