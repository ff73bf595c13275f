"""Compiled rules on disk, in the user's cache folder: valid while neither rules nor compiler change."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

from conformance.schematron.compiler import VERSION, Check, Compiled, compile_schema
from conformance.schematron.source import digest, load


class _Entry(msgspec.Struct):
    files: list[str]
    digest: str
    xslt: str
    checks: list[Check]
    base: str


def folder() -> Path:
    """`$XDG_CACHE_HOME` or `~/.cache`; created on first use."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "imaging-report-gateway" / "schematron"


def compiled(rules: Path, *, careful: bool = False, cache: Path | None = None) -> Compiled:
    """The compiled form of `rules`, from the cache when it is still true. Raises SchematronError.

    The key holds the path of the rules (document() resolves against it) and the version of the compiler; an
    entry also holds the digest of all rule files. A cache that cannot be written is no error.
    """
    rules = rules.resolve()
    name = hashlib.sha256(f"{rules}\0{VERSION}\0{careful}".encode()).hexdigest()[:32]
    path = (cache or folder()) / f"{rules.stem}-{name}.json"
    known = _read(path)
    if known is not None:
        return known
    schema = load(rules)
    made = compile_schema(schema, careful=careful)
    entry = _Entry(
        files=[str(file) for file in schema.files],
        digest=digest(schema.files),
        xslt=made.xslt,
        checks=list(made.checks),
        base=made.base,
    )
    with contextlib.suppress(OSError):
        _write(path, msgspec.json.encode(entry))
    return made


def _read(path: Path) -> Compiled | None:
    try:
        entry = msgspec.json.decode(path.read_bytes(), type=_Entry)
        if digest(tuple(Path(file) for file in entry.files)) != entry.digest:
            return None
    except (OSError, msgspec.DecodeError):
        return None
    return Compiled(entry.xslt, tuple(entry.checks), entry.base)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: two processes may compile the same rules."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(name).replace(path)
