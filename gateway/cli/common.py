"""What every verb shares: settings, errors for people, one JSON object a line."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.mapping.sites import Sites
    from gateway.model.findings import Finding

FAILED, WRONG_USE = 1, 2


def fail(text: str, status: int = FAILED) -> NoReturn:
    """End the command with the reason on stderr."""
    print(f"gateway: {text}", file=sys.stderr)
    raise SystemExit(status)


def settings(config: Path | None) -> "Settings":
    """The settings, or exit 2 with every wrong one named."""
    from gateway.config import explain, load

    try:
        return load(config)
    except (FileNotFoundError, ValueError) as wrong:
        fail(explain(wrong), WRONG_USE)


def profiles(current: "Settings", folder: Path | None = None) -> "Sites":
    """The site profiles of `folder`, else of the settings; exit 2 with every fault, one a line."""
    from gateway.mapping import sites

    try:
        return sites.load(folder or current.sites_dir, default=current.site)
    except sites.SitesError as wrong:
        fail(str(wrong), WRONG_USE)


def read_file(path: Path, limit: int) -> bytes:
    """The content of a message file, or exit 2; a file above the limit is refused before it is read."""
    try:
        if path.stat().st_size > limit:
            fail(f"{path}: larger than limits.max_bytes ({limit} bytes)")
        return path.read_bytes()
    except OSError as wrong:
        fail(f"{path}: {wrong.strerror}", WRONG_USE)


@contextmanager
def new_archive(out: Path) -> Iterator[Path]:
    """Where an archive is written that gets the name `out` when it is whole: nobody else may read it, and
    nothing is overwritten. Ends the command with the reason where that cannot be done."""
    if out.exists():
        fail(f"{out} exists already")
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.touch(mode=0o600)
        yield partial
        partial.rename(out)
    except OSError as fault:
        fail(f"{out}: {fault.strerror or fault}")
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def messages(files: list[Path], limit: int) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every message: `batch.hl7 (2)` for one of several in a file."""
    from gateway.pipeline import offline

    for file in files:
        parts = offline.messages(read_file(file, limit))
        for number, data in enumerate(parts, 1):
            yield str(file) if len(parts) == 1 else f"{file} ({number})", data


def emit(rows: Iterable[dict[str, Any]]) -> None:
    """One JSON object a line."""
    for row in rows:
        print(json.dumps(row, ensure_ascii=False, default=str))


def finding_row(found: "Finding") -> dict[str, Any]:
    return {
        "code": found.code,
        "severity": found.severity.value,
        "location": found.location,
        "text": found.text,
        "detail": found.detail,
        "remedy": found.remedy,
    }


def print_findings(findings: Iterable["Finding"], *, indent: str = "  ", file: Any = None) -> None:
    for found in findings:
        place = f" {found.location}" if found.location else ""
        detail = f" ({found.detail})" if found.detail else ""
        print(f"{indent}{found.severity:7} {found.code}{place}: {found.text}{detail}", file=file)
        print(f"{indent}        → {found.remedy}", file=file)
