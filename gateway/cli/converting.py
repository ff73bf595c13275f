"""`gateway convert` and `gateway check`: offline, deterministic with `--now`."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gateway import cda
from gateway.cli.common import (
    FAILED,
    WRONG_USE,
    emit,
    fail,
    finding_row,
    messages,
    print_findings,
    read_file,
    settings,
)
from gateway.mapping import sites as site_profiles
from gateway.model.decision import Verdict
from gateway.model.delivery import Destination
from gateway.model.findings import Finding, Severity
from gateway.model.order import SCHEMA as ORDER_SCHEMA
from gateway.model.report import SCHEMA
from gateway.model.site import CdaLevel
from gateway.model.version import DocumentKind
from gateway.pipeline import offline

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.mapping.sites import Sites


def convert(
    file: Path, to: str, level: str, site: str, now: str, out: Path | None, config: Path | None
) -> None:
    """Write the artefact to `out` or stdout; exit 1 when the message gives none, with the reason."""
    if to not in _WRITERS:
        fail(f"--to {to}: expected one of {', '.join(_WRITERS)}", WRONG_USE)
    if level and level not in list(CdaLevel):
        fail(f"--level {level}: expected {' or '.join(CdaLevel)}", WRONG_USE)
    current = settings(config)
    judged = _judge(file, site, _moment(now), current)
    if len(judged) > 1:
        print(f"gateway: {file}: {len(judged)} reports; the first one is converted", file=sys.stderr)
    data = _WRITERS[to](offline.at_level(judged[0], CdaLevel(level)) if level else judged[0])
    if out is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        out.write_bytes(data)


def check(files: list[Path], site: str, as_json: bool, config: Path | None) -> None:
    """Print verdict and findings of every file; exit 1 when one would be refused."""
    current = settings(config)
    profiles = _sites(current)
    refused = False
    for name, data in messages(files, current.limits.max_bytes):
        try:
            judged = offline.judge(
                data,
                profiles,
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
                for found in (*one.decision.findings, *one.deviations, *offline.document_findings(one))
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
_VERDICTS = {
    Verdict.ACCEPT: "would be taken and delivered",
    Verdict.HOLD: "would be taken and held: nothing leaves",
    Verdict.BLOCK: "would be taken; some deliveries would be blocked",
    Verdict.REJECT: "would be refused",
}


def _sites(current: "Settings") -> "Sites":
    try:
        return site_profiles.load(current.sites_dir, default=current.site)
    except site_profiles.SitesError as wrong:
        fail(str(wrong), WRONG_USE)


def _moment(now: str) -> datetime:
    if not now:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(now)
    except ValueError:
        fail(f"--now {now}: expected ISO 8601, e.g. 2021-01-08T11:17:00+01:00", WRONG_USE)
    if moment.tzinfo is None:
        fail(f"--now {now}: the offset is missing, e.g. +01:00", WRONG_USE)
    return moment


def _judge(file: Path, site: str, now: datetime, current: "Settings") -> tuple[offline.Judged, ...]:
    data = read_file(file, current.limits.max_bytes)
    try:
        judged = offline.judge(
            data,
            _sites(current),
            site=site,
            environment=current.environment,
            now=now,
            convert_pdf=current.pdf.convert,
        )
    except offline.UnreadableError as unreadable:
        print_findings(unreadable.findings, indent="", file=sys.stderr)
        raise SystemExit(FAILED) from None
    except KeyError:
        fail(f"--site {site}: no such profile", WRONG_USE)
    if not judged:
        fail(f"{file}: holds no report")
    return judged


def _canonical(judged: offline.Judged) -> bytes:
    mapped = judged.mapped
    _refuse_without(mapped.report is not None or judged.asked is not None, judged)
    content: dict[str, Any] = {"schema": SCHEMA, "report": mapped.report}
    if judged.asked is not None:
        content = {"schema": ORDER_SCHEMA, "order": judged.asked.order}
    document = {
        **content,
        "provenance": {"context": mapped.context, "values": mapped.provenance, "coverage": mapped.coverage},
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _document(kind: DocumentKind) -> Callable[[offline.Judged], bytes]:
    def write(judged: offline.Judged) -> bytes:
        from gateway.pipeline.production import ProductionError

        if judged.asked is not None and kind is DocumentKind.CDA:
            return _order(judged.asked)
        _refuse_without(judged.version is not None, judged)
        try:
            made = offline.documents(judged)
        except ProductionError as refused:
            print_findings(refused.findings, indent="", file=sys.stderr)
            raise SystemExit(FAILED) from None
        print_findings(made.findings, indent="", file=sys.stderr)
        return next(one.data for one in made.documents if one.kind is kind)

    return write


def _order(asked: offline.Asked) -> bytes:
    """An order as IMG-DA-IMG, or exit 1 with what it lacks."""
    if reasons := cda.order_possible(asked.order, asked.site):
        print_findings(reasons, indent="", file=sys.stderr)
        raise SystemExit(FAILED)
    built = cda.build_order(asked.order, asked.identity, asked.site)
    print_findings((*built.findings, *cda.check(built.data)), indent="", file=sys.stderr)
    return built.data


def _prepared(destination: Destination, part: Callable[[Any], bytes]) -> Callable[[offline.Judged], bytes]:
    def write(judged: offline.Judged) -> bytes:
        from gateway.pipeline.destinations import PrepareError, folder, mssante
        from gateway.pipeline.production import ProductionError

        _refuse_without(judged.version is not None, judged)
        prepare = folder.prepare if destination is Destination.FOLDER else mssante.prepare
        try:
            owed = offline.jobs(judged, destination)
            if not owed:
                fail("the report has no recipient of this kind")
            request = prepare(owed[0])
            try:
                return part(request)
            except KeyError:
                fail(f"it cannot be made of this report: {getattr(request, 'remark', '')}")
        except (PrepareError, ProductionError) as refused:
            print_findings(refused.findings, indent="", file=sys.stderr)
            raise SystemExit(FAILED) from None

    return write


def _refuse_without(ready: bool, judged: offline.Judged) -> None:
    if not ready:
        print_findings(judged.decision.findings or judged.mapped.findings, indent="", file=sys.stderr)
        fail("the message gives no such artefact: it is no report, or one that makes no document now")


_WRITERS: dict[str, Callable[[offline.Judged], bytes]] = {
    "canonical": _canonical,
    "cda": _document(DocumentKind.CDA),
    "pdf": _document(DocumentKind.PDF),
    "html": lambda judged: cda.html(_document(DocumentKind.CDA)(judged)),
    "metadata": _prepared(Destination.FOLDER, lambda request: dict(request.files)["metadata.xml"]),
    "xdm": _prepared(Destination.FOLDER, lambda request: dict(request.files)["IHE_XDM.ZIP"]),
    "mail": _prepared(Destination.MSSANTE_PS, lambda request: bytes(request.data)),
}
