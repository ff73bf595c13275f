"""What workers report goes into the store, several reports in one settlement."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from gateway.pipeline.handing import Handing
from gateway.pipeline.link import Link
from gateway.pipeline.pace import Pace, monotonic
from gateway.pipeline.wire import Report
from gateway.ports import Produced, Settlement, StoreUnavailableError, WorkStore
from gateway.telemetry import metrics

log = logging.getLogger(__name__)

LEAST = 0.025
"""Seconds from one settlement to the next at least: each is a commit, and pages are written once a commit."""
GATHER, ENOUGH = 0.1, 32
"""Seconds from one settlement to the next where fewer results have come. Eight reports in one cost half of
what each costs alone; what is not settled yet holds a place in the hands of its worker."""
MOST_BYTES = 1 << 20
"""Of documents, from which a settlement takes no further report: senders wait behind it."""
PAUSE = 1.0
"""Seconds of waiting after something could not be done now: store unavailable, tasks given back."""

_Said = tuple[Link, Report]


class Settling:
    """`put` what a worker says, `run` writes it. All in the event loop."""

    def __init__(self, store: WorkStore, handing: Handing, taken: Callable[[Report], None]) -> None:
        """`taken`: told of each report when it is written."""
        self._store, self._handing, self._taken = store, handing, taken
        self._results: asyncio.Queue[_Said] = asyncio.Queue()
        self._unwritten, self._enough = 0, asyncio.Event()

    def put(self, link: Link, report: Report) -> None:
        self._results.put_nowait((link, report))
        self._count(_results(report))

    async def written(self) -> None:
        """All that was put is written, or given back."""
        await self._results.join()

    async def run(self) -> None:
        pace, last = Pace(LEAST), 0.0
        while True:
            batch = [await self._results.get()]
            try:
                await pace.turn()
                await self._gathered(last + GATHER)
                last = monotonic()
                size = _bytes(batch[0])
                while size < MOST_BYTES and not self._results.empty():
                    batch.append(self._results.get_nowait())
                    size += _bytes(batch[-1])
                self._count(-sum(_results(report) for _, report in batch))
                await self._take(batch)
            finally:
                for _ in batch:
                    self._results.task_done()

    def _count(self, more: int) -> None:
        self._unwritten += more
        if self._unwritten >= ENOUGH:
            self._enough.set()
        else:
            self._enough.clear()

    async def _gathered(self, end: float) -> None:
        """Until enough has come, or `end`."""
        rest = end - monotonic()
        if rest > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._enough.wait()

    async def settle(self, results: tuple[Produced | Settlement, ...]) -> None:
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
                        await self.settle((one,))
                return
            else:
                return

    async def _take(self, batch: list[_Said]) -> None:
        attempted = [one for _, report in batch for one in report.attempted]
        results: tuple[Produced | Settlement, ...] = (
            *(one for _, report in batch for one in report.produced),
            *(one.settlement for one in attempted),
        )
        await self.settle(results)
        for one in attempted:
            where, kind = one.destination, one.settlement.outcome.kind
            metrics.ATTEMPTS.labels(where or "", kind.value).inc()
            if one.settlement.attempt > 1:
                metrics.RETRIES.labels(where or "").inc()
            if one.sent and where is not None:
                await self._handing.answered(where, one.settlement.outcome)
        returned = tuple(one for _, report in batch for one in report.returned)
        if returned:
            self._handing.hold(PAUSE)
            await self._handing.give_back(returned)
        for link, report in batch:
            link.done(report)
            self._taken(report)
        self._handing.wake()


def _results(report: Report) -> int:
    return len(report.produced) + len(report.attempted) + len(report.returned)


def _bytes(said: _Said) -> int:
    return sum(len(document.data) for made in said[1].produced for document in made.documents)
