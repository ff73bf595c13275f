"""`make compiled`: a wheel with extension modules is unpacked, passes the tests of what it compiled, and its
steps are measured beside those of the sources.

    python -m bench.compiled WHEEL

Exit 1 when a test fails, or when what was tested is not the compiled build.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHOWN = (
    "tests/unit/test_hl7v2_*.py",
    "tests/unit/test_cda_*.py",
    "tests/unit/test_mapping_*.py",
    "tests/unit/test_pdf_letter*.py",
    "tests/unit/test_rules_*.py",
    "tests/unit/test_explain.py",
    "tests/unit/test_broken_messages.py",
    "tests/golden",
    "tests/contract/test_intake_*.py",
    "tests/contract/test_mappers.py",
)
"""Tests of the compiled modules, and of those that call them."""
_STEPS = "import asyncio, json; from bench import stages; s = asyncio.run(stages.measure(seconds=4)); "
_STEPS += "print(json.dumps({name: s.milliseconds(name) for name in s.rounds}))"
_WHICH = "import gateway, gateway.mapping.locator as one; print(int(gateway.compiled()), one.__file__)"


def unpack(wheel: Path, folder: Path) -> None:
    """The wheel as a tree with the tests and benches beside it: nothing in it leads back to the sources."""
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    for name in ("tests", "bench"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)


def python(folder: Path, *arguments: str, read: bool = False) -> str:
    """Run in `folder`, whose packages hide those of the sources. Raises CalledProcessError."""
    given = {**os.environ, "PYTHONPATH": str(folder), "SHARED": os.environ.get("SHARED", str(_shared()))}
    done = subprocess.run(
        (sys.executable, *arguments),
        cwd=folder,
        env=given,
        check=True,
        text=True,
        stdout=subprocess.PIPE if read else None,
    )
    return done.stdout or ""


def _shared() -> Path:
    """Where tests look for the official kit when nothing says so: beside the project."""
    return ROOT.parent / "shared"


def main(wheel: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="gateway-compiled-") as name:
        folder = Path(name)
        unpack(wheel, folder)
        compiled, place = python(folder, "-c", _WHICH, read=True).split()
        if compiled != "1" or not place.startswith(str(folder)):
            raise SystemExit(f"not the compiled build: {place}")
        shown = [str(one) for pattern in SHOWN for one in sorted(folder.glob(pattern))]
        python(folder, "-m", "pytest", "-n", "2", *shown)
        _compare(
            json.loads(python(ROOT, "-c", _STEPS, read=True)),
            json.loads(python(folder, "-c", _STEPS, read=True)),
        )


def _compare(pure: dict[str, float], compiled: dict[str, float]) -> None:
    print(f"{'intake of a 2 kB ORU, CPU ms by step':38}{'pure':>8}{'compiled':>10}{'times':>8}")
    for step, cost in pure.items():
        print(f"{step:38}{cost:8.3f}{compiled[step]:10.3f}{cost / compiled[step]:8.2f}")
    whole, then = sum(pure.values()), sum(compiled.values())
    print(f"{'in all, without network':38}{whole:8.3f}{then:10.3f}{whole / then:8.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
