"""What a simulator has taken and not judged yet: one file, appended to before the answer leaves.

Under load a peer must not cost more than its protocol. What it took is judged later, by the same rules, in
the order in which it came; each item then becomes one entry of the ledger that names its number here.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple


class Judge(StrEnum):
    """When a simulator judges what it takes."""

    AT_ONCE = "at-once"
    """Before it answers; what is wrong is refused."""
    LATER = "later"
    """It takes all, for tests under load; judged when its ledger is asked for, and at the end."""


class Held(NamedTuple):
    """`envelope`: what the protocol says beside the bytes."""

    number: int
    taken: datetime
    envelope: Mapping[str, Any]
    data: bytes

    def mark(self) -> dict[str, Any]:
        """What the entry of the ledger says of it: such a submission was taken before it was judged."""
        return {"held": self.number, "taken": self.taken.isoformat()}


class Hold:
    """`held.bin` in a folder: for each item a line of JSON with its number and size, then its bytes.

    `take` may be called from any thread, `judge` from one at a time. It survives the end of the process.
    """

    def __init__(self, folder: Path, judged: int) -> None:
        """`judged`: the highest number that the ledger has. A last item torn by a kill is cut off: its
        submission was never answered."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "held.bin"
        self._lock = threading.Lock()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._judged = self._last = judged
        self._next = self._end = 0
        while (head := self._head(self._end)) is not None:
            begin, number, size = head
            self._end = begin + size
            if number <= judged:
                self._next = self._end
            self._last = max(self._last, number)
        if self._end < os.fstat(self._file).st_size:
            print(f"{self.path.name}: unreadable from byte {self._end}, cut off", file=sys.stderr)
            os.ftruncate(self._file, self._end)

    def __len__(self) -> int:
        """How many wait to be judged."""
        return self._last - self._judged

    def take(self, envelope: Mapping[str, Any], data: bytes) -> None:
        """Raises OSError when it cannot be kept; then nothing of it is."""
        with self._lock:
            head = {"number": self._last + 1, "size": len(data), "taken": datetime.now(UTC).isoformat()}
            line = json.dumps({**head, **envelope}).encode() + b"\n"
            written, wanted = os.writev(self._file, (line, data)), len(line) + len(data)
            if written < wanted:
                os.ftruncate(self._file, self._end)
                raise OSError(f"{self.path.name}: {written} of {wanted} bytes could be written")
            self._end += wanted
            self._last += 1

    def judge(self, one: Callable[[Held], None]) -> int:
        """Give all that wait to `one`, in their order; how many. It must have kept each before it returns."""
        first = self._judged
        while self._judged < self._last:
            held, self._next = self._read(self._next)
            one(held)
            self._judged = held.number
        with self._lock:
            if self._judged == self._last:  # the bytes lie beside the ledger now
                os.ftruncate(self._file, 0)
                self._next = self._end = 0
        return self._judged - first

    def close(self) -> None:
        os.close(self._file)

    def _head(self, place: int) -> tuple[int, int, int] | None:
        """(where the bytes begin, number, size) of the item at `place`; None: there is no whole one."""
        line, newline, _ = os.pread(self._file, _LONGEST_HEAD, place).partition(b"\n")
        try:
            head = json.loads(line) if newline else {}
            begin, size = place + len(line) + 1, int(head["size"])
            whole = begin + size <= os.fstat(self._file).st_size
            return (begin, int(head["number"]), size) if whole else None
        except (ValueError, KeyError, TypeError):
            return None

    def _read(self, place: int) -> tuple[Held, int]:
        """The item at `place`, and where the next one begins."""
        found = self._head(place)
        assert found is not None, "only whole items are counted"
        begin, number, size = found
        head = json.loads(os.pread(self._file, begin - place, place))
        data = os.pread(self._file, size, begin)
        return Held(number, datetime.fromisoformat(head["taken"]), head, data), begin + size


_LONGEST_HEAD = 64 * 1024
