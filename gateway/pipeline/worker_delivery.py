"""A worker makes one delivery: prepare, ask the peer where it can be asked, send; all of it journalled."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from gateway.model.delivery import REPEATABLE, Destination, Outcome, OutcomeKind
from gateway.model.version import DeliveryJob
from gateway.pipeline.route import Route
from gateway.pipeline.wire import Attempted, Report
from gateway.pipeline.worker_bench import LARGE, Bench, ClosingError, LargeError, explain
from gateway.ports import Settlement, StoreUnavailableError, Task
from gateway.telemetry import correlation

log = logging.getLogger(__name__)

SEND_LIMIT = 600.0
"""Seconds after which a send that gives no outcome is given up; senders have shorter limits of their own."""

T = TypeVar("T")


class Delivery:
    """Of one worker."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def deliver(self, task: Task, alone: bool) -> Report:
        """The report of one attempt. Raises LargeError unless `alone`."""
        try:
            job, route, slot, question, request = await self._bench.on_cpu(lambda: self._prepare(task, alone))
            async with slot:
                if self._bench.closing.is_set():
                    return Report(returned=(task,))
                with correlation(job.version.context.control_id):
                    if question is not None:
                        request = await self._ask(task, job, route, question)
                    settlement = await self._send(task, job.destination, route, request)
        except (ClosingError, StoreUnavailableError):
            return Report(returned=(task,))
        except _NotToSendError:
            return Report(returned=(task,))
        except _RefusedError as refused:
            now = self._bench.parts.now()
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
        self._bench.journal.working(task)
        parts, slots = self._bench.parts, self._bench.slots
        try:
            job = parts.reader.job(task.id, task.attempt)
        except LookupError as gone:
            raise _NotToSendError from gone
        except StoreUnavailableError:
            raise
        except Exception as error:
            raise _RefusedError(_permanent(error, "reading", task)) from error
        if not alone and sum(len(one.data) for one in job.documents) > LARGE:
            raise LargeError
        route = parts.routes.get(job.destination)
        if route is None:
            code = "DESTINATION-OFF"
            raise _RefusedError(Outcome(kind=OutcomeKind.PERMANENT, code=code), job.destination)
        if job.recalled and not (job.unanswered and route.inquiry is not None):
            # It was in hand when the report was withdrawn, and lost: it shall not leave any more.
            code = "REPORT-RECALLED"
            raise _RefusedError(Outcome(kind=OutcomeKind.REFUSED, code=code), job.destination)
        if job.forbidden and not (job.unanswered and route.inquiry is not None):
            raise _RefusedError(_stopped(job), job.destination)
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
        if job.forbidden:
            raise _RefusedError(_stopped(job), job.destination)
        return await self._bench.on_cpu(lambda: _made(route.prepare, known, task))

    async def _send(self, task: Task, destination: Destination, route: Route, request: Any) -> Settlement:
        """One attempt, journalled before and after. Never raises once something may have left.

        Raises _NotToSendError when the lease of what cannot be repeated is lost, or nobody can tell.
        """
        started, left, held = self._bench.parts.now(), not route.marks, True

        def begun() -> None:
            nonlocal left, held
            held = destination in REPEATABLE or self._may_begin(task)
            if not held:
                raise _NotToSendError
            self._bench.journal.begun(task, self._bench.parts.now())
            left = True

        if not route.marks and destination not in REPEATABLE and not self._may_begin(task):
            raise _NotToSendError
        self._bench.journal.started(task, destination, started, marks=route.marks)
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
            ended_at=self._bench.parts.now(),
            lease=task.lease,
        )
        try:
            self._bench.journal.ended(task, settlement)
        except OSError:
            log.exception("journal not written", extra={"id": task.id})
        return settlement

    def _may_begin(self, task: Task) -> bool:
        try:
            return self._bench.parts.reader.begin(task)
        except StoreUnavailableError:
            log.warning("lease not known, nothing is sent", extra={"id": task.id})
            return False


class _NotToSendError(Exception):
    """The delivery was cancelled since it was claimed, or another node has it."""


def _stopped(job: DeliveryJob) -> Outcome:
    """Of what the identity feed stops: nothing leaves, and the store blocks it."""
    return Outcome(
        kind=OutcomeKind.TRANSIENT, code=job.forbidden, detail="not sent: the identity feed stops it"
    )


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


def _permanent(error: Exception, step: str, task: Task) -> Outcome:
    code, detail = explain(error, step, task)
    return Outcome(kind=OutcomeKind.PERMANENT, code=code, detail=detail)
