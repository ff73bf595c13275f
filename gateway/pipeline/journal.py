"""What a worker was doing, in a file of its own, so that a crash of either process loses no outcome.

The intake process settles outcomes; when it dies before, its restarted self reads them here. Lines are
appended around each send, without fsync: they survive the death of any process (`kill -9`), which
is what happens. Against a power cut, the line that says that an unrepeatable send begins is put on disk
first (fdatasync): without it a mail could go out twice, all others are repeated without harm.

A lock file beside it is held as long as the worker lives: the worker may still be sending.
"""

import errno
import fcntl
import os
import threading
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.model.base import Value, decode, encode
from gateway.model.delivery import INTERRUPTED, REPEATABLE, Destination, Outcome, OutcomeKind
from gateway.ports import Settlement, Task

_LINES = 4096
"""Lines after which the file is written anew."""


class Line(Value):
    """`working`: the CPU is given to this task. `started`, `begun`, `ended`: of one attempt."""

    kind: str
    task: Task
    at: datetime | None = None
    may_have_left: bool = False
    """Of `started`: nothing will tell when it leaves, and it must not be repeated."""
    settlement: Settlement | None = None


class Journal:
    """The writing side, in the worker."""

    def __init__(self, path: Path, window: int) -> None:
        """`window`: so many outcomes at most are not settled yet, hence so many are kept when the file is
        written anew. Raises BlockingIOError when another worker has this journal."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._lock = _lock_file(path).open("a")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._file = _append(path)
        self._open: dict[int, list[bytes]] = {}
        self._ended: deque[bytes] = deque(maxlen=2 * window)
        self._lines = 0
        self._writing = threading.Lock()  # the CPU thread and senders write, too
        self._renewing = threading.Lock()  # taken before `_writing`

    def working(self, task: Task) -> None:
        self._write(Line(kind="working", task=task))

    def started(self, task: Task, destination: Destination, at: datetime, *, marks: bool) -> None:
        """Before a send; `marks`: `begun` will follow when it really leaves. Of what may be repeated there is
        nothing to know while it has no end: no line."""
        self._open[task.id] = []
        if destination not in REPEATABLE:
            line = Line(kind="started", task=task, at=at, may_have_left=not marks)
            self._open[task.id].append(self._write(line))
            if not marks:
                os.fdatasync(self._file)

    def begun(self, task: Task, at: datetime) -> None:
        """From here on the peer may have it. In any thread: it waits for the disk, others write meanwhile."""
        line = Line(kind="begun", task=task, at=at)
        with self._renewing:
            self._open[task.id].append(self._write(line))
            os.fdatasync(self._file)

    def ended(self, task: Task, settlement: Settlement) -> None:
        """The outcome, before it is reported."""
        self._ended.append(self._write(Line(kind="ended", task=task, settlement=settlement)))
        self._open.pop(task.id, None)
        if self._lines > _LINES:
            self._renew()

    def close(self) -> None:
        os.close(self._file)
        self._lock.close()

    def _write(self, line: Line) -> bytes:
        data = encode(line) + b"\n"
        with self._writing:
            _put(self._file, data)
            self._lines += 1
        return data

    def _renew(self) -> None:
        """Keep what may not be settled yet; the rename makes it whole or not at all."""
        fresh = self.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = _append(fresh)
        with self._renewing, self._writing:
            kept = [*self._ended, *(data for lines in self._open.values() for data in lines)]
            _put(descriptor, b"".join(kept))
            os.fdatasync(descriptor)
            fresh.replace(self.path)
            os.close(self._file)
            self._file, self._lines = descriptor, len(kept)


class Recovered(NamedTuple):
    """What a dead worker's journal tells: outcomes to settle, and the task that had the CPU at the end."""

    settlements: tuple[Settlement, ...] = ()
    working: Task | None = None


def all_in(folder: Path) -> tuple[Path, ...]:
    """The journals of all workers that ever worked for this data folder, by their locks (made first)."""
    return tuple(lock.with_suffix(".journal") for lock in sorted(folder.glob("*.lock")))


def alive(path: Path) -> bool:
    """Whether a worker still holds this journal: it may be in the middle of a send."""
    with _lock_file(path).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def recover(path: Path) -> Recovered:
    """Read the journal of a worker that is gone.

    An attempt without outcome that may have left becomes `ambiguous`; any other is simply made again.
    Settling may repeat what was settled before: the store ignores a known attempt.
    """
    if not path.is_file():
        return Recovered()
    settlements: list[Settlement] = []
    under_way: dict[int, tuple[Line, bool]] = {}
    working: Task | None = None
    for line in _lines(path):
        match line.kind:
            case "working":
                working = line.task
            case "started":
                under_way[line.task.id] = (line, line.may_have_left)
            case "begun":
                begin = under_way.get(line.task.id, (line, True))[0]
                under_way[line.task.id] = (begin, True)
            case "ended" if line.settlement is not None:
                under_way.pop(line.task.id, None)
                settlements.append(line.settlement)
    settlements += [_interrupted(line) for line, left in under_way.values() if left]
    return Recovered(tuple(settlements), working)


def forget(path: Path) -> None:
    """Its outcomes are settled."""
    path.unlink(missing_ok=True)


def _interrupted(line: Line) -> Settlement:
    assert line.at is not None
    return Settlement(
        delivery_id=line.task.id,
        outcome=Outcome(
            kind=OutcomeKind.AMBIGUOUS, code=INTERRUPTED, detail="the sending process ended in the middle"
        ),
        attempt=line.task.attempt,
        started_at=line.at,
        ended_at=line.at,
        lease=line.task.lease,
    )


def _lines(path: Path) -> list[Line]:
    """All whole lines; the last one may be torn by a power cut."""
    lines: list[Line] = []
    for data in path.read_bytes().splitlines():
        try:
            lines.append(decode(data, Line))
        except msgspec.DecodeError:
            continue
    return lines


def _append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _put(descriptor: int, data: bytes) -> None:
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, "the journal could not be written whole")


def _lock_file(path: Path) -> Path:
    return path.with_suffix(".lock")
