"""A worker: makes documents and deliveries for the dispatcher at the other end of a socket.

CPU work (documents, requests) runs in one thread, sends run beside it in the event loop. When the socket
closes, or on SIGTERM, the worker begins nothing new, finishes the sends under way, writes them in its
journal, and ends.
"""

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from gateway.model.base import replace
from gateway.model.delivery import REPEATABLE, Destination, Outcome, OutcomeKind
from gateway.model.version import DeliveryJob
from gateway.pipeline import validation
from gateway.pipeline.journal import Journal
from gateway.pipeline.production import ProductionError
from gateway.pipeline.route import Route, WorkerParts
from gateway.pipeline.spool import Spool
from gateway.pipeline.wire import Attempted, Order, Report, frame, read_frame
from gateway.ports import Produced, Settlement, StoreUnavailableError, Task, ValidatorUnavailableError
from gateway.telemetry import correlation

log = logging.getLogger(__name__)

WINDOW = 32
"""Tasks that one worker has at a time."""
LARGE = 8 << 20
"""Bytes of documents from which a report is worked on alone."""
SEND_LIMIT = 600.0
"""Seconds after which a send that gives no outcome is given up; senders have shorter limits of their own."""

T = TypeVar("T")


class Worker:
    """The tasks of one connection to the dispatcher."""

    def __init__(self, make: Callable[[dict[str, Any]], WorkerParts], journal: Journal) -> None:
        """`make`: settings as the dispatcher sends them → parts; called by `use`."""
        self._make, self._journal, self._spool = make, journal, Spool(journal.path)
        self._cpu = ThreadPoolExecutor(1, "worker-cpu")
        self._judging = ThreadPoolExecutor(1, "worker-validation")  # nothing else waits for a verdict
        self._parts: WorkerParts
        self._large = asyncio.Lock()
        self._slots: dict[Destination, asyncio.Semaphore] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._out: asyncio.Queue[Report] = asyncio.Queue()
        self._closing = asyncio.Event()

    def use(self, settings: dict[str, Any]) -> None:
        """Make the parts and work with them from now on. Raises what the factory raises."""
        parts = self._make(settings)
        slots = {kind: asyncio.Semaphore(route.concurrency) for kind, route in parts.routes.items()}
        self._parts, self._slots = parts, slots

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Work until the other side closes or asks to drain."""
        reporting = asyncio.create_task(self._report(writer))
        ordering = asyncio.create_task(self._orders(reader))
        await self._closing.wait()
        ordering.cancel()
        # Production is not waited for: it is simply made again. What is being sent ends one way or another.
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._out.join()
        reporting.cancel()
        await asyncio.gather(*self._retiring, _close(self._parts))
        writer.close()
        for pool in (self._cpu, self._judging):
            pool.shutdown(wait=False, cancel_futures=True)
        self._journal.close()

    def drain(self) -> None:
        self._closing.set()

    async def _orders(self, reader: asyncio.StreamReader) -> None:
        while not self._closing.is_set():
            order = await read_frame(reader, Order)
            if order is None or order.drain:
                break
            if order.settings is not None:
                await self._reload(order.settings)
            for task in order.tasks:
                work = self._produce if task.kind == "produce" else self._deliver
                self._spawn(self._alone(partial(work, task)), task)
        self._closing.set()

    async def _reload(self, settings: dict[str, Any]) -> None:
        """Tasks under way end with the parts that they began with; then those are closed."""
        before, users = self._parts, set(self._tasks)
        try:
            await self._on_cpu(lambda: self.use(settings))
        except _ClosingError:
            return
        except Exception:
            log.exception("worker keeps its configuration")
            return

        async def retire() -> None:
            if users:
                await asyncio.wait(users)
            await _close(before)

        retiring = asyncio.create_task(retire())
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    def _spawn(self, work: Coroutine[Any, Any, Report], task: Task) -> None:
        async def guarded() -> None:
            try:
                report = await work
            except Exception:
                log.exception("task failed", extra={"task": task.kind, "id": task.id})
                report = Report(returned=(task,))
            self._out.put_nowait(report)

        running = asyncio.create_task(guarded())
        self._tasks.add(running)
        running.add_done_callback(self._tasks.discard)

    async def _report(self, writer: asyncio.StreamWriter) -> None:
        """Send what is done, all in one frame. Nobody listening is no fault: the journal has it."""
        while True:
            reports = [await self._out.get()]
            while not self._out.empty():
                reports.append(self._out.get_nowait())
            joined = Report(
                produced=tuple(one for report in reports for one in report.produced),
                attempted=tuple(one for report in reports for one in report.attempted),
                returned=tuple(one for report in reports for one in report.returned),
            )
            try:
                if not writer.is_closing():
                    writer.write(frame(joined))
                    await writer.drain()
            except OSError:  # the dispatcher is gone
                self._closing.set()
            finally:
                for _ in reports:
                    self._out.task_done()

    # --- production

    async def _alone(self, work: Callable[[bool], Coroutine[Any, Any, Report]]) -> Report:
        """One large report at a time, so that the memory of a worker has a bound: `work` raises _LargeError
        when it finds one, and is begun again when its turn has come."""
        try:
            return await work(False)
        except _LargeError:
            pass  # its traceback holds what was read: it must end before the turn comes
        async with self._large:
            try:
                return await work(True)
            finally:
                gc.collect()  # a fault on the way leaves cycles around what was sent

    async def _produce(self, task: Task, alone: bool) -> Report:
        def work() -> Produced:
            self._journal.working(task)
            version, blobs = self._parts.reader.version(task.id)
            if not alone and sum(len(blob.data) for blob in blobs) > LARGE:
                raise _LargeError
            with correlation(version.context.control_id):
                return Produced(version_id=task.id, documents=self._parts.produce(version, blobs))

        try:
            produced = await self._judged(await self._on_cpu(work))
        except _LargeError:
            raise
        except (_ClosingError, StoreUnavailableError, ValidatorUnavailableError):
            return Report(returned=(task,))
        except ProductionError as refused:
            code = validation.reason(refused.findings)
            produced = Produced(
                version_id=task.id, documents=refused.documents, blocked=code, findings=refused.findings
            )
        except Exception as error:
            code, detail = explain(error, "production", task)
            produced = Produced(version_id=task.id, problem=f"{code}: {detail}" if detail else code)
        return await self._reported(replace(produced, lease=task.lease), task)

    async def _reported(self, produced: Produced, task: Task) -> Report:
        try:
            return Report(produced=(await self._on_cpu(lambda: self._spool.put(produced)),))
        except (_ClosingError, OSError) as fault:
            log.warning("documents not handed over", extra={"fault": type(fault).__name__})
            return Report(returned=(task,))

    async def _judged(self, made: Produced) -> Produced:
        """The same with the verdict of the official rules, where they are on."""
        validator = self._parts.validator
        if validator is None:
            return made
        return await self._on(
            self._judging, lambda: validation.judged(made.version_id, made.documents, validator)
        )

    # --- delivery

    async def _deliver(self, task: Task, alone: bool) -> Report:
        try:
            job, route, slot, question, request = await self._on_cpu(lambda: self._prepare(task, alone))
            async with slot:
                if self._closing.is_set():
                    return Report(returned=(task,))
                with correlation(job.version.context.control_id):
                    if question is not None:
                        request = await self._ask(task, job, route, question)
                    settlement = await self._send(task, job.destination, route, request)
        except (_ClosingError, StoreUnavailableError):
            return Report(returned=(task,))
        except _NotToSendError:
            return Report(returned=(task,))
        except _RefusedError as refused:
            now = self._parts.now()
            settlement = Settlement(
                delivery_id=task.id,
                outcome=refused.outcome,
                attempt=task.attempt,
                started_at=now,
                ended_at=now,
                lease=task.lease,
            )
            where, sent = refused.destination, refused.asked
            return Report(attempted=(Attempted(settlement=settlement, destination=where, sent=sent),))
        return Report(attempted=(Attempted(settlement=settlement, destination=job.destination),))

    def _prepare(
        self, task: Task, alone: bool
    ) -> tuple[DeliveryJob, Route, asyncio.Semaphore, Any | None, Any]:
        """Job, route and its slots, and either what the peer is asked first or the request."""
        self._journal.working(task)
        parts, slots = self._parts, self._slots
        try:
            job = parts.reader.job(task.id, task.attempt)
        except LookupError as gone:
            raise _NotToSendError from gone
        except StoreUnavailableError:
            raise
        except Exception as error:
            raise _RefusedError(_permanent(error, "reading", task)) from error
        if not alone and sum(len(one.data) for one in job.documents) > LARGE:
            raise _LargeError
        route = parts.routes.get(job.destination)
        if route is None:
            code = "DESTINATION-OFF"
            raise _RefusedError(Outcome(kind=OutcomeKind.PERMANENT, code=code), job.destination)
        if route.inquiry is not None:
            question = _made(route.inquiry.question, job, task)
            if question is not None:
                return job, route, slots[job.destination], question, None
        return job, route, slots[job.destination], None, _made(route.prepare, job, task)

    async def _ask(self, task: Task, job: DeliveryJob, route: Route, question: Any) -> Any:
        """The request, completed by the answer. _RefusedError: the delivery ends with the answer."""
        inquiry = route.inquiry
        assert inquiry is not None, "there is a question"
        try:
            async with asyncio.timeout(SEND_LIMIT):
                answer = await inquiry.ask(question)
            known = answer if isinstance(answer, Outcome) else inquiry.resolve(job, question, answer)
        except Exception as error:
            log.exception("question failed", extra={"destination": job.destination.value, "id": task.id})
            known = Outcome(kind=OutcomeKind.TRANSIENT, code="INTERNAL", detail=type(error).__name__)
        if isinstance(known, Outcome):
            raise _RefusedError(known, job.destination, asked=True)
        return await self._on_cpu(lambda: _made(route.prepare, known, task))

    async def _send(self, task: Task, destination: Destination, route: Route, request: Any) -> Settlement:
        """One attempt, journalled before and after. Never raises once something may have left.

        Raises _NotToSendError when the lease of what cannot be repeated is lost, or nobody can tell.
        """
        started, left, held = self._parts.now(), not route.marks, True

        def begun() -> None:
            nonlocal left, held
            held = destination in REPEATABLE or self._may_begin(task)
            if not held:
                raise _NotToSendError
            self._journal.begun(task, self._parts.now())
            left = True

        if not route.marks and destination not in REPEATABLE and not self._may_begin(task):
            raise _NotToSendError
        self._journal.started(task, destination, started, marks=route.marks)
        try:
            async with asyncio.timeout(SEND_LIMIT):
                outcome = await route.send(request, begun)
        except Exception as error:
            # Senders do not raise; when one does, what it did is unknown.
            log.exception("sender failed", extra={"destination": destination.value, "id": task.id})
            kind = OutcomeKind.AMBIGUOUS if left else OutcomeKind.TRANSIENT
            outcome = Outcome(kind=kind, code="INTERNAL", detail=type(error).__name__)
        if not held:  # the sender made an outcome of our refusal
            raise _NotToSendError
        settlement = Settlement(
            delivery_id=task.id,
            outcome=outcome,
            attempt=task.attempt,
            started_at=started,
            ended_at=self._parts.now(),
            lease=task.lease,
        )
        try:
            self._journal.ended(task, settlement)
        except OSError:
            log.exception("journal not written", extra={"id": task.id})
        return settlement

    def _may_begin(self, task: Task) -> bool:
        try:
            return self._parts.reader.begin(task)
        except StoreUnavailableError:
            log.warning("lease not known, nothing is sent", extra={"id": task.id})
            return False

    async def _on_cpu(self, work: Callable[[], T]) -> T:
        return await self._on(self._cpu, work)

    async def _on(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """`work` in the thread of `pool`; raises _ClosingError when the worker closes before it is done."""

        def begin() -> T:
            if self._closing.is_set():
                raise _ClosingError
            return work()

        running = asyncio.get_running_loop().run_in_executor(pool, begin)
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait((running, closing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
        if not running.done():
            running.cancel()
            raise _ClosingError
        return running.result()


async def _close(parts: WorkerParts) -> None:
    for route in parts.routes.values():
        await route.sender.close()
    if parts.validator is not None:
        parts.validator.close()


class _ClosingError(Exception):
    """Nothing new is begun any more."""


class _LargeError(Exception):
    """It must wait until no other large report is worked on."""


class _NotToSendError(Exception):
    """The delivery was cancelled since it was claimed, or another node has it."""


class _RefusedError(Exception):
    """Nothing is sent; `outcome` says why, as the peer answered when it was `asked`."""

    def __init__(
        self, outcome: Outcome, destination: Destination | None = None, *, asked: bool = False
    ) -> None:
        super().__init__(outcome.code)
        self.outcome, self.destination, self.asked = outcome, destination, asked


def _made(make: Callable[[DeliveryJob], T], job: DeliveryJob, task: Task) -> T:
    """What `make` makes of the job; _RefusedError when it cannot."""
    try:
        with correlation(job.version.context.control_id):
            return make(job)
    except Exception as error:
        raise _RefusedError(_permanent(error, "preparation", task), job.destination) from error


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


def _permanent(error: Exception, step: str, task: Task) -> Outcome:
    code, detail = explain(error, step, task)
    return Outcome(kind=OutcomeKind.PERMANENT, code=code, detail=detail)
