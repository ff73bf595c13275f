"""Verdicts as text, JSON lines and JUnit XML; `page` makes the HTML report."""

from collections.abc import Iterator

import msgspec
from lxml import etree

from conformance.verdict import Remark, Verdict
from gateway.model.findings import Severity

_CONTROL = {code: None for code in range(32) if code not in (9, 10, 13)}
MARKS = {Severity.ERROR: "ERROR", Severity.WARNING: "warning", Severity.INFO: "info"}


def as_text(verdict: Verdict) -> Iterator[str]:
    """One headline, skipped steps, then one block a remark."""
    outcome = "valid" if verdict.valid else "NOT valid"
    yield (
        f"{verdict.name}: {outcome} ({verdict.kind}; {verdict.errors} errors, {verdict.warnings} warnings; "
        f"{len([step for step in verdict.steps if not step.skipped])} steps)"
    )
    for step in verdict.steps:
        if step.skipped:
            yield f"  - {step.name}: not run, {step.skipped}"
    for remark in verdict.remarks:
        yield f"  {MARKS[remark.severity]} [{remark.step}] {remark.text}"
        place = _place(remark)
        if place:
            yield f"      {place}"


def _place(remark: Remark) -> str:
    line = f"line {remark.line}" if remark.line else ""
    return " · ".join(part for part in (remark.location, line, remark.rule, remark.source) if part)


def as_json(verdict: Verdict) -> str:
    """One line. `valid`, `errors` and `warnings` stand beside the verdict's own fields."""
    head = {"valid": verdict.valid, "errors": verdict.errors, "warnings": verdict.warnings}
    return msgspec.json.encode({**head, **msgspec.to_builtins(verdict)}).decode()


def as_junit(verdicts: tuple[Verdict, ...]) -> bytes:
    """One testsuite a file, one testcase a step; errors of a step are its failure."""
    root = etree.Element("testsuites", name="conformance")
    for verdict in verdicts:
        names = list(dict.fromkeys([step.name for step in verdict.steps] + [r.step for r in verdict.remarks]))
        suite = etree.SubElement(root, "testsuite", name=_clean(verdict.name), tests=str(len(names)))
        failures = 0
        for name in names:
            times = [step.seconds for step in verdict.steps if step.name == name]
            case = etree.SubElement(
                suite,
                "testcase",
                name=name,
                classname=_clean(f"{verdict.kind}.{verdict.name}"),
                time=f"{sum(times):.3f}",
            )
            skipped = [step.skipped for step in verdict.steps if step.name == name and step.skipped]
            wrong = [r for r in verdict.remarks if r.step == name and r.severity is Severity.ERROR]
            other = [r for r in verdict.remarks if r.step == name and r.severity is not Severity.ERROR]
            if wrong:
                failures += 1
                failure = etree.SubElement(case, "failure", message=f"{len(wrong)} errors", type="error")
                failure.text = _clean("\n".join(f"{_place(r)}\n{r.text}" for r in wrong))
            elif skipped:
                etree.SubElement(case, "skipped", message=_clean(skipped[0]))
            if other:
                out = etree.SubElement(case, "system-out")
                out.text = _clean("\n".join(f"{r.severity} {_place(r)}\n{r.text}" for r in other))
        suite.set("failures", str(failures))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _clean(text: str) -> str:
    """Without the control characters that XML 1.0 has no place for."""
    return text.translate(_CONTROL)
