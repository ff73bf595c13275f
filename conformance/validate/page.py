"""The HTML report of a validation: verdict, findings, the document as a person reads it beside its source.

One file without script or outside resource, in French, that a tester attaches to a file.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from html import escape

from lxml import etree

from conformance.validate.page_style import STYLE
from conformance.verdict import (
    N1_HAS_NO_VOLET,
    NO_KIT,
    NO_SCHEMAS,
    NO_VOLET,
    UNREADABLE,
    Remark,
    Verdict,
)
from conformance.xml import XmlRefusedError, parse
from gateway.model.findings import Severity

FRENCH = {Severity.ERROR: "erreur", Severity.WARNING: "avertissement", Severity.INFO: "information"}
HEADS = ("Gravité", "Étape", "Constat", "Emplacement", "Règle")
LONG = 300
"""Characters of a line of the source that are shown: an embedded PDF is one line of a million."""
MOST_LINES = 20_000
_STEPS = {
    "XSD and official rules": "XSD et règles officielles",
    "Volet": "Volet",
    "Own rules": "Règles propres, en plus des règles officielles",
    "HL7 v2 reader": "Lecture du message HL7 v2",
    "Intake rules": "Règles de réception de la passerelle",
    "hl7apy": "Second avis (hl7apy)",
    "Recognition": "Reconnaissance",
    "XDS metadata rules": "Métadonnées XDS",
    "XDM archive": "Archive XDM",
    "MSSanté mail": "Courriel MSSanté",
}
"""French names of our own steps; those of the kit have theirs."""
_SKIPPED = {
    NO_KIT: "aucun kit officiel n'est indiqué (--kit)",
    NO_SCHEMAS: "les schémas ebXML ne sont pas à côté du kit",
    N1_HAS_NO_VOLET: "un document à corps non structuré (N1) n'a pas de volet",
    NO_VOLET: "aucun volet du kit ne demande un templateId de ce document",
    UNREADABLE: "le document ne peut être lu",
}
"""French words for why a step did not run; other reasons stay as they are."""
_NOT_ALL = {NO_KIT: "conforme, règles officielles non exécutées"}
"""Steps whose absence must stand in the verdict: the page may lie alone in a file."""
_STEP = re.compile(r"(?:[\w.-]+:)?([A-Za-z_][\w.-]*)(?:\[(\d+)\])?")


def as_html(
    verdicts: tuple[Verdict, ...],
    now: datetime,
    sources: Mapping[str, bytes] | None = None,
    made_by: str = "",
) -> str:
    """The report; `sources` holds the bytes of the files by the name of their verdict, `made_by` says with
    which program and rules they were judged."""
    good = sum(verdict.valid for verdict in verdicts)
    parts = [
        '<!DOCTYPE html><html lang="fr"><head><meta charset="utf-8">',
        f"<title>Rapport de validation</title><style>{STYLE}</style></head><body>",
        "<h1>Rapport de validation <span class=note>(validation report)</span></h1>",
        f"<p>{escape(now.strftime('%d/%m/%Y %H:%M'))} · {len(verdicts)} fichier(s), "
        f"{good} conforme(s), {len(verdicts) - good} non conforme(s)</p>",
        f"<p class=note>{escape(made_by)}</p>" if made_by else "",
    ]
    for number, verdict in enumerate(verdicts):
        data = (sources or {}).get(verdict.name, b"")
        parts.extend(_section(verdict, data, number))
    return "".join([*parts, "</body></html>"])


def _section(verdict: Verdict, data: bytes, number: int) -> Iterator[str]:
    lacking = next((_NOT_ALL[step.skipped] for step in verdict.steps if step.skipped in _NOT_ALL), "conforme")
    outcome = lacking if verdict.valid else "non conforme"
    style = "ok" if verdict.valid else "ko"
    yield f"<h2>{escape(verdict.name)} : <span class={style}>{outcome}</span></h2>"
    yield (
        f"<p class=note>{escape(verdict.kind)} · {verdict.errors} erreur(s), "
        f"{verdict.warnings} avertissement(s) · SHA-256 <code>{verdict.sha256}</code></p><ul class=note>"
    )
    for step in verdict.steps:
        counted = sum(r.severity is Severity.ERROR for r in verdict.remarks if r.step == step.name)
        state = (
            f"non exécutée : {_SKIPPED.get(step.skipped, step.skipped)}"
            if step.skipped
            else f"{counted} erreur(s)"
        )
        yield f"<li>{escape(_STEPS.get(step.name, step.name))} : {escape(state)}</li>"
    yield "</ul>"
    root = _root(data) if verdict.kind == "cda" else None
    lines = tuple(remark.line or line_of(root, remark.location) for remark in verdict.remarks)
    if verdict.remarks:
        yield f"<table class=findings><tr>{''.join(f'<th>{head}</th>' for head in HEADS)}</tr>"
        for remark, line in zip(verdict.remarks, lines, strict=True):
            yield _row(remark, line, number)
        yield "</table>"
    if root is not None:
        worst = _worst(verdict.remarks, lines)
        yield "<div class=pair>"
        yield from _rendered(data)
        yield from _source(data, worst, number)
        yield "</div>"


def _row(remark: Remark, line: int, number: int) -> str:
    link = f' <a href="#f{number}l{line}">ligne {line}</a>' if line else ""
    cells = (
        f"<td>{FRENCH[remark.severity]}</td>",
        f"<td>{escape(_STEPS.get(remark.step, remark.step))}</td>",
        f"<td>{escape(remark.text)}</td>",
        f"<td><code>{escape(remark.location)}</code>{link}</td>",
        f"<td><code>{escape(f'{remark.rule} {remark.source}'.strip())}</code></td>",
    )
    return f"<tr class={remark.severity}>{''.join(cells)}</tr>"


def _rendered(data: bytes) -> Iterator[str]:
    """The page of the document, in a frame that runs nothing."""
    from gateway import cda

    yield "<div><h3>Document</h3>"
    try:
        page = cda.html(data).decode()
    except cda.CdaError as error:
        yield f"<p class=note>Le document ne peut être affiché : {escape(str(error))}</p></div>"
        return
    yield f'<iframe sandbox title="Document" srcdoc="{escape(page, quote=True)}"></iframe></div>'


def _source(data: bytes, worst: Mapping[int, Severity], number: int) -> Iterator[str]:
    """The lines of the file; those that a finding names are marked and can be jumped to."""
    lines = data.decode(errors="replace").splitlines()
    yield "<div><h3>Source</h3><div class=source><table>"
    for place, line in enumerate(lines[:MOST_LINES], 1):
        shown = line if len(line) <= LONG else f"{line[:LONG]} … ({len(line)} caractères)"
        mark = f' class="{worst[place]}"' if place in worst else ""
        yield f'<tr{mark} id="f{number}l{place}"><td>{place}</td><td><code>{escape(shown)}</code></td></tr>'
    yield "</table>"
    if len(lines) > MOST_LINES:
        yield f"<p class=note>… {len(lines) - MOST_LINES} lignes de plus</p>"
    yield "</div></div>"


def _worst(remarks: tuple[Remark, ...], lines: tuple[int, ...]) -> dict[int, Severity]:
    order = tuple(Severity)
    found: dict[int, Severity] = {}
    for remark, line in zip(remarks, lines, strict=True):
        if line:
            found[line] = min(found.get(line, remark.severity), remark.severity, key=order.index)
    return found


def _root(data: bytes) -> etree._Element | None:
    try:
        return parse(data) if data else None
    except XmlRefusedError:
        return None


def line_of(root: etree._Element | None, location: str) -> int:
    """The line of the element that a finding names, or of the last one on the way that exists; 0: none."""
    if root is None or not location:
        return 0
    steps = location.strip("/").split("/")
    first = _STEP.fullmatch(steps[0])
    start = None
    if first is not None:
        start = next(
            (one for one in root.iter(etree.Element) if etree.QName(one).localname == first[1]), None
        )
    if start is None:
        return 0
    here = start
    for step in steps[1:]:
        found = _STEP.fullmatch(step)
        if found is None:
            break
        same = [
            child for child in here.iterchildren(etree.Element) if etree.QName(child).localname == found[1]
        ]
        place = int(found[2] or 1)
        if place > len(same):
            break
        here = same[place - 1]
    return int(getattr(here, "sourceline", 0) or 0)
