"""Java programs of `tests/java`: libraries through Maven, once a session; skipped visibly without either."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "java"
needs_java = pytest.mark.skipif(
    not (shutil.which("java") and shutil.which("mvn")), reason="Java and Maven are needed (veraPDF)"
)


@cache
def libraries() -> Path:
    """Folder with the jars that `pom.xml` names; skips when they cannot be had."""
    folder = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imaging-report-gateway" / "jars"
    )
    if not list(folder.glob("validation-model-*.jar")):
        done = subprocess.run(
            [
                *("mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"),
                f"-DoutputDirectory={folder}",
            ],
            capture_output=True,
            text=True,
            timeout=110,
        )
        if done.returncode:
            pytest.skip(f"Maven cannot fetch veraPDF: {done.stdout[-200:]}")
    return folder


def pdfa_faults(*files: Path) -> dict[str, list[str]]:
    """The rules of PDF/A-1b that each file breaks, as veraPDF says; every file was really checked."""
    done = subprocess.run(
        ["java", "-cp", f"{libraries()}/*", str(HERE / "PdfaCheck.java"), *map(str, files)],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("  "):
            next(reversed(found.values())).append(line.strip())
        else:
            name, checks, _ = line.split("\t")
            assert int(checks) > 100, "nothing was checked"
            found[Path(name).name] = []
    assert len(found) == len(files)
    return found
