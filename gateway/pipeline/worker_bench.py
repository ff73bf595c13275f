"""What the tasks of one worker share: its parts, journal, spool and threads, and whether it closes."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from gateway.model.delivery import Destination
from gateway.pipeline.hop import Hop
from gateway.pipeline.journal import Journal
from gateway.pipeline.route import WorkerParts
from gateway.pipeline.spool import Spool
from gateway.ports import Task

log = logging.getLogger(__name__)

LARGE = 4 << 20
"""Bytes of documents from which a report is worked on alone."""

T = TypeVar("T")


class Bench:
    """Of one worker. `parts` and `slots` change with the settings: a task takes each of them once."""

    def __init__(self, make: Callable[[dict[str, Any]], WorkerParts], journal: Journal) -> None:
        """`make`: settings as the dispatcher sends them → parts; called by `use`."""
        self._make, self.journal, self.spool = make, journal, Spool(journal.path)
        self._cpu, self._judging = Hop("worker-cpu"), Hop("worker-validation")  # only verdicts wait there
        self.parts: WorkerParts
        self.slots: dict[Destination, asyncio.Semaphore] = {}
        self.closing = asyncio.Event()

    def use(self, settings: dict[str, Any]) -> None:
        """Make the parts and work with them from now on. Raises what the factory raises."""
        parts = self._make(settings)
        slots = {kind: asyncio.Semaphore(route.concurrency) for kind, route in parts.routes.items()}
        self.parts, self.slots = parts, slots

    def begin_closing(self) -> None:
        """Begin nothing new: who waits for the threads gets a ClosingError."""
        self.closing.set()
        for hop in (self._cpu, self._judging):
            hop.give_up(ClosingError)

    async def close(self) -> None:
        """Nothing is under way any more, or is simply made again."""
        await close(self.parts)
        for hop in (self._cpu, self._judging):
            hop.end()
        self.journal.close()

    async def on_cpu(self, work: Callable[[], T], *, last: bool = False) -> T:
        """`work` in the one thread for documents and requests, `last` when nothing else waits for it; raises
        ClosingError."""
        return await self._on(self._cpu, work, last=last)

    async def judging(self, work: Callable[[], T]) -> T:
        """`work` in the thread that waits for verdicts; raises ClosingError."""
        return await self._on(self._judging, work)

    async def _on(self, hop: Hop, work: Callable[[], T], *, last: bool = False) -> T:
        """`work` in the thread of `hop`; raises ClosingError when the worker closes before it is done."""
        if self.closing.is_set():
            raise ClosingError

        def begin() -> T:
            if self.closing.is_set():
                raise ClosingError
            return work()

        return await hop.on(begin, last=last)


async def close(parts: WorkerParts) -> None:
    """Let go what parts hold: connections, the process of the official rules."""
    for route in parts.routes.values():
        await route.sender.close()
    if parts.validator is not None:
        parts.validator.close()


class ClosingError(Exception):
    """Nothing new is begun any more."""


class LargeError(Exception):
    """It must wait until no other large report is worked on."""


def explain(error: Exception, step: str, task: Task) -> tuple[str, str]:
    """(code, detail) for the ledger: the finding codes that the error carries, else INTERNAL and a log line.

    The text of an unexpected error is not kept: it may quote its input.
    """
    findings = tuple(getattr(error, "findings", ()))
    if findings:
        codes = dict.fromkeys(found.code for found in findings)
        places = dict.fromkeys(found.location for found in findings if found.location)
        return " ".join(codes), ", ".join(places)
    log.exception("%s failed", step, extra={"task": task.kind, "id": task.id})
    return "INTERNAL", f"{step}: {type(error).__name__}"
