"""Verdicts as text, JSON lines, JUnit XML and an HTML page that a tester can attach to a file."""

import html
from collections.abc import Iterator
from datetime import datetime

import msgspec
from lxml import etree

from conformance.verdict import Remark, Verdict
from gateway.model.findings import Severity

_CONTROL = {code: None for code in range(32) if code not in (9, 10, 13)}
MARKS = {Severity.ERROR: "ERROR", Severity.WARNING: "warning", Severity.INFO: "info"}
FRENCH = {Severity.ERROR: "erreur", Severity.WARNING: "avertissement", Severity.INFO: "information"}
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
h1{font-size:1.4rem} h2{font-size:1.1rem;margin:2rem 0 .3rem}
table{border-collapse:collapse;width:100%} td,th{border:1px solid #bbb;padding:.35rem .5rem;text-align:left;
vertical-align:top} th{background:#f1f1f1} code{font-size:.85em;overflow-wrap:anywhere}
.ok{color:#116329}.ko{color:#b3261e}.error td:first-child{background:#f9d7d4}
.warning td:first-child{background:#fbeecb} .note{color:#555}
"""


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


def as_html(verdicts: tuple[Verdict, ...], now: datetime) -> str:
    """A page of its own, in French with the English word beside where it differs."""
    good = sum(verdict.valid for verdict in verdicts)
    parts = [
        '<!DOCTYPE html><html lang="fr"><head><meta charset="utf-8">',
        f"<title>Rapport de validation</title><style>{STYLE}</style></head><body>",
        "<h1>Rapport de validation <span class=note>(validation report)</span></h1>",
        f"<p>{html.escape(now.strftime('%d/%m/%Y %H:%M'))} · {len(verdicts)} fichier(s), "
        f"{good} conforme(s), {len(verdicts) - good} non conforme(s)</p>",
    ]
    parts.extend(part for verdict in verdicts for part in _section(verdict))
    return "".join([*parts, "</body></html>"])


def _section(verdict: Verdict) -> Iterator[str]:
    outcome = "conforme" if verdict.valid else "non conforme"
    style = "ok" if verdict.valid else "ko"
    yield f"<h2>{html.escape(verdict.name)} : <span class={style}>{outcome}</span></h2>"
    yield (
        f"<p class=note>{html.escape(verdict.kind)} · {verdict.errors} erreur(s), "
        f"{verdict.warnings} avertissement(s) · SHA-256 <code>{verdict.sha256}</code></p><ul class=note>"
    )
    for step in verdict.steps:
        counted = sum(r.severity is Severity.ERROR for r in verdict.remarks if r.step == step.name)
        state = f"non exécutée : {step.skipped}" if step.skipped else f"{counted} erreur(s)"
        yield f"<li>{html.escape(step.name)} : {html.escape(state)}</li>"
    yield "</ul>"
    if verdict.remarks:
        heads = ("Gravité", "Étape", "Constat", "Emplacement", "Règle")
        yield f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
    for remark in verdict.remarks:
        cells = (
            FRENCH[remark.severity],
            remark.step,
            remark.text,
            f"{remark.location} {f'ligne {remark.line}' if remark.line else ''}".strip(),
            f"{remark.rule} {remark.source}".strip(),
        )
        row = "".join(
            f"<td><code>{html.escape(cell)}</code></td>" if place > 2 else f"<td>{html.escape(cell)}</td>"
            for place, cell in enumerate(cells)
        )
        yield f"<tr class={remark.severity}>{row}</tr>"
    if verdict.remarks:
        yield "</table>"
