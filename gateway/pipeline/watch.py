"""Looks at the engine from time to time: metrics of queues and gates, and alerts for people."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from gateway.config import AlertSettings
from gateway.ports import Clock, Overdue, StoreUnavailableError
from gateway.telemetry import metrics
from gateway.telemetry.alerts import PERSONAL, UNVALIDATED, Alerts, Condition, Digest

log = logging.getLogger(__name__)

TROUBLED = ("open", "probing")
"""States of a gate that somebody must look at; a pause is known to whoever paused."""


def trouble(circuit: Mapping[str, Any]) -> str:
    """What readiness tells of a circuit that is open, in words."""
    failures, last = circuit["failures"], circuit["last"] or "no answer"
    return (
        f"down since {circuit['since']}: {failures} failures in a row, the last {last}; probed again at "
        f"{circuit['next_probe']}, and what waits goes by itself when it is back"
    )


BALANCE_EVERY = 600.0
"""Seconds between two countings of the whole ledger."""


class Waiting(NamedTuple):
    """The queue of a destination: deliveries still to be made by themselves, and since when the oldest is."""

    destination: str
    number: int
    since: datetime


class Stuck(NamedTuple):
    """Deliveries of a destination in a state that only a person ends: failed, ambiguous."""

    destination: str
    state: str
    number: int


class Certificate(NamedTuple):
    """`role`: mllp, http, dmp, dmp cachet, mssante; `ends`: None when it cannot be read."""

    role: str
    ends: datetime | None


class Watch:
    """`run` until cancelled; `observe` brings the metrics up to date for a scrape."""

    def __init__(
        self,
        settings: AlertSettings,
        clock: Clock,
        *,
        queues: Callable[[], Iterable[Waiting]],
        condition: Callable[[], Mapping[str, Any]],
        certificates: Callable[[], Iterable[Certificate]],
        tell: Callable[[Digest], Awaitable[bool]] | None,
        balanced: Callable[[], bool] = lambda: True,
        overdue: Callable[[datetime], Iterable[Overdue]] = lambda before: (),
        stuck: Callable[[], Iterable[Stuck]] = lambda: (),
        enabled: Callable[[], Iterable[str]] = lambda: (),
    ) -> None:
        """`condition` is what readiness shows; `tell` None: alerts stand in the log and the metrics only;
        `balanced`: the ledger has as many rows as are owed (reads them all); `overdue`: what has waited for
        its validation since before a time; `enabled`: what has metrics before anything waits there."""
        self._settings, self._clock, self._tell = settings, clock, tell
        self._queues, self._condition, self._certificates = queues, condition, certificates
        self._alerts = Alerts(settings.repeat)
        self._balanced, self._ledger_well, self._overdue = balanced, True, overdue
        self._stuck, self._enabled = stuck, enabled
        self._next_balance = 0.0
        self._seen: set[str] = set()
        self._destinations: set[str] = set()

    def configure(self, settings: AlertSettings, tell: Callable[[Digest], Awaitable[bool]] | None) -> None:
        """Other limits and another listener, from the next look on."""
        self._settings, self._tell = settings, tell
        self._alerts.repeat = settings.repeat

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._settings.interval)
            try:
                await self.look()
            except Exception:  # a look that fails must not end the looking
                log.exception("watch")

    async def look(self) -> Digest:
        """One look: metrics, then what opened or closed is logged and told."""
        now = time.monotonic()
        conditions = tuple(await asyncio.to_thread(lambda: tuple(self._conditions())))
        digest = self._alerts.look(conditions, now)
        for verb, ones in (("opened", digest.opened), ("closed", digest.closed)):
            for one in ones:
                subject = "" if one.kind in PERSONAL else one.subject
                log.warning("alert %s", verb, extra={"kind": one.kind, "subject": subject})
        if digest and self._tell is not None and not await self._tell(digest):
            self._alerts.untell(digest, now)
        counts = self._alerts.counts()
        for kind in self._seen | set(counts):
            metrics.ALERTS.labels(kind).set(counts.get(kind, 0))
        self._seen |= set(counts)
        return digest

    def observe(self) -> None:
        """Queue depth and age, states of destinations, free disk."""
        now = self._clock.now()
        queues = {one.destination: one for one in self._queues()}
        condition = self._condition()
        for name in {*queues, *condition["destinations"], *self._destinations, *self._enabled()}:
            one = queues.get(name)
            metrics.QUEUE.labels(name).set(one.number if one else 0)
            metrics.QUEUE_AGE.labels(name).set(max(0.0, (now - one.since).total_seconds()) if one else 0)
            for state in ("working", *TROUBLED, "paused"):
                present = condition["destinations"].get(name, "working")
                metrics.GATE.labels(name, state).set(1 if state == present else 0)
            self._destinations.add(name)
        metrics.FREE_BYTES.set(condition["free_bytes"])

    def _late(self, now: datetime) -> tuple[Condition, ...]:
        """Queues that are too old; a store that cannot be asked."""
        try:
            queues = tuple(self._queues())
        except StoreUnavailableError as down:
            return (Condition("store", "database", f"no message is taken, nothing is delivered: {down}"),)
        aged = ((one, int((now - one.since).total_seconds())) for one in queues)
        return tuple(
            Condition("queue-age", one.destination, f"{one.number} deliveries wait, the oldest for {age} s")
            for one, age in aged
            if age > self._settings.queue_age
        )

    def _unvalidated(self, now: datetime) -> Iterator[Condition]:
        """One condition a radiologist."""
        hours = self._settings.unvalidated_hours
        if not hours:
            return
        with suppress(StoreUnavailableError):  # `_late` tells it
            for one in self._overdue(now - timedelta(hours=hours)):
                age = int((now - one.since).total_seconds() // 3600)
                text = f"reports that wait for validation: {one.number}, the oldest for {age} h"
                yield Condition(UNVALIDATED, one.radiologist or "nobody named", text)

    def _given_up(self) -> Iterator[Condition]:
        """Dead letters: nothing moves them but a person."""
        with suppress(StoreUnavailableError):  # `_late` tells it
            for one in self._stuck():
                look = f"`gateway deliveries --state {one.state} --destination {one.destination}`"
                yield Condition(
                    one.state, one.destination, f"{one.number} deliveries wait for a person: {look}"
                )

    def _ledger(self) -> bool:
        if time.monotonic() >= self._next_balance:
            with suppress(StoreUnavailableError):  # `_late` tells it
                self._ledger_well = self._balanced()
            self._next_balance = time.monotonic() + BALANCE_EVERY
        return self._ledger_well

    def _conditions(self) -> Iterator[Condition]:
        now, condition = self._clock.now(), self._condition()
        yield from self._late(now)
        yield from self._unvalidated(now)
        yield from self._given_up()
        for name, state in condition["destinations"].items():
            if state in TROUBLED:
                yield Condition("destination-down", name, trouble(condition["circuits"][name]))
        if condition["disk_full"]:
            yield Condition("disk", "data", f"{condition['free_bytes']} bytes free: no message is taken")
        if not condition["alive"]:
            yield Condition("workers", "all", "no worker is alive: nothing is delivered")
        if not self._ledger():
            yield Condition("ledger", "store", "deliveries owed and deliveries kept differ: `gateway doctor`")
        for certificate in self._certificates():
            left = None if certificate.ends is None else certificate.ends - now
            if left is None:
                yield Condition("certificate", certificate.role, "it cannot be read")
            elif left < timedelta(days=self._settings.certificate_days):
                yield Condition("certificate", certificate.role, f"it ends in {max(left.days, 0)} days")
