"""Golden files: an input → exact bytes. `UPDATE_GOLDEN=1` rewrites them; `git diff` shows what changed."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent


def golden(name: str, actual: bytes) -> None:
    """Compare `actual` with the golden file `name`, or rewrite it when UPDATE_GOLDEN is set."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(actual)
    assert path.is_file(), f"no golden file {name}: run with UPDATE_GOLDEN=1 and look at it"
    expected = path.read_bytes()
    assert actual.decode(errors="replace") == expected.decode(errors="replace")
    assert actual == expected
