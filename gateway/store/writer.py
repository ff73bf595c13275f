"""Group commit: one thread writes; what arrives while a commit is under way shares the next one.

A group is one transaction that keeps all other writers out. When a job fails, the group is taken back and
run again with each job in a savepoint, so that it takes nothing else with it; a database that fails takes the
whole group. Results are handed back only after the commit, hence after its fsync.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from gateway.ports import StoreUnavailableError
from gateway.store.session import Faults, Session
from gateway.store.turns import Turns
from gateway.telemetry import metrics

log = logging.getLogger(__name__)

T = TypeVar("T")

CONFLICTS = 3
"""Times that a group is tried when other writers come in between."""


class _Job(NamedTuple):
    work: Callable[[Session], Any]
    size: int
    future: asyncio.Future[Any]
    later: bool = False
    ended: Callable[[], None] | None = None


class _Done(NamedTuple):
    job: _Job
    result: Any
    error: Exception | None


class GroupWriter:
    """The only writing connection of the process, in a thread of its own."""

    def __init__(
        self,
        connect: Callable[[], Session],
        faults: Faults,
        *,
        written: Callable[[int], None] = lambda size: None,
    ) -> None:
        """`connect` is called in the writer's thread, again after a fault; `written` after each commit
        with the bytes of its group. A job may run again after a conflict."""
        self._connect, self._faults, self._written = connect, faults, written
        self._service_faults: tuple[type[Exception], ...] = (*faults.of_database, OSError)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._held: list[_Job] = []
        self._releasing: asyncio.AbstractEventLoop | None = None
        self._session: Session | None = None
        self._closed = False
        self._submitted = self._done = 0  # bytes; each counted by one thread only
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        work: Callable[[Session], T],
        size: int = 0,
        *,
        later: bool = False,
        ended: Callable[[], None] | None = None,
    ) -> asyncio.Future[T]:
        """`work` inside the next group; its result comes after the commit. `later`: nobody waits
        for it, it lets others pass (`turns`). Whoever waits may be cancelled, the work is done all the
        same; `ended` is called in the event loop when it is, or could not be, before the result is there.

        The future raises what `work` raised, or StoreUnavailableError when the group could not be written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._closed:
            future.set_exception(StoreUnavailableError("the store is closed"))
        else:
            self._submitted += size
            self._held.append(_Job(work, size, future, later, ended))
            if self._releasing is not loop:
                self._releasing = loop
                loop.call_soon(self._release)
        return future

    def _release(self) -> None:
        """Hand over what one turn of the event loop submitted, together: two threads that both have work
        take the interpreter from each other at every statement, which costs more than it gains (measured)."""
        self._releasing = None
        held, self._held = self._held, []
        for job in held:
            self._jobs.put(job)

    @property
    def queued(self) -> int:
        """Payload bytes that are not written yet."""
        return self._submitted - self._done

    def close(self) -> None:
        """Write what waits, then end the thread."""
        if not self._closed:
            self._closed = True
            self._release()
            self._jobs.put(None)
        self._thread.join()

    # --- the writer's thread

    def _run(self) -> None:
        turns: Turns[_Job] = Turns()
        ending = False
        while not ending or turns:
            ending = self._gather(turns, wait=not (ending or turns)) or ending
            group = turns.group()
            if not group:
                continue
            begun = time.perf_counter()
            done = self._commit(group)
            metrics.COMMIT_SECONDS.observe(time.perf_counter() - begun)
            self._done += sum(job.size for job in group)
            self._deliver(done)
            del group, done  # what they hold must not stay in memory until the next group
        self._disconnect()

    def _gather(self, turns: Turns[_Job], *, wait: bool) -> bool:
        """Everything that was submitted meanwhile; with `wait` at least one. True: nothing comes any more."""
        while True:
            try:
                job = self._jobs.get(block=wait)
            except Empty:
                return False
            if job is None:
                return True
            turns.add(job)
            wait = False

    def _commit(self, group: list[_Job]) -> list[_Done]:
        try:
            done = self._transact(group)
        except self._service_faults as fault:
            log.error("store cannot write", extra={"fault": str(fault), "jobs": len(group)})
            self._disconnect()  # a fresh connection knows nothing of the failed transaction
            return [_Done(job, None, _unavailable(fault)) for job in group]
        try:
            self._written(sum(job.size for job in group))
        except Exception:
            log.exception("after commit")
        return done

    def _transact(self, group: list[_Job]) -> list[_Done]:
        for left in reversed(range(CONFLICTS)):
            try:
                session = self._begin()
                done = self._together(session, group)
                session.commit()
            except self._faults.conflicts:
                if not left:
                    raise
                self._disconnect()
            else:
                return done
        raise AssertionError("the last try returns or raises")

    def _together(self, session: Session, group: list[_Job]) -> list[_Done]:
        """All jobs without savepoints, which cost two statements each; with them when a job fails."""
        try:
            done = [_Done(job, job.work(session), None) for job in group]
            session.flush()
        except Exception as fault:
            if isinstance(fault, self._faults.of_database) and not isinstance(fault, self._faults.of_values):
                raise
        else:
            return done
        session.rollback()
        session.begin()
        return [self._attempt(session, job) for job in group]

    def _begin(self) -> Session:
        """A connection that was closed since the last group (the server restarted) is made once more."""
        if self._session is not None:
            try:
                self._session.begin()
            except self._faults.of_database as fault:
                if not self._session.lost:
                    raise
                log.warning("store connection lost", extra={"fault": str(fault)})
                self._disconnect()
            else:
                return self._session
        session = self._session = self._connect()
        session.begin()
        return session

    def _attempt(self, session: Session, job: _Job) -> _Done:
        """One job in its savepoint. Raises only errors of the database."""
        session.begin_job()
        try:
            result = job.work(session)
            session.flush()
        except self._faults.of_values as fault:
            error: Exception = fault
        except self._faults.of_database:
            raise
        except Exception as fault:
            error = fault
        else:
            session.end_job(keep=True)
            return _Done(job, result, None)
        session.end_job(keep=False)
        return _Done(job, None, error)

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()  # rolls back what is open
            except self._faults.of_database as fault:
                log.error("closing the store", extra={"fault": str(fault)})

    def _deliver(self, done: list[_Done]) -> None:
        """Hand results to their event loops, one wake-up a loop and group."""
        for loop in {one.job.future.get_loop() for one in done}:
            ours = [one for one in done if one.job.future.get_loop() is loop]
            try:
                loop.call_soon_threadsafe(_resolve, ours)
            except RuntimeError:  # loop closed: nobody waits any more, the writing stands
                log.warning("results without a waiting loop", extra={"jobs": len(ours)})


def _unavailable(fault: Exception) -> StoreUnavailableError:
    """Each waiting job gets an exception object of its own."""
    error = StoreUnavailableError(f"nothing could be written: {fault}")
    error.__cause__ = fault
    return error


def _resolve(done: list[_Done]) -> None:
    for job, result, error in done:
        if job.ended is not None:
            job.ended()
        future = job.future
        if future.done():  # its task was cancelled meanwhile
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
