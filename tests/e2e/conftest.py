"""The installed commands as processes, simulated peers, real sockets."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.demo.processes import Process, module
from conformance.demo.stage import Stage


class Gateway:
    """`gateway serve` on embedded defaults (folder only), and the other verbs on the same data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "GATEWAY_DATA_DIR": str(folder / "var"),
            "GATEWAY_MLLP__PORT": "0",
            "GATEWAY_HTTP__PORT": "0",
        }
        self.process: Process | None = None
        self.mllp = self.http = ""

    def serve(self, *options: str | Path, **more: str) -> None:
        command = module("gateway", "serve", *map(str, options))
        environment = {**self.environment, **more}
        self.process = Process("gateway", command, self.folder / "log", environment)
        words = self.process.ready().split()
        self.mllp = next(word for word in words if word.startswith("mllp://"))
        self.http = next(word for word in words if word.startswith("http"))

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """One verb of `gateway`; never raises for its exit status."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **self.environment},
        )

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """A listing verb with --json."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    @property
    def outbox(self) -> Path:
        return self.folder / "var" / "outbox"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    one = Gateway(tmp_path)
    one.serve()
    yield one
    assert one.process is not None
    one.process.stop()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    one = Stage(tmp_path / "stage")
    one.start()
    yield one
    one.stop()
