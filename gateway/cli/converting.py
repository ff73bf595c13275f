"""`gateway convert`: a message to its artefacts, offline, deterministic with `--now`."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gateway import cda
from gateway.cli.common import FAILED, WRONG_USE, fail, messages, print_findings, profiles, settings
from gateway.model.delivery import Destination
from gateway.model.findings import Finding
from gateway.model.order import SCHEMA as ORDER_SCHEMA
from gateway.model.report import SCHEMA
from gateway.model.site import CdaLevel
from gateway.model.version import DocumentKind
from gateway.pipeline import offline

if TYPE_CHECKING:
    from gateway.config import Settings

_Read = offline.Judged | offline.UnreadableError
"""A report or an order of the file, or a message of it that cannot be read."""


class _NotMadeError(Exception):
    """There is no such artefact: the findings that say why, and a sentence where they do not say all."""

    def __init__(self, findings: tuple[Finding, ...], reason: str = "") -> None:
        super().__init__(reason)
        self.findings, self.reason = findings, reason


def convert(
    file: Path,
    to: str,
    level: str,
    number: int,
    site: str,
    now: str,
    out: Path | None,
    config: Path | None,
) -> None:
    """Write the artefact of each report and order of `file`, or of the one that `number` counts to.

    Several need `out`, and are numbered there (`cda-1.xml`, `cda-2.xml`). Exit 1 when one of them gives
    none, with the reason; the others are written.
    """
    if to not in _WRITERS:
        fail(f"--to {to}: expected one of {', '.join(_WRITERS)}", WRONG_USE)
    if level and level not in list(CdaLevel):
        fail(f"--level {level}: expected {' or '.join(CdaLevel)}", WRONG_USE)
    every = _judged(file, site, _moment(now), settings(config))
    if number > len(every):
        fail(f"--number {number}: {file} holds {len(every)}", WRONG_USE)
    chosen = every[number - 1 : number] if number else every
    if len(chosen) > 1 and out is None:
        what = f"{file} holds {len(every)} reports or orders"
        fail(f"{what}: choose one by --number, or name a file by --out, which is numbered", WRONG_USE)
    made = [
        _written(one, to, CdaLevel(level) if level else None, target, named=len(chosen) > 1)
        for one, target in zip(chosen, _targets(out, len(chosen)), strict=True)
    ]
    if not all(made):
        raise SystemExit(FAILED)


def _targets(out: Path | None, count: int) -> tuple[Path | None, ...]:
    if out is None or count == 1:
        return (out,) * count
    return tuple(out.with_name(f"{out.stem}-{place}{out.suffix}") for place in range(1, count + 1))


def _written(one: _Read, to: str, level: CdaLevel | None, target: Path | None, *, named: bool) -> bool:
    """Whether there is such an artefact; what there is to say of it goes to stderr, `named` by its file."""
    if named:
        print(f"{target}:", file=sys.stderr)
    try:
        if isinstance(one, offline.UnreadableError):
            raise _NotMadeError(one.findings)
        data = _WRITERS[to](offline.at_level(one, level) if level else one)
    except _NotMadeError as why:
        print_findings(why.findings, indent="", file=sys.stderr)
        if why.reason:
            print(f"gateway: {why.reason}", file=sys.stderr)
        return False
    if target is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        target.write_bytes(data)
    return True


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


def _judged(file: Path, site: str, now: datetime, current: "Settings") -> list[_Read]:
    """All that the file's messages hold, in order."""
    sites = profiles(current)
    every: list[_Read] = []
    for _, data in messages([file], current.limits.max_bytes):
        try:
            every += offline.judge(
                data,
                sites,
                site=site,
                environment=current.environment,
                now=now,
                convert_pdf=current.pdf.convert,
            )
        except offline.UnreadableError as unreadable:
            every.append(unreadable)
        except KeyError:
            fail(f"--site {site}: no such profile", WRONG_USE)
    return every


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
            raise _NotMadeError(refused.findings) from None
        print_findings(made.findings, indent="", file=sys.stderr)
        return next(one.data for one in made.documents if one.kind is kind)

    return write


def _order(asked: offline.Asked) -> bytes:
    """An order as IMG-DA-IMG."""
    if reasons := cda.order_possible(asked.order, asked.site):
        raise _NotMadeError(reasons)
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
                raise _NotMadeError((), "the report has no recipient of this kind")
            request = prepare(owed[0])
            try:
                return part(request)
            except KeyError:
                remark = getattr(request, "remark", "")
                raise _NotMadeError((), f"it cannot be made of this report: {remark}") from None
        except (PrepareError, ProductionError) as refused:
            raise _NotMadeError(refused.findings) from None

    return write


def _refuse_without(ready: bool, judged: offline.Judged) -> None:
    if not ready:
        why = judged.decision.findings or judged.mapped.findings
        reason = "the message gives no such artefact: it is no report, or one that makes no document now"
        raise _NotMadeError(why, reason)


_WRITERS: dict[str, Callable[[offline.Judged], bytes]] = {
    "canonical": _canonical,
    "cda": _document(DocumentKind.CDA),
    "pdf": _document(DocumentKind.PDF),
    "html": lambda judged: cda.html(_document(DocumentKind.CDA)(judged)),
    "metadata": _prepared(Destination.FOLDER, lambda request: dict(request.files)["metadata.xml"]),
    "xdm": _prepared(Destination.FOLDER, lambda request: dict(request.files)["IHE_XDM.ZIP"]),
    "mail": _prepared(Destination.MSSANTE_PS, lambda request: bytes(request.data)),
}
