"""What `conformance validate` does: judge the files, print or write the verdicts, return the exit status."""

import sys
from datetime import datetime
from importlib import metadata
from pathlib import Path

from conformance.schematron.steps import KitError, content_digest, kit_folder
from conformance.validate import page, report
from conformance.validate.kinds import Kind
from conformance.validate.validator import Validator
from conformance.verdict import Verdict

ENOUGH_FOR_WORKERS = 8
"""Below this number of files, loading the rules twice costs more than two processes gain."""


def run(
    files: tuple[Path, ...],
    *,
    kit: Path | None = None,
    kind: str = "",
    json_lines: bool = False,
    junit: Path | None = None,
    html: Path | None = None,
) -> int:
    """0: no error in any file; 1: errors; 2: wrong use (unknown kind, no kit in the folder)."""
    try:
        wanted = Kind(kind) if kind else None
    except ValueError:
        known = ", ".join(one.value for one in Kind if one is not Kind.UNKNOWN)
        print(f"--as {kind}: the kinds are {known}", file=sys.stderr)
        return 2
    try:
        verdicts = _judge(files, kit, wanted)
    except KitError as error:
        print(str(error), file=sys.stderr)
        return 2
    for verdict in verdicts:
        for line in [report.as_json(verdict)] if json_lines else report.as_text(verdict):
            print(line)
    if junit is not None:
        junit.write_bytes(report.as_junit(verdicts))
    if html is not None:
        sources = {str(file): file.read_bytes() for file in files}
        made = page.as_html(verdicts, datetime.now().astimezone(), sources, _made_by(kit))
        html.write_text(made, encoding="utf-8")
    return 0 if all(verdict.valid for verdict in verdicts) else 1


def _made_by(kit: Path | None) -> str:
    """Program and rules, so that a report can be made again: by content, not by a folder of this machine."""
    program = f"imaging-report-gateway {metadata.version('imaging-report-gateway')}"
    if kit is None:
        return f"{program} · sans règles officielles"
    return f"{program} · règles officielles : kit CI-SIS, SHA-256 {content_digest(kit_folder(kit))}"


def _judge(files: tuple[Path, ...], kit: Path | None, kind: Kind | None) -> tuple[Verdict, ...]:
    validator = Validator(kit)
    if validator.official is not None and kind is None and len(files) >= ENOUGH_FOR_WORKERS:
        from conformance.schematron.client import Pool

        with Pool(validator.official.kit) as pool:
            return pool.judge_all(files)
    return tuple(validator.judge(str(file), file.read_bytes(), kind) for file in files)
