"""Validation in child processes: one or two warm workers that share a list of files."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from conformance.verdict import Verdict

MOST = 2
"""More workers than this cost more to load than they save on the usual lists of files."""


class WorkerError(RuntimeError):
    """The worker did not start, or ended; the text is what it said."""


class Worker:
    """One child process, one request at a time."""

    def __init__(self, kit: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "conformance", "validate", "--worker", "--kit", str(kit)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.seconds_to_load: float = self._read().get("seconds", 0.0)

    def judge(self, path: Path) -> Verdict:
        """Raises WorkerError when the process is gone or cannot read the file."""
        return self._ask({"id": 1, "path": str(path), "name": str(path)})

    def _ask(self, request: dict[str, Any]) -> Verdict:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError("the validation worker has ended") from None
        answer = self._read()
        if "error" in answer:
            raise WorkerError(str(answer["error"]))
        return msgspec.convert(answer["verdict"], Verdict)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            raise WorkerError(
                self._process.stderr.read().strip()[-1000:] or "the validation worker has ended"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Close its input: it ends by itself."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Pool:
    """Up to MOST workers. `judge_all` keeps the order of the files."""

    def __init__(self, kit: Path, size: int = MOST) -> None:
        count = max(1, min(size, MOST, os.cpu_count() or 1))
        with ThreadPoolExecutor(count) as threads:
            self._workers = tuple(threads.map(lambda _: Worker(kit), range(count)))

    def judge_all(self, files: tuple[Path, ...]) -> tuple[Verdict, ...]:
        waiting = list(reversed(list(enumerate(files))))
        done: dict[int, Verdict] = {}

        def work(worker: Worker) -> None:
            while True:
                try:
                    place, file = waiting.pop()
                except IndexError:
                    return
                done[place] = worker.judge(file)

        with ThreadPoolExecutor(len(self._workers)) as threads:
            list(threads.map(work, self._workers))
        return tuple(done[place] for place in range(len(files)))

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.close()
