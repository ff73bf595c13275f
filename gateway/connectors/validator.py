"""The official rules as a long-lived child process: JSON lines over its stdin and stdout.

The child is started by the first document and again after every fault. What it says is read as data: no text
of the document gets from its verdicts into findings or logs, only rules and places.
"""

import base64
import contextlib
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gateway.config import ValidationSettings
from gateway.model.findings import Finding, Severity, finding
from gateway.ports import ValidatorUnavailableError

log = logging.getLogger(__name__)

KEPT = 2048
"""Verdicts in memory, by hash of the document, while the kit stays the same."""
LOOK = 10.0
"""Seconds between two looks at the kit: another one is loaded by a new child, and judges everything anew."""
MOST = 50
"""Findings kept of one document; a last one tells how many more there are."""
HOPELESS = 3
"""A document at which the child failed so often is refused: it would hold up all others for ever."""
PAUSE_FIRST, PAUSE_LONGEST = 1.0, 60.0
"""Seconds between starts of a child that does not come up."""

_CODES = {"error": "CDA-RULE", "warning": "CDA-ADVICE", "info": "CDA-ADVICE"}
_ORDER = tuple(Severity)


class RulesValidator:
    """`ports.Validator` around the command of the settings."""

    def __init__(self, settings: ValidationSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts nothing. `settings.kit` must be set."""
        assert settings.kit is not None
        self._settings, self._clock = settings, clock
        self._child: _Child | None = None
        self._verdicts: OrderedDict[str, tuple[Finding, ...]] = OrderedDict()
        self._kit, self._look_again = "", 0.0
        self._failures: Counter[str] = Counter()
        self._pause, self._not_before = PAUSE_FIRST, 0.0
        self._closed = False

    def start(self) -> float:
        """Start the child when none runs; the seconds that it took to load the rules.

        Raises ValidatorUnavailableError, at once while the last failed start is too recent.
        """
        if self._closed:
            raise ValidatorUnavailableError("the validator is closed")
        if self._child is not None:
            return 0.0
        wait = self._not_before - self._clock()
        if wait > 0:
            raise ValidatorUnavailableError(f"the validator did not start; next try in {wait:.0f} s")
        began = self._clock()
        try:
            self._child = _Child(self._settings)
        except ValidatorUnavailableError as failed:
            log.error("validator does not start", extra={"reason": str(failed), "pause": self._pause})
            self._not_before = self._clock() + self._pause
            self._pause = min(PAUSE_LONGEST, 2 * self._pause)
            raise
        self._pause = PAUSE_FIRST
        seconds = self._clock() - began
        log.info("validator ready", extra={"seconds": round(seconds, 1)})
        return seconds

    def judge(self, document: bytes) -> tuple[Finding, ...]:
        """See `ports.Validator`. An equal document is not judged twice by the same rules."""
        self._follow_the_kit()
        name = hashlib.sha256(document).hexdigest()
        known = self._verdicts.get(name)
        if known is not None:
            self._verdicts.move_to_end(name)
            return known
        self.start()
        assert self._child is not None
        try:
            answer = self._child.ask(document, self._settings.timeout)
        except ValidatorUnavailableError as failed:
            self._child.end()
            self._child = None
            return self._failed(name, failed)
        found = findings(answer)
        self._failures.pop(name, None)
        self._keep(name, found)
        return found

    def close(self) -> None:
        self._closed = True
        child = self._child
        if child is not None:
            child.end()

    def _follow_the_kit(self) -> None:
        """Rules changed on disk: what the child has loaded, and said by it, is no longer true."""
        assert self._settings.kit is not None
        if self._kit and self._clock() < self._look_again:
            return
        self._look_again = self._clock() + LOOK
        now = fingerprint(self._settings.kit)
        if self._kit and now != self._kit:
            log.info("kit changed", extra={"verdicts": len(self._verdicts)})
            self._verdicts.clear()
            if self._child is not None:
                self._child.end()
                self._child = None
        self._kit = now

    def _failed(self, name: str, failed: ValidatorUnavailableError) -> tuple[Finding, ...]:
        if self._closed:
            raise failed
        self._failures[name] += 1
        log.error("validator failed", extra={"reason": str(failed), "times": self._failures[name]})
        if self._failures[name] < HOPELESS:
            raise failed
        del self._failures[name]  # whoever retries the delivery by hand gets a fresh series
        return (finding("VALIDATION-FAILED", detail=f"{HOPELESS} times: {failed}"),)

    def _keep(self, name: str, found: tuple[Finding, ...]) -> None:
        self._verdicts[name] = found
        while len(self._verdicts) > KEPT:
            self._verdicts.popitem(last=False)


class _Child:
    """One process. Every wait has a limit: at its end the process is killed, which ends the wait."""

    def __init__(self, settings: ValidationSettings) -> None:
        command = [*resolved(settings.command), "--kit", str(settings.kit)]
        # Not a pipe: nobody would read it while the child works.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed in `end`
        try:
            self._process = subprocess.Popen(  # noqa: S603  # the operator's own command, no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                process_group=0,  # Ctrl-C is for the gateway; the child ends with its input
            )
        except OSError as failed:
            self._errors.close()
            raise ValidatorUnavailableError(f"{command[0]}: {failed.strerror}") from None
        try:
            self._read(settings.start_timeout)
        except ValidatorUnavailableError as failed:
            said = self._said()
            self.end()
            raise ValidatorUnavailableError(said or str(failed)) from None

    def ask(self, document: bytes, timeout: float) -> dict[str, Any]:
        """The verdict. Raises ValidatorUnavailableError; the child is then of no more use."""
        request = {"id": 1, "data": base64.b64encode(document).decode(), "kind": "cda", "official": True}
        stdin = self._process.stdin
        assert stdin is not None
        with self._limit(timeout) as expired:
            try:
                stdin.write(json.dumps(request).encode() + b"\n")
                stdin.flush()
            except (OSError, ValueError):  # ValueError: closed meanwhile
                raise ValidatorUnavailableError(expired() or "it has ended") from None
            answer = self._line(expired)
        if not isinstance(answer.get("verdict"), dict):
            raise ValidatorUnavailableError("it gave no verdict")
        return dict(answer["verdict"])

    def end(self) -> None:
        """Kill it; it has nothing to lose."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _read(self, timeout: float) -> None:
        with self._limit(timeout) as expired:
            if not self._line(expired).get("ready"):
                raise ValidatorUnavailableError("it did not say that it is ready")

    def _line(self, expired: Callable[[], str]) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            line = self._process.stdout.readline()
            answer = json.loads(line) if line else None
        except (OSError, ValueError):
            answer = None
        if not isinstance(answer, dict):
            raise ValidatorUnavailableError(expired() or "it has ended")
        return answer

    @contextmanager
    def _limit(self, seconds: float) -> Iterator[Callable[[], str]]:
        """Kills the process after `seconds`; the value tells whether that happened."""
        reasons: list[str] = []

        def kill() -> None:
            reasons.append(f"no answer in {seconds:g} s")
            self._process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield lambda: "".join(reasons)
        finally:
            timer.cancel()

    def _said(self) -> str:
        """The last line on its stderr: why it did not start. It has seen no document yet."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._errors.seek(0)
        lines = self._errors.read()[-2000:].decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def fingerprint(kit: Path) -> str:
    """Names the state of all files of the kit, by path, size and time of change (≈ 15 ms for 1 900 files)."""
    state = hashlib.sha256()
    for folder, folders, names in os.walk(kit):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)  # noqa: PTH118  # a Path for each file takes three times as long
            with contextlib.suppress(OSError):
                facts = os.stat(path)  # noqa: PTH116
                state.update(f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return state.hexdigest()


def resolved(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command with its program found in PATH, else beside this Python (an environment not activated)."""
    program, *rest = command
    beside = Path(sys.executable).parent / program
    found = shutil.which(program) or (str(beside) if beside.is_file() else program)
    return (found, *rest)


def findings(verdict: dict[str, Any]) -> tuple[Finding, ...]:
    """Remarks of a verdict as findings, errors first: place, step, the rule's own words and file."""
    remarks = [remark for remark in verdict.get("remarks", ()) if isinstance(remark, dict)]
    found = [_finding(remark) for remark in remarks]
    found.sort(key=lambda one: _ORDER.index(one.severity))
    if len(found) <= MOST:
        return tuple(found)
    left = finding("CDA-ADVICE", detail=f"{len(found) - MOST} more findings of the official rules")
    return (*found[:MOST], left)


def _finding(remark: dict[str, Any]) -> Finding:
    severity = str(remark.get("severity", "error"))
    step = str(remark.get("step", ""))
    code = "CDA-SCHEMA" if step == "XSD" else _CODES.get(severity, "CDA-RULE")
    words = str(remark.get("said", "")) or str(remark.get("rule", ""))
    source = str(remark.get("source", ""))
    detail = ": ".join(part for part in (step, words) if part) + (f" [{source}]" if source else "")
    known = severity if severity in _CODES else "error"
    return finding(code, str(remark.get("location", "")), detail, Severity(known))
