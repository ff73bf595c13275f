"""Who writes next: senders that wait for their answer before results of workers, which nobody waits for."""

from collections import deque
from typing import Generic, Protocol, TypeVar

GROUP_BYTES = 1 << 20
"""A group is closed when its payload reaches this size: larger commits only delay everybody (measured)."""
GROUP_JOBS = 512
PATIENCE = 8
"""Groups that may pass a job that can wait; then it goes, alone if it is large."""


class Job(Protocol):
    @property
    def size(self) -> int:
        """Bytes of its payload."""

    @property
    def later(self) -> bool:
        """Nobody waits for it."""


J = TypeVar("J", bound=Job)


class Turns(Generic[J]):
    """Jobs in two lines, each in its order. Not for two threads at once."""

    def __init__(self) -> None:
        self._first: deque[J] = deque()
        self._later: deque[J] = deque()
        self._passed = 0

    def __bool__(self) -> bool:
        return bool(self._first or self._later)

    def add(self, job: J) -> None:
        (self._later if job.later else self._first).append(job)

    def group(self) -> list[J]:
        """The next group: at least one job, more as long as they fit; [] when nobody waits."""
        made: list[J] = []
        lines = (self._first, self._later)
        if self._later and self._passed >= PATIENCE:
            lines = (self._later, self._first)
        size = 0
        for line in lines:
            while line and len(made) < GROUP_JOBS and (not made or size + line[0].size <= GROUP_BYTES):
                size += line[0].size
                made.append(line.popleft())
        self._passed = self._passed + 1 if self._later and not any(job.later for job in made) else 0
        return made
