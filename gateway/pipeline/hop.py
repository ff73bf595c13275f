"""One thread beside an event loop: it does what it is given, one after the other, what can wait last; what it
has done meanwhile comes back together.

A pool of the standard library makes two futures, a lock and a wake-up of the loop for each call, and waiting
for it or for the end of the worker makes more: a report hops four times and more.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

_Done = tuple[asyncio.Future[Any], Any, BaseException | None]


class _Job(NamedTuple):
    work: Callable[[], Any]
    future: asyncio.Future[Any]
    last: bool


class Hop:
    """`on` and `end` are for the event loop. The thread holds no process that wants to end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._last: deque[_Job] = deque()  # of the thread alone
        self._done: deque[_Done] = deque()
        self._told = False
        self._waiting: set[asyncio.Future[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def on(self, work: Callable[[], T], *, last: bool = False) -> asyncio.Future[T]:
        """What `work` gives, or raises, in the thread; `last`: when there is nothing else to do."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._run, args=(self._loop,), name=self._name, daemon=True).start()
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.add(future)
        self._jobs.put(_Job(work, future, last))
        return future

    def give_up(self, fault: Callable[[], Exception]) -> None:
        """Who waits gets a `fault`; what is under way goes on, and nobody hears of it."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_exception(fault())

    def end(self) -> None:
        """The thread ends after what it was given."""
        self._jobs.put(None)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._next()) is not None:
            work, future, _ = job
            result, error = None, None
            try:
                result = work()
            except BaseException as fault:
                error = fault
            self._done.append((future, result, error))
            del job, work, future, result, error  # while it waits it holds nothing large
            if not self._told:
                self._told = True
                try:
                    loop.call_soon_threadsafe(self._back)
                except RuntimeError:  # the loop is closed: nobody waits any more
                    return

    def _next(self) -> _Job | None:
        """None at the end."""
        while True:
            try:
                job = self._jobs.get(block=not self._last)
            except Empty:
                return self._last.popleft()
            if job is None and self._last:
                self._jobs.put(None)
                return self._last.popleft()
            if job is None or not job.last:
                return job
            self._last.append(job)

    def _back(self) -> None:
        self._told = False  # first: what is done from here on is told anew
        while self._done:
            future, result, error = self._done.popleft()
            self._waiting.discard(future)
            if future.done():  # given up, or its task was cancelled
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
