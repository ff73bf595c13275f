"""A worker: makes documents and deliveries for the dispatcher at the other end of a socket.

CPU work (documents, requests) runs in one thread, sends run beside it in the event loop. When the socket
closes, or on SIGTERM, the worker begins nothing new, finishes the sends under way, writes them in its
journal, and ends.
"""

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from gateway.pipeline.journal import Journal
from gateway.pipeline.route import WorkerParts
from gateway.pipeline.wire import Order, Report, frame, read_frame
from gateway.pipeline.worker_bench import Bench, ClosingError, LargeError, close
from gateway.pipeline.worker_delivery import Delivery
from gateway.pipeline.worker_production import Production
from gateway.ports import Task

log = logging.getLogger(__name__)

WINDOW = 64
"""Tasks that one worker has at a time, from their claim to the commit of their result."""
TOGETHER = 0.02
"""Seconds in which reports are told in one frame: each wakes the process of the intake."""
_LATER = {"produce": "versions", "deliver": "deliveries"}
"""As the log counts what a worker that ends gives back."""


class Worker:
    """The tasks of one connection to the dispatcher."""

    def __init__(self, make: Callable[[dict[str, Any]], WorkerParts], journal: Journal) -> None:
        """`make`: settings as the dispatcher sends them → parts; called by `use`."""
        self._bench = Bench(make, journal)
        self._production, self._delivery = Production(self._bench), Delivery(self._bench)
        self._large = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._done: list[Report] = []
        self._tell: Callable[[], None]
        self._left: Counter[str] = Counter()
        self._closing = self._bench.closing

    def use(self, settings: dict[str, Any]) -> None:
        """Make the parts and work with them from now on. Raises what the factory raises."""
        self._bench.use(settings)

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Work until the other side closes or asks to drain."""
        ordering = asyncio.create_task(self._orders(reader))
        self._tell = partial(self._report, writer)
        await self._closing.wait()
        ordering.cancel()
        # Production is not waited for: it is simply made again. What is being sent ends one way or another.
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._tell()
        if self._left:
            log.info("what was not begun is done later", extra=dict(self._left))
        await asyncio.gather(*self._retiring)
        await self._bench.close()
        await _sent(writer)
        writer.close()

    def drain(self) -> None:
        self._bench.begin_closing()

    async def _orders(self, reader: asyncio.StreamReader) -> None:
        while not self._closing.is_set():
            order = await read_frame(reader, Order)
            if order is None or order.drain:
                break
            if order.settings is not None:
                await self._reload(order.settings)
            for task in order.tasks:
                running = asyncio.create_task(self._work(task))
                self._tasks.add(running)
                running.add_done_callback(self._tasks.discard)
        self.drain()

    async def _reload(self, settings: dict[str, Any]) -> None:
        """Tasks under way end with the parts that they began with; then those are closed."""
        before, users = self._bench.parts, set(self._tasks)
        try:
            await self._bench.on_cpu(lambda: self.use(settings))
        except ClosingError:
            return
        except Exception:
            log.exception("worker keeps its configuration")
            return

        async def retire() -> None:
            if users:
                await asyncio.wait(users)
            await close(before)

        retiring = asyncio.create_task(retire())
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _work(self, task: Task) -> None:
        work = self._production.produce if task.kind == "produce" else self._delivery.deliver
        try:
            report = await self._alone(work, task)
        except Exception:
            log.exception("task failed", extra={"task": task.kind, "id": task.id})
            report = Report(returned=(task,))
        if self._closing.is_set():
            self._left.update(_LATER[one.kind] for one in report.returned)
        if not self._done:
            asyncio.get_running_loop().call_later(TOGETHER, self._tell)
        self._done.append(report)

    def _report(self, writer: asyncio.StreamWriter) -> None:
        """Send what is done, all in one frame. Nobody listening is no fault: the journal has it."""
        reports, self._done = self._done, []
        if not reports or writer.is_closing():
            return
        joined = Report(
            produced=tuple(one for report in reports for one in report.produced),
            attempted=tuple(one for report in reports for one in report.attempted),
            returned=tuple(one for report in reports for one in report.returned),
        )
        writer.write(frame(joined))

    async def _alone(self, work: Callable[[Task, bool], Coroutine[Any, Any, Report]], task: Task) -> Report:
        """One large report at a time, so that the memory of a worker has a bound: `work` raises LargeError
        when it finds one, and is begun again when its turn has come."""
        try:
            return await work(task, False)
        except LargeError:
            pass  # its traceback holds what was read: it must end before the turn comes
        async with self._large:
            try:
                return await work(task, True)
            finally:
                gc.collect()  # a fault on the way leaves cycles around what was sent


async def _sent(writer: asyncio.StreamWriter) -> None:
    """All is with the other side, or that is gone."""
    writer.transport.set_write_buffer_limits(0)
    with suppress(OSError):
        await writer.drain()
