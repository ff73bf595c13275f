"""Hands claimed tasks to workers and settles what they report; in the event loop of the intake process.

Every worker is supervised: when one dies, its journal is read, what it had is given back, and it is started
again after a pause. Before anything is handed out at start, workers that outlived a killed gateway are waited
for, because they finish what they are sending.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from gateway.config import Settings
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.pipeline import journal
from gateway.pipeline.gates import Gates, GateState
from gateway.pipeline.link import Link
from gateway.pipeline.wire import Report
from gateway.ports import Clock, Produced, Settlement, StoreUnavailableError, Task, WorkStore
from gateway.telemetry import metrics

log = logging.getLogger(__name__)

POLL = 2.0
"""Seconds after which the store is asked again at the latest: another process may have retried something."""
BREATH = 0.005
"""Seconds between two claims, so that a flood of commits does not claim after each of them."""
PAUSE = 1.0
"""Seconds of waiting after something could not be done now: store unavailable, tasks given back."""
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
        self._links: list[Link] = []
        self._wake = asyncio.Event()
        self._results: asyncio.Queue[tuple[Link, Report]] = asyncio.Queue()
        self._deaths: Counter[_Key] = Counter()
        self._stop = asyncio.Event()
        self._recovered = False
        self._not_before = 0.0
        self._gates: Gates | None = None
        self._running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Returns at once; deliveries begin when what an earlier process left is settled."""
        self._running = [
            asyncio.create_task(self._supervise(self._settle_loop), name="dispatcher-settle"),
            asyncio.create_task(self._supervise(self._begin), name="dispatcher"),
        ]

    def wake(self) -> None:
        """Deliveries may have become ready."""
        self._wake.set()

    def reload(self, settings: Settings) -> None:
        """Use `settings` for what is handed out from now on; circuits begin closed, as after a repair."""
        self._settings, self._gates = settings, None
        for link in self._links:
            link.reload(settings)
        self.wake()

    def status(self) -> dict[str, Any]:
        """For readiness: workers wanted and alive, tasks handed out, whether the last run is settled, and
        the destinations that do not simply work."""
        states = self.gates.states(self._time())
        return {
            "destinations": {
                kind.value: state.value for kind, state in states.items() if state is not GateState.WORKING
            },
            "workers": max(1, self._settings.workers),
            "alive": sum(link.alive for link in self._links),
            "in_flight": sum(len(link.tasks) for link in self._links),
            "recovered": self._recovered,
        }

    async def stop(self, timeout: float = 30.0) -> None:
        """Claim no more, let workers finish what they are sending (`timeout` seconds), settle, end them."""
        self._stop.set()
        self.wake()
        ends = [asyncio.create_task(link.stop(timeout)) for link in self._links]
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
            self._links = [Link(name, self._journals / f"{name}.journal") for name in names]
            for link in self._links:
                keeping = self._supervise(partial(self._keep, link))
                self._running.append(asyncio.create_task(keeping, name=link.name))
        await self._claim_loop()

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
            await self._settle(found.settlements)
        journal.forget(path)
        return found.working

    # --- claim and hand out

    async def _claim_loop(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            wait = self._not_before - self._time()
            if wait > 0:
                await asyncio.sleep(wait)
            free = sum(link.room for link in self._links)
            tasks = await self._claim(free) if free else ()
            await self._hand_out(tasks)
            idle = POLL if not free or len(tasks) == free else await self._until_due()
            await asyncio.sleep(BREATH)
            with suppress(TimeoutError):
                async with asyncio.timeout(idle):
                    await self._wake.wait()

    @property
    def gates(self) -> Gates:
        if self._gates is None:
            self._gates = Gates(self._settings.destinations, self._time(), self._store.nodes())
        return self._gates

    async def _claim(self, free: int) -> tuple[Task, ...]:
        now = self._time()
        under_way = Counter(
            task.destination for link in self._links for task in link.tasks.values() if task.destination
        )
        self.gates.share(self._store.nodes(), now)
        tasks = await self._store.claim(free, self.gates.room(under_way, now))
        for task in tasks:
            self.gates.handed_out(task.destination, now)
        return tasks

    async def _hand_out(self, tasks: tuple[Task, ...]) -> None:
        """To the worker with the most room each; what no worker can take any more is given back."""
        shares: dict[Link, list[Task]] = {}
        left: list[Task] = []
        for task in tasks:
            link = max(self._links, key=lambda one: one.room - len(shares.get(one, ())))
            if link.room - len(shares.get(link, ())) > 0:
                shares.setdefault(link, []).append(task)
            else:
                left.append(task)
        for link, share in shares.items():
            if not await link.give(tuple(share)):
                left += share
        if left:
            self._gates_returned(left)
            await self._store.surrender(tuple(left))

    def _gates_returned(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self.gates.returned(task.destination)

    async def _until_due(self) -> float:
        """Seconds until the next waiting delivery is due, or a gate lets more through, at most POLL."""
        due = await self._store.next_due()
        gate = self.gates.wait(self._time())
        waits = [POLL]
        if due is not None:
            waits.append((due - self._clock.now()).total_seconds())
        if gate is not None:
            waits.append(gate)
        return max(0.0, min(waits))

    # --- results

    async def _settle_loop(self) -> None:
        """All that workers reported meanwhile goes into one settlement."""
        while True:
            batch = [await self._results.get()]
            while not self._results.empty():
                batch.append(self._results.get_nowait())
            try:
                await self._take(batch)
            finally:
                for _ in batch:
                    self._results.task_done()

    async def _take(self, batch: list[tuple[Link, Report]]) -> None:
        attempted = [one for _, report in batch for one in report.attempted]
        results: tuple[Produced | Settlement, ...] = (
            *(one for _, report in batch for one in report.produced),
            *(one.settlement for one in attempted),
        )
        await self._settle(results)
        for one in attempted:
            where = one.destination.value if one.destination is not None else ""
            metrics.ATTEMPTS.labels(where, one.settlement.outcome.kind.value).inc()
            if one.settlement.attempt > 1:
                metrics.RETRIES.labels(where).inc()
            if one.sent:
                self.gates.result(one.destination, one.settlement.outcome.kind, self._time())
        returned = tuple(one for _, report in batch for one in report.returned)
        if returned:
            self._not_before = self._time() + PAUSE
            self._gates_returned(returned)
            await self._store.surrender(returned)
        for link, report in batch:
            link.done(report)
            for key in keys(report):
                self._deaths.pop(key, None)
        self.wake()

    async def _settle(self, results: tuple[Produced | Settlement, ...]) -> None:
        """Until it is written: an outcome is never dropped because the disk is full.

        A result that the store cannot take for a fault of its own is logged and stays handed out: nothing
        may be sent again on a guess.
        """
        while results:
            try:
                await self._store.settle(results)
            except StoreUnavailableError:
                log.exception("outcomes wait for the store", extra={"outcomes": len(results)})
                await asyncio.sleep(PAUSE)
            except Exception:
                log.exception("outcome not written", extra={"outcomes": len(results)})
                if len(results) > 1:
                    for one in results:
                        await self._settle((one,))
                return
            else:
                return

    # --- workers

    async def _keep(self, link: Link) -> None:
        """Run the worker of this place, again and again until `stop`."""
        pause = RESTART_FIRST
        while not self._stop.is_set():
            began = self._time()
            try:
                await link.start(lambda: self._settings, self._factory)
                self.wake()
                async for report in link.reports():
                    whole = await asyncio.to_thread(link.spool.take, report) if report.produced else report
                    self._results.put_nowait((link, whole))
            finally:
                await link.end()
                await self._results.join()
                await self._bury(link)
            if self._stop.is_set():
                return
            lived = self._time() - began
            pause = RESTART_FIRST if lived > RESTART_LONGEST else min(RESTART_LONGEST, 2 * pause)
            log.error("worker ended, it is started again", extra={"worker": link.name, "pause": pause})
            await self._pause(pause)

    async def _bury(self, link: Link) -> None:
        """Settle what the dead worker's journal knows, fail what killed too often, give the rest back."""
        working = await self._recover(link.journal, link)
        lost = link.abandon()
        if working is not None and working in lost and not self._stop.is_set():
            key = (working.kind, working.id)
            self._deaths[key] += 1
            if self._deaths[key] >= DEADLY:
                log.error("task ends workers, it is failed", extra={"task": working.kind, "id": working.id})
                await self._settle((_failed(working, self._clock.now()),))
                del self._deaths[key]
        if lost:
            await self._store.surrender(lost)

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

    @staticmethod
    def _time() -> float:
        """Seconds of a clock that never jumps; the event loop's own."""
        return time.monotonic()

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
