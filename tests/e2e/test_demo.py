"""`make demo` is the promise of the README."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.req("REQ-35", "REQ-36", "REQ-50", "REQ-12", "REQ-80")
def test_the_demo_ends_as_it_promises(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "conformance.demo", "--dir", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
