"""Processes of the demo and of end-to-end tests: start, wait until ready, stop by id."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path


class NotReadyError(Exception):
    """The process ended, or did not say that it is ready in time; the text holds the end of its log."""


class Process:
    """A child process that prints one line on stdout when it is ready; its stderr goes to a log file."""

    def __init__(
        self, name: str, command: list[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
                text=True,
            )
        self.started = time.perf_counter()
        self.ready_line = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self, seconds: float = 60.0) -> str:
        """The line that says that it is ready. Raises NotReadyError."""
        stdout = self._process.stdout
        assert stdout is not None
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.append(stdout.readline()), daemon=True)
        reader.start()
        reader.join(seconds)
        if not lines or not lines[0].strip():
            self.kill()
            tail = self.log.read_text(errors="replace")[-1500:]
            raise NotReadyError(f"{self.name} did not start: {tail or 'it said nothing'}")
        self.ready_line = lines[0].strip()
        return self.ready_line

    def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM, then SIGKILL; the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._close()
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL, as a power cut would: nothing is flushed, nothing is said."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        self._close()

    def _close(self) -> None:
        if self._process.stdout is not None:
            self._process.stdout.close()


def module(name: str, *arguments: str) -> list[str]:
    """Command line that runs a module of this installation."""
    return [sys.executable, "-m", name, *arguments]
