"""`gateway explain`: where each value of the document comes from, and what became of each field."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cli.common import (
    FAILED,
    WRONG_USE,
    emit,
    fail,
    finding_row,
    print_findings,
    profiles,
    read_file,
    settings,
)
from gateway.model.findings import Finding
from gateway.model.site import CdaLevel
from gateway.pipeline import offline
from gateway.pipeline.explain import Explanation, explain
from gateway.pipeline.explain_part import findings_of, of_element, of_field

if TYPE_CHECKING:
    from gateway.config import Settings

_ROOT = "ClinicalDocument/"


def run(
    file: Path, field: str, element: str, level: str, site: str, as_json: bool, config: Path | None
) -> None:
    """Print the explanation of every report of `file`; exit 1 when nothing answers what was asked."""
    if level and level not in list(CdaLevel):
        fail(f"--level {level}: expected {' or '.join(CdaLevel)}", WRONG_USE)
    current = settings(config)
    asked = field or element
    found = False
    for judged, made in _explained(file, CdaLevel(level) if level else None, site, current):
        if field:
            made = of_field(made, field)
        if element:
            made = of_element(made, element)
        found = found or bool(made.elements or made.fields)
        if as_json:
            emit([_row(file, judged, made)])
        else:
            findings = judged.decision.findings
            _show(judged, made, findings_of(findings, field) if field else () if element else findings)
    if not found:
        fail(f"{file}: nothing there for {asked}" if asked else f"{file}: nothing to explain")


def _explained(
    file: Path, level: CdaLevel | None, site: str, current: "Settings"
) -> Iterator[tuple[offline.Judged, Explanation]]:
    data = read_file(file, current.limits.max_bytes)
    sites, now = profiles(current), datetime.now(UTC)
    try:
        every = offline.judge(data, sites, site=site, environment=current.environment, now=now)
    except offline.UnreadableError as unreadable:
        print_findings(unreadable.findings, indent="")
        raise SystemExit(FAILED) from None
    except KeyError:
        fail(f"--site {site}: no such profile", WRONG_USE)
    for judged in every:
        profile = sites.named(judged.mapped.context.site)
        try:
            made = explain(judged.mapped, profile, environment=current.environment, now=now, level=level)
        except ValueError as not_possible:
            fail(f"--level {level}: {not_possible}")
        yield judged, made


def _row(file: Path, judged: offline.Judged, made: Explanation) -> dict[str, Any]:
    return {
        "file": str(file),
        "verdict": judged.decision.verdict.value,
        "site": judged.mapped.context.site,
        **msgspec.to_builtins(made),
        "findings": [finding_row(one) for one in judged.decision.findings],
    }


def _show(judged: offline.Judged, made: Explanation, findings: tuple[Finding, ...]) -> None:
    report = judged.mapped.report
    name = report.report_set.value if report is not None else "no report"
    print(f"{name}: {judged.decision.verdict}, read with the profile {judged.mapped.context.site}")
    if made.elements:
        print("\nDocument: element = value <- where from")
    for line in made.elements:
        origins = "; ".join(map(str, line.origins))
        print(f"  {line.element.removeprefix(_ROOT)} = {line.value}\n      <- {origins}")
    if mapped := [line for line in made.fields if line.fate == "mapped"]:
        print("\nFields read: field -> canonical value -> element")
    for read in mapped:
        became = ", ".join(read.paths) or "tells how other fields are read"
        shown = _short(read.elements)
        print(f"  {read.location:12} -> {became}" + (f"\n{'':15} -> {shown}" if shown else ""))
    _fates(
        "Ignored, by rule", (f"{one.location} ({one.rule})" for one in made.fields if one.fate == "ignored")
    )
    _fates(
        "Kept in the stored message, not used", (one.location for one in made.fields if one.fate == "kept")
    )
    if findings:
        print("\nFindings")
        print_findings(findings)


def _short(elements: tuple[str, ...]) -> str:
    """The first few elements, and how many more."""
    shown = ", ".join(one.removeprefix(_ROOT) for one in elements[:4])
    return f"{shown} and {len(elements) - 4} more" if len(elements) > 4 else shown


def _fates(title: str, places: Iterable[str]) -> None:
    if listed := list(places):
        print(f"\n{title}\n  {', '.join(listed)}")
