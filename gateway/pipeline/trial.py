"""A profile tried on messages before it is used: what it would change (architecture decision 17)."""

from typing import Any

import msgspec

from gateway.model.base import Value
from gateway.model.decision import Verdict
from gateway.model.findings import Finding
from gateway.model.report import ImagingReport
from gateway.pipeline.offline import Judged


class Difference(Value):
    """One canonical value; "" on the side that does not have it."""

    path: str
    before: str = ""
    after: str = ""


class Trial(Value):
    """One report under two profiles. `findings` are those of the tried one."""

    verdict_before: Verdict
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    """Findings that the profile before has and the tried one has not."""
    new: tuple[Finding, ...] = ()
    differences: tuple[Difference, ...] = ()
    comparable: bool = True
    """Both profiles make a report of the message."""


def compare(before: tuple[Judged, ...], after: tuple[Judged, ...]) -> tuple[Trial, ...]:
    """One Trial per report of the tried profile, beside the report at the same place before."""
    trials = []
    for place, tried in enumerate(after):
        old = before[place] if place < len(before) else None
        old_findings = old.decision.findings if old is not None else ()
        trials.append(
            Trial(
                verdict_before=old.decision.verdict if old is not None else Verdict.REJECT,
                verdict=tried.decision.verdict,
                findings=tried.decision.findings,
                gone=tuple(one for one in old_findings if one not in tried.decision.findings),
                new=tuple(one for one in tried.decision.findings if one not in old_findings),
                differences=differences(old.mapped.report if old else None, tried.mapped.report),
                comparable=old is not None and None not in (old.mapped.report, tried.mapped.report),
            )
        )
    return tuple(trials)


def differences(before: ImagingReport | None, after: ImagingReport | None) -> tuple[Difference, ...]:
    """Canonical values that differ, by path, in the order of the report."""
    old, new = flat(before), flat(after)
    paths = dict.fromkeys((*new, *old))
    return tuple(
        Difference(path=path, before=old.get(path, ""), after=new.get(path, ""))
        for path in paths
        if old.get(path, "") != new.get(path, "")
    )


def flat(report: ImagingReport | None) -> dict[str, str]:
    """Every value of the canonical report by its path (`acts[0].code.code`); defaults are left out."""
    found: dict[str, str] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{path}.{name}" if path else name)
        elif isinstance(value, list | tuple):
            for place, inner in enumerate(value):
                walk(inner, f"{path}[{place}]")
        else:
            found[path] = str(value)

    if report is not None:
        walk(msgspec.to_builtins(report), "")
    return found
