"""`gateway check`: what would become of messages, offline and without side effect."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.cli.common import (
    FAILED,
    WRONG_USE,
    emit,
    fail,
    finding_row,
    messages,
    print_findings,
    profiles,
    settings,
)
from gateway.model.decision import Verdict
from gateway.model.findings import Finding, Severity
from gateway.pipeline import offline


def check(files: list[Path], site: str, as_json: bool, config: Path | None) -> None:
    """Print verdict and findings of every file; exit 1 when one would be refused."""
    current = settings(config)
    sites = profiles(current)
    refused = False
    for name, data in messages(files, current.limits.max_bytes):
        try:
            judged = offline.judge(
                data,
                sites,
                site=site,
                environment=current.environment,
                now=datetime.now(UTC),
                convert_pdf=current.pdf.convert,
            )
            verdict = max((one.decision.verdict for one in judged), key=list(Verdict).index)
            kept = verdict is Verdict.ACCEPT and all(one.mapped.report is None for one in judged)
            findings = tuple(
                found
                for one in judged
                for found in (*one.decision.findings, *one.deviations, *_of_documents(one))
            )
        except offline.UnreadableError as unreadable:
            verdict, findings, kept = Verdict.REJECT, unreadable.findings, False
        except KeyError:
            fail(f"--site {site}: no such profile", WRONG_USE)
        refused = refused or verdict is Verdict.REJECT
        if as_json:
            emit([_verdicts(name, verdict, findings)])
        else:
            print(f"{name}: {_KEPT if kept else _VERDICTS[verdict]}; {_conformity(findings)}")
            print_findings(findings)
    if refused:
        raise SystemExit(FAILED)


def _of_documents(judged: offline.Judged) -> tuple[Finding, ...]:
    """What the documents add: of the identity the message was told already, with its own places."""
    said = {one.code for one in judged.decision.findings} & _OF_IDENTITY
    return tuple(one for one in offline.document_findings(judged) if one.code not in said)


def _verdicts(file: str, verdict: Verdict, findings: tuple[Finding, ...]) -> dict[str, Any]:
    """The two verdicts: can it be processed, does it conform (architecture decision 19)."""
    return {
        "file": file,
        "verdict": verdict,
        "conformant": not _deviations(findings),
        "findings": [finding_row(one) for one in findings],
    }


def _deviations(findings: tuple[Finding, ...]) -> int:
    """Findings that somebody should mend: tolerated or not, the message does not conform."""
    return sum(one.severity is not Severity.INFO for one in findings)


def _conformity(findings: tuple[Finding, ...]) -> str:
    count = _deviations(findings)
    return f"does not conform ({count} deviation{'s' if count > 1 else ''})" if count else "conforms"


_KEPT = "would be taken and kept: an order or an identity, no report"
_OF_IDENTITY = frozenset({"INS-NOT-QUALIFIED", "TRAITS-INCOMPLETE"})
_VERDICTS = {
    Verdict.ACCEPT: "would be taken and delivered",
    Verdict.HOLD: "would be taken and held: nothing leaves",
    Verdict.BLOCK: "would be taken; some deliveries would be blocked",
    Verdict.REJECT: "would be refused",
}
