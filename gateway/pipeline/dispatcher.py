"""The workers of this node, in the event loop of the intake process: `handing` gives them tasks, `settling`
writes what they report.

Every worker is supervised: when one dies, its journal is read, what it had is given back, and it is started
again after a pause. Before anything is handed out at start, workers that outlived a killed gateway are waited
for, because they finish what they are sending.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from gateway.config import Settings
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.pipeline import journal
from gateway.pipeline.handing import Handing
from gateway.pipeline.link import Link
from gateway.pipeline.pace import monotonic
from gateway.pipeline.settling import PAUSE, Settling
from gateway.pipeline.wire import Report
from gateway.ports import Clock, Produced, Settlement, StoreUnavailableError, Task, WorkStore

log = logging.getLogger(__name__)

RESTART_FIRST, RESTART_LONGEST = 0.1, 10.0
DEADLY = 3
"""A task that was being worked on at so many deaths of workers is failed: it would kill for ever."""

_Key = tuple[str, int]


class Dispatcher:
    """Start it after the store is open; `wake` it when deliveries may be ready; `stop` drains."""

    def __init__(
        self,
        store: WorkStore,
        settings: Settings,
        clock: Clock,
        *,
        factory: str = "gateway.service.workers:worker_parts",
    ) -> None:
        """`factory`: dotted path of the WorkerFactory that each worker calls."""
        self._store, self._settings, self._clock, self._factory = store, settings, clock, factory
        self._journals = settings.data_dir / "journal"
        self._handing = Handing(store, settings, clock)
        self._settling = Settling(store, self._handing, self._forgive)
        self._deaths: Counter[_Key] = Counter()
        self._stop = asyncio.Event()
        self._recovered = False
        self._running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Returns at once; deliveries begin when what an earlier process left is settled."""
        self._running = [
            asyncio.create_task(self._supervise(self._settling.run), name="dispatcher-settle"),
            asyncio.create_task(self._supervise(self._begin), name="dispatcher"),
        ]

    def wake(self) -> None:
        """Deliveries may have become ready."""
        self._handing.wake()

    def give_way(self, waiting: Callable[[], int]) -> None:
        """Hand out little while many senders wait for their answers: `waiting` gives their number."""
        self._handing.waiting = waiting

    def reload(self, settings: Settings) -> None:
        """Use `settings` for what is handed out from now on; circuits begin closed, as after a repair."""
        self._settings = settings
        self._handing.reload(settings)

    def status(self) -> dict[str, Any]:
        """For readiness: workers wanted and alive, tasks handed out, whether the last run is settled, and
        the destinations that do not simply work."""
        return self._handing.status() | {
            "workers": max(1, self._settings.workers),
            "recovered": self._recovered,
        }

    def halt(self) -> None:
        """`stop` will follow: claim no more, and start no worker again that a service manager ended."""
        self._stop.set()
        self.wake()

    async def stop(self, timeout: float = 30.0) -> None:
        """Claim no more, let workers finish what they are sending (`timeout` seconds), settle, end them."""
        self.halt()
        ends = [asyncio.create_task(link.stop(timeout)) for link in self._handing.links]
        if ends:
            await asyncio.wait(ends)
        keepers = self._running[2:]
        if keepers:
            await asyncio.wait(keepers, timeout=timeout)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    # --- start

    async def _begin(self) -> None:
        if not self._recovered:
            await self._recover_all()
            self._recovered = True
            names = [f"worker-{number}" for number in range(max(1, self._settings.workers))]
            self._handing.links = [Link(name, self._journals / f"{name}.journal") for name in names]
            for link in self._handing.links:
                keeping = self._supervise(partial(self._keep, link))
                self._running.append(asyncio.create_task(keeping, name=link.name))
        await self._handing.run(self._stop.is_set)

    async def _recover_all(self) -> None:
        """Settle what workers of an earlier process did, each after its end."""
        for path in journal.all_in(self._journals):
            if journal.alive(path):
                log.warning("waiting for a worker of an earlier gateway", extra={"worker": path.stem})
            while journal.alive(path):  # noqa: ASYNC110  # another process ends: nothing to await
                await asyncio.sleep(0.05)
            await self._recover(path)

    async def _recover(self, path: Path, link: Link | None = None) -> Task | None:
        """Settle the outcomes of one journal; the task that had the CPU when its worker ended.

        What the worker of `link` reported itself is known: it changes nothing, and is not told.
        """
        found = journal.recover(path)
        new = [one for one in found.settlements if link is None or ("deliver", one.delivery_id) in link.tasks]
        if new:
            log.info("outcomes recovered", extra={"worker": path.stem, "outcomes": len(new)})
            await self._settling.settle(found.settlements)
        journal.forget(path)
        return found.working

    # --- workers

    async def _keep(self, link: Link) -> None:
        """Run the worker of this place, again and again until `stop`."""
        pause = RESTART_FIRST
        while not self._stop.is_set():
            began = monotonic()
            try:
                await link.start(lambda: self._settings, self._factory)
                self.wake()
                async for report in link.reports():
                    spooled = link.spool.holds(report)
                    self._settling.put(
                        link, await asyncio.to_thread(link.spool.take, report) if spooled else report
                    )
            finally:
                await link.end()
                await self._settling.written()
                await self._bury(link)
            lived = monotonic() - began
            pause = RESTART_FIRST if lived > RESTART_LONGEST else min(RESTART_LONGEST, 2 * pause)
            await self._pause(pause)  # at a stop of the whole group we hear of it a moment later
            if self._stop.is_set():
                return
            log.error("worker ended, it is started again", extra={"worker": link.name, "pause": pause})

    async def _bury(self, link: Link) -> None:
        """Settle what the dead worker's journal knows, fail what killed too often, give the rest back."""
        working = await self._recover(link.journal, link)
        lost = link.abandon()
        if working is not None and working in lost and not self._stop.is_set():
            key = (working.kind, working.id)
            self._deaths[key] += 1
            if self._deaths[key] >= DEADLY:
                log.error("task ends workers, it is failed", extra={"task": working.kind, "id": working.id})
                await self._settling.settle((_failed(working, self._clock.now()),))
                del self._deaths[key]
        if lost:
            await self._store.surrender(lost)

    def _forgive(self, report: Report) -> None:
        """What is reported did not kill."""
        for key in keys(report):
            self._deaths.pop(key, None)

    # ---

    async def _supervise(self, part: Callable[[], Awaitable[None]]) -> None:
        """A part that fails is logged and begun again: nothing here stops in silence."""
        while not self._stop.is_set():
            try:
                await part()
            except StoreUnavailableError as down:
                log.warning("the store does not answer", extra={"fault": str(down)})
                await self._pause(PAUSE)
            except Exception:
                log.exception("dispatcher fault")
                await self._pause(PAUSE)
            else:
                return

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not beyond `stop`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()


def keys(report: Report) -> tuple[_Key, ...]:
    """The tasks that a report is about."""
    return (
        *(("produce", one.version_id) for one in report.produced),
        *(("deliver", one.settlement.delivery_id) for one in report.attempted),
        *((task.kind, task.id) for task in report.returned),
    )


def _failed(task: Task, now: datetime) -> Produced | Settlement:
    code, detail = "INTERNAL", "the worker process died on it again and again"
    if task.kind == "produce":
        return Produced(version_id=task.id, problem=f"{code}: {detail}", lease=task.lease)
    outcome = Outcome(kind=OutcomeKind.PERMANENT, code=code, detail=detail)
    moment = now.astimezone(UTC)
    return Settlement(
        delivery_id=task.id,
        outcome=outcome,
        attempt=task.attempt,
        started_at=moment,
        ended_at=moment,
        lease=task.lease,
    )
