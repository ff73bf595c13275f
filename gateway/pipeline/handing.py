"""Claims what may start now and hands it to the workers, as far as they and the destinations have room."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.config import Settings
from gateway.model.delivery import Destination, Outcome
from gateway.pipeline.gates import UNKNOWN, Gates, GateState
from gateway.pipeline.link import Link
from gateway.pipeline.pace import Pace, monotonic
from gateway.ports import Clock, StoreUnavailableError, Task, WorkStore

log = logging.getLogger(__name__)

POLL = 2.0
"""Seconds after which the store is asked again at the latest: another process may have retried something."""
BREATH = 0.05
"""Seconds from one claim to the next at least: a flood of commits does not claim after each of them."""

QUIET = 0.1
"""Seconds without news after which the store is asked what is due next, where tasks were just handed out:
mostly their results come before, and the question would be in vain."""
UNEVEN = 16
"""Tasks that one worker may have more than another."""
PRESSED, FEW = 12, 1
"""Messages waiting for their answers from which on senders wait for each other (3 wait at 500 a second), and
tasks that a worker has meanwhile. Intake has priority, and that of its process does not spare it what results
make it write. A little goes on all the same: who presses for hours stops no delivery."""
PRESSED_FOR = 0.5
"""Seconds that it counts after it was seen: a moment's ease would fill the hands of all workers."""
SETTLED_BEFORE = timedelta(seconds=5)
"""A gate hears of a failure when it is written, or so much later."""


class Handing:
    """`links` are the places of the workers. All in the event loop."""

    def __init__(self, store: WorkStore, settings: Settings, clock: Clock) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self.links: list[Link] = []
        self.waiting: Callable[[], int] = lambda: 0
        self._pressed_until = 0.0
        self._wake = asyncio.Event()
        self._not_before = 0.0
        self._gates: Gates | None = None

    def wake(self) -> None:
        """Deliveries may have become ready."""
        self._wake.set()

    def hold(self, seconds: float) -> None:
        """Claim nothing before."""
        self._not_before = monotonic() + seconds

    def reload(self, settings: Settings) -> None:
        """Use `settings` for what is handed out from now on; circuits begin closed, as after a repair."""
        self._settings, self._gates = settings, None
        for link in self.links:
            link.reload(settings)
        self.wake()

    def status(self) -> dict[str, Any]:
        """Workers alive, tasks handed out, the destinations that do not simply work, and what is known of
        those that are down."""
        now, wall = monotonic(), self._clock.now()
        states = self._gated.states(now)
        return {
            "circuits": {
                kind.value: {
                    "since": _iso(wall, down.since - now),
                    "failures": down.failures,
                    "last": down.code,
                    "next_probe": _iso(wall, down.next_probe - now),
                }
                for kind, down in self._gated.down().items()
            },
            "destinations": {
                kind.value: state.value for kind, state in states.items() if state is not GateState.WORKING
            },
            "alive": sum(link.alive for link in self.links),
            "in_flight": sum(len(link.tasks) for link in self.links),
        }

    async def answered(self, destination: Destination, outcome: Outcome) -> None:
        """What one attempt tells of its peer: when it is back, what failed meanwhile waits no longer."""
        now = monotonic()
        since = self._gated.result(destination, outcome, now)
        if since is None:
            return
        began = datetime.min.replace(tzinfo=UTC)
        if since != UNKNOWN:
            began = self._clock.now() - timedelta(seconds=now - since) - SETTLED_BEFORE
        try:
            await self._store.hasten(destination, began)
        except StoreUnavailableError as down:  # they go at their own next try
            log.warning("what waited is not hastened", extra={"fault": str(down)})

    async def give_back(self, tasks: tuple[Task, ...]) -> None:
        """They were handed out, and not begun."""
        for task in tasks:
            self._gated.returned(task.destination)
        await self._store.surrender(tasks)

    async def run(self, ended: Callable[[], bool]) -> None:
        """Claim and hand out, until `ended` says so after a `wake`."""
        pace = Pace(BREATH)
        while not ended():
            await pace.turn()
            await asyncio.sleep(max(0.0, self._not_before - monotonic()))
            self._wake.clear()
            free = self._free()
            tasks = await self._claim(free) if free else ()
            await self._hand_out(tasks)
            if self._wake.is_set():
                continue
            idle = POLL if not free or len(tasks) == free else QUIET if tasks else await self._until_due()
            with suppress(TimeoutError):
                async with asyncio.timeout(idle):
                    await self._wake.wait()

    @property
    def _gated(self) -> Gates:
        if self._gates is None:
            self._gates = Gates(self._settings.destinations, monotonic(), self._store.nodes())
        return self._gates

    def _free(self) -> int:
        """Tasks that may be handed out now."""
        free = sum(link.room for link in self.links)
        now = monotonic()
        if self.waiting() >= PRESSED:
            self._pressed_until = now + PRESSED_FOR
        if now >= self._pressed_until:
            return free
        few = FEW * sum(link.alive for link in self.links)
        return max(0, min(free, few - sum(len(link.tasks) for link in self.links)))

    async def _claim(self, free: int) -> tuple[Task, ...]:
        now, gates = monotonic(), self._gated
        under_way = Counter(
            task.destination for link in self.links for task in link.tasks.values() if task.destination
        )
        gates.share(self._store.nodes(), now)
        tasks = await self._store.claim(free, gates.room(under_way, now), gates.probing(now))
        for task in tasks:
            gates.handed_out(task.destination, now)
        return tasks

    async def _hand_out(self, tasks: tuple[Task, ...]) -> None:
        """What no worker can take any more is given back."""
        shares: dict[Link, list[Task]] = {link: [] for link in self.links}
        left: list[Task] = []
        for task in tasks:
            link = self._worker(task, shares)
            (left if link is None else shares[link]).append(task)
        for link, share in shares.items():
            if share and not await link.give(tuple(share)):
                left += share
        if left:
            await self.give_back(tuple(left))

    def _worker(self, task: Task, shares: Mapping[Link, Sequence[Task]]) -> Link | None:
        """All of a version to one worker, which has its documents in memory from their production on; where
        that one has much more to do, to the one with the most room. None: no worker has any."""
        rooms = [link.room - len(shares[link]) for link in self.links]
        home = (task.version or task.id) % len(rooms)
        if rooms[home] <= 0 or rooms[home] < max(rooms) - UNEVEN:
            home = rooms.index(max(rooms))
        return self.links[home] if rooms[home] > 0 else None

    async def _until_due(self) -> float:
        """Seconds until the next waiting delivery is due, or a gate lets more through, at most POLL."""
        due = await self._store.next_due()
        gate = self._gated.wait(monotonic())
        waits = [POLL]
        if due is not None:
            waits.append((due - self._clock.now()).total_seconds())
        if gate is not None:
            waits.append(gate)
        return max(0.0, min(waits))


def _iso(wall: datetime, seconds: float) -> str:
    """The time so many seconds from now, as the API shows a time."""
    moment = (wall + timedelta(seconds=seconds)).astimezone(UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
