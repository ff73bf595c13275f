"""The dispatcher's end of one worker: the process (or thread), its socket, the tasks that it has."""

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from gateway.config import Settings
from gateway.pipeline import wire
from gateway.pipeline.spool import LARGE, Spool
from gateway.pipeline.wire import Hello, Order, Report
from gateway.pipeline.worker import WINDOW
from gateway.pipeline.worker_process import run_in_thread
from gateway.ports import Task

log = logging.getLogger(__name__)

END_LIMIT = 5.0
"""Seconds that a worker whose socket is closed has to end before it is killed."""


class Link:
    """One worker's place; the worker in it may change."""

    def __init__(self, name: str, journal: Path) -> None:
        self.name, self.journal, self.spool = name, journal, Spool(journal)
        self.tasks: dict[tuple[str, int], Task] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._thread: threading.Thread | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._ended = asyncio.Event()
        self._draining = False

    @property
    def alive(self) -> bool:
        return self._writer is not None

    @property
    def room(self) -> int:
        """How many more tasks the worker takes."""
        return WINDOW - len(self.tasks) if self.alive and not self._draining else 0

    async def start(self, settings: Callable[[], Settings], factory: str) -> None:
        """Start the worker and greet it with the settings of that moment."""
        self.spool.sweep()
        ours, theirs = socket.socketpair()
        with theirs:
            if settings().workers:
                # One thread a worker: typst's own pool would take the cores from the intake.
                environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "gateway.pipeline.worker_process",
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,  # whoever reads ours to its end must not wait for it
                    env=environment,
                )
            else:
                self._thread = run_in_thread(theirs.dup())
        self._ended.clear()
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=LARGE)
        hello = Hello(settings=wire.dump(settings()), factory=factory, journal=str(self.journal))
        self._writer.write(wire.frame(hello))

    async def give(self, tasks: tuple[Task, ...]) -> bool:
        """Hand tasks over; False when the worker is gone."""
        if self._writer is None or self._draining:
            return False
        self.tasks |= {(task.kind, task.id): task for task in tasks}
        try:
            self._writer.write(wire.frame(Order(tasks=tasks)))
            await self._writer.drain()
        except ConnectionError:
            pass  # its end is noticed by `reports`, and the tasks are given back there
        return True

    def reload(self, settings: Settings) -> None:
        """What the worker begins from now on goes by `settings`."""
        if self._writer is not None:
            self._writer.write(wire.frame(Order(settings=wire.dump(settings))))

    async def reports(self) -> AsyncIterator[Report]:
        """Until the worker closes its end."""
        assert self._reader is not None
        while (report := await wire.read_frame(self._reader, Report)) is not None:
            yield report

    def done(self, report: Report) -> None:
        """These tasks are written, or given back."""
        for one in report.produced:
            self.tasks.pop(("produce", one.version_id), None)
        for attempted in report.attempted:
            self.tasks.pop(("deliver", attempted.settlement.delivery_id), None)
        for task in report.returned:
            self.tasks.pop((task.kind, task.id), None)

    def abandon(self) -> tuple[Task, ...]:
        """The tasks that the worker had, now nobody's."""
        lost, self.tasks = tuple(self.tasks.values()), {}
        return lost

    async def stop(self, timeout: float) -> None:
        """Ask the worker to drain and wait for its end; after `timeout` seconds it is killed."""
        self._draining = True
        if self._writer is None:
            return
        try:
            self._writer.write(wire.frame(Order(drain=True)))
            async with asyncio.timeout(timeout):
                await self._ended.wait()
        except (ConnectionError, TimeoutError):
            log.warning("worker did not drain in time", extra={"worker": self.name})
            if self._process is not None and self._process.returncode is None:
                self._process.kill()
            if self._writer is not None:
                self._writer.close()

    async def end(self) -> None:
        """After the last report: close our side, see the worker out."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        if self._process is not None:
            try:
                async with asyncio.timeout(END_LIMIT):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
            self._process = None
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, END_LIMIT)
            self._thread = None
        self._ended.set()
