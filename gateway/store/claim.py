"""What may start now. On SQLite a claim writes nothing: what is handed out is kept in this process's memory,
and a restart simply looks again (architecture §3b)."""

import threading
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple

from gateway.model.delivery import Destination
from gateway.ports import Produced, Settlement, Task
from gateway.store import claim_statements as named
from gateway.store.session import Session

Lane = tuple[int, str, str]
"""(report id, destination, recipient): the report id stands for site and report set."""
WHENEVER = (1 << 63) - 1
"""In place of now: whatever the next try is."""


class Due(NamedTuple):
    """A delivery that may start; `attempt` is the number of the next one."""

    next_try: int
    id: int
    attempt: int
    version_id: int
    produced: bool
    lane: Lane

    def task(self, lease: int = 0) -> Task:
        return Task(
            kind="deliver",
            id=self.id,
            attempt=self.attempt,
            destination=Destination(self.lane[1]),
            version=self.version_id,
            lease=lease,
        )


class Found(NamedTuple):
    """Rows that were ready when the store was read: versions, then deliveries, each oldest first.

    `look` numbers the reading.
    """

    versions: tuple[int, ...]
    deliveries: tuple[Due, ...]
    limit: int
    look: int


class Claiming:
    """What is handed out, and the choice of what is handed out next.

    All in the event loop, but `withdraw`, which the writer's thread asks.
    """

    def __init__(self, per_destination: int, *, recovering: bool = False) -> None:
        """`recovering`: until the first claim a worker of an earlier process may still be sending."""
        self._per_destination = per_destination
        self._recovering = recovering
        self._lock = threading.Lock()
        self._withdrawn: dict[int, int | None] = {}
        self.paused: frozenset[str] = frozenset()
        self._looks = 0
        self._versions: set[int] = set()
        self._deliveries: dict[int, Lane] = {}

    def look(
        self,
        limit: int,
        now: int,
        room: Mapping[Destination, int],
        probes: Container[Destination] = (),
    ) -> Callable[[Session], Found]:
        """The reading part of a claim, to be run in the reader's thread; `now` in microseconds.

        `room`: how many more of a destination may be handed out, where fewer than `per_destination` say;
        `probes`: where the next goes also before its time.
        """
        self._looks += 1
        number_of_look, self._recovering = self._looks, False
        versions, deliveries = frozenset(self._versions), frozenset(self._deliveries)
        lanes = frozenset(self._deliveries.values())
        under_way = Counter(lane[1] for lane in lanes)
        places = {
            kind: min(self._per_destination - under_way[kind.value], room.get(kind, limit))
            for kind in Destination
            if kind.value not in self.paused
        }

        def read(session: Session) -> Found:
            # What is handed out still looks ready in the tables: read so many more, and leave it out.
            planned = session.rows(named.PLANNED_VERSIONS, {"most": limit + len(versions)})
            due: list[Due] = []
            for kind, most in places.items():
                if most <= 0:
                    continue
                latest = WHENEVER if kind in probes else now
                rows = session.rows(
                    named.DUE,
                    {"destination": kind.value, "now": latest, "most": most + under_way[kind.value]},
                )
                found = [
                    Due(next_try, number, attempts + 1, version, bool(made), (report, kind.value, recipient))
                    for number, next_try, version, attempts, report, recipient, made in rows
                    if number not in deliveries
                ]
                # A row cancelled while it is being sent still occupies its lane.
                due += [one for one in found if one.lane not in lanes][:most]
            due.sort()
            return Found(
                tuple(one for (one,) in planned if one not in versions), tuple(due), limit, number_of_look
            )

        return read

    def hand_out(self, found: Found) -> tuple[Task, ...]:
        """The tasks of `found` that fit its limit."""
        late = [one.version_id for one in found.deliveries if not one.produced]
        versions = sorted({*found.versions, *late} - self._versions)
        with self._lock:
            ready = [one for one in found.deliveries if one.produced and self._free(one.id, found.look)]
        versions, ready = share(found.limit, versions, ready)
        self._versions.update(versions)
        with self._lock:
            ready = [one for one in ready if self._free(one.id, found.look)]
            self._deliveries.update((one.id, one.lane) for one in ready)
            self._tidy()
        return (
            *(Task(kind="produce", id=version) for version in versions),
            *(one.task() for one in ready),
        )

    def take_back_results(self, results: tuple[Produced | Settlement, ...]) -> None:
        for one in results:
            if isinstance(one, Produced):
                self._versions.discard(one.version_id)
            else:
                self._deliveries.pop(one.delivery_id, None)

    def take_back(self, tasks: tuple[Task, ...]) -> None:
        for task in tasks:
            if task.kind == "produce":
                self._versions.discard(task.id)
            else:
                self._deliveries.pop(task.id, None)

    # --- what is given up while nobody sends it

    def withdraw(self, delivery_id: int) -> bool:
        """True: nobody sends it, and nobody will before the transaction that asks is known to have ended
        (`ended`). For the writer's thread: what a look saw before that commit would else still be sent."""
        with self._lock:
            if self._recovering or delivery_id in self._deliveries:
                return False
            self._withdrawn[delivery_id] = None
            return True

    def ended(self, withdrawn: Sequence[int]) -> None:
        """The transaction has ended, one way or the other: a look that begins now sees how."""
        with self._lock:
            for number in withdrawn:
                self._withdrawn[number] = self._looks

    def _free(self, delivery_id: int, look: int) -> bool:
        """Not withdrawn, as far as this look can know."""
        if delivery_id not in self._withdrawn:
            return True
        last_doubtful = self._withdrawn[delivery_id]
        return last_doubtful is not None and look > last_doubtful

    def _tidy(self) -> None:
        """Forget withdrawals that no look can miss any more: looks come one after the other."""
        over = [number for number, last in self._withdrawn.items() if last is not None and last < self._looks]
        for number in over:
            del self._withdrawn[number]


def share(limit: int, versions: list[int], ready: list[Due]) -> tuple[list[int], list[Due]]:
    """What of both fits the limit.

    Production comes first, but while deliveries are ready too it takes half of the room, and not the last
    place: a long queue of production would else keep the network idle.
    """
    half = max(limit // 2, limit - len(ready))
    versions = versions[: min(half, limit)]
    return versions, ready[: limit - len(versions)]


def next_due(session: Session, now: int) -> int | None:
    """The earliest time after `now` at which a delivery becomes due, in microseconds."""
    times = (session.row(named.NEXT_DUE, {"destination": kind.value, "now": now}) for kind in Destination)
    return min((time for row in times if row for time in row if time is not None), default=None)
