"""What both engines share: the commit of a message, the settling of results, the operator's changes."""

import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, TypeVar

from gateway.config import RetentionSettings, RetrySettings
from gateway.model.delivery import DeliveryState, Destination
from gateway.ports import (
    Clock,
    Conclusion,
    Known,
    Produced,
    Purged,
    Receipt,
    Received,
    Settlement,
    StoreUnavailableError,
    Task,
)
from gateway.store import acknowledge, audit, operate
from gateway.store import claim_statements as claims
from gateway.store import statements as named
from gateway.store.intake import take
from gateway.store.moments import to_micros
from gateway.store.policy import Retry
from gateway.store.purge import limits, purge
from gateway.store.session import Session
from gateway.store.setback import Setback
from gateway.store.settle import settle
from gateway.store.space import QUEUED, Space
from gateway.store.supersede import Withdraw
from gateway.store.writer import GroupWriter

log = logging.getLogger(__name__)

T = TypeVar("T")

OPERATOR = "operator"
"""Actor of a change whose maker is not named."""


class SystemClock:
    """The machine's time; `ports.Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Options(TypedDict, total=False):
    """How a store is opened.

    `draw` gives numbers in [0, 1) for the jitter; `per_destination` caps how many deliveries of one kind this
    process has in hand, so that a peer that hangs cannot take the whole capacity. `recovering`: the first
    claim tells that what an earlier process was sending is settled; until then nothing that was begun is
    given up. Below `min_free_bytes` on its disk the store takes no message. `acknowledging`: ends of
    deliveries are told to creators who asked for it (ZAM).
    """

    retry: RetrySettings
    clock: Clock
    draw: Callable[[], float]
    per_destination: int
    recovering: bool
    min_free_bytes: int
    acknowledging: bool


class Chosen(NamedTuple):
    """`Options` with their defaults."""

    retry: RetrySettings = RetrySettings()
    clock: Clock = SystemClock()
    draw: Callable[[], float] = random.random
    per_destination: int = 8
    recovering: bool = False
    min_free_bytes: int = 0
    acknowledging: bool = False


class Store(ABC):
    """`ports.IntakeStore`, `ports.WorkStore` and `ports.Operator`; all methods belong to one event loop."""

    def __init__(self, folder: Path, writer: GroupWriter, chosen: Chosen) -> None:
        """`folder`: the data folder of this process."""
        self._writer, self._clock = writer, chosen.clock
        self._retry, self._acknowledging = Retry(chosen.retry, chosen.draw), chosen.acknowledging
        self._space, self._pseudonym = Space(folder, chosen.min_free_bytes), audit.pseudonyms(folder)
        self._changed: tuple[Callable[[], None], ...] = ()
        self._setback = Setback()

    def configure(self, retry: RetrySettings, *, min_free_bytes: int, acknowledging: bool) -> None:
        """Other values of what `open` was given, from now on."""
        self._retry = Retry(retry, self._retry.draw)
        self._space.least, self._acknowledging = min_free_bytes, acknowledging

    @abstractmethod
    async def close(self) -> None:
        """Write what waits, close everything."""

    def subscribe(self, changed: Callable[[], None]) -> None:
        """`changed` is called (in the event loop) whenever deliveries may have become ready."""
        self._changed += (changed,)

    # --- ports.IntakeStore

    async def commit(self, received: Received, conclude: Callable[[Known], Conclusion]) -> Receipt:
        self._space.check()
        if self._writer.queued > QUEUED:
            raise StoreUnavailableError(f"{self._writer.queued} bytes wait for the disk")
        taken = await self._changing(
            lambda session, withdraw: take(
                session, received, conclude, withdraw, self._pseudonym, acknowledging=self._acknowledging
            ),
            2 * len(received.raw),
        )
        if taken.stirred:
            self._notify()
        return taken.receipt

    # --- ports.WorkStore

    @abstractmethod
    async def claim(
        self,
        limit: int,
        room: Mapping[Destination, int] | None = None,
        probes: Container[Destination] = (),
    ) -> tuple[Task, ...]: ...

    @abstractmethod
    async def surrender(self, tasks: tuple[Task, ...]) -> None: ...

    @abstractmethod
    async def next_due(self) -> datetime | None: ...

    async def settle(self, results: tuple[Produced | Settlement, ...]) -> None:
        if not results:
            return
        now = self._now()
        size = sum(
            len(document.data) for one in results if isinstance(one, Produced) for document in one.documents
        )
        await self._writer.submit(lambda session: self._settle(session, results, now), size, later=True)
        self._settled(results)
        self._notify()

    def _settle(self, session: Session, results: tuple[Produced | Settlement, ...], now: int) -> None:
        """Inside the transaction."""
        settle(session, results, self._retry, now, acknowledging=self._acknowledging)

    async def hasten(self, destination: Destination, since: datetime) -> None:
        values = {"destination": destination.value, "now": self._now(), "since": to_micros(since)}
        await self._writer.submit(lambda session: session.run(claims.HASTEN, values), later=True)
        self._notify()

    @abstractmethod
    def _settled(self, results: tuple[Produced | Settlement, ...]) -> None:
        """They are written: nobody has these tasks in hand any more."""

    # --- ports.Operator

    async def retry(self, delivery_id: int, *, actor: str = OPERATOR) -> DeliveryState:
        """Try again now. Raises LookupError; IllegalTransitionError for a state that takes no retry."""
        return await self._operate(operate.retry, delivery_id, actor)

    async def cancel(self, delivery_id: int, *, actor: str = OPERATOR) -> DeliveryState:
        """Give a delivery up and free its lane. Raises as `retry`; what is being sent cannot be cancelled."""
        return await self._operate(operate.cancel, delivery_id, actor)

    async def release(self, delivery_id: int, *, actor: str = OPERATOR) -> DeliveryState:
        """Let a withheld delivery go. Raises as `retry`."""
        return await self._operate(operate.release, delivery_id, actor)

    async def _operate(self, act: operate.Act, delivery_id: int, actor: str) -> DeliveryState:
        now = self._now()

        def change(session: Session, withdraw: Withdraw) -> DeliveryState:
            after = act(session, delivery_id, now, withdraw, actor)
            if self._acknowledging:
                acknowledge.plan(session, delivery_id, now)
            return after

        state = await self._changing(change)
        self._notify()
        return state

    async def pause(self, destination: Destination, *, actor: str = OPERATOR) -> None:
        """Send nothing more there, also after a restart, until `resume`."""
        await self._pause(destination, actor, paused=True)

    async def resume(self, destination: Destination, *, actor: str = OPERATOR) -> None:
        await self._pause(destination, actor, paused=False)

    async def _pause(self, destination: Destination, actor: str, *, paused: bool) -> None:
        now, name = self._now(), destination.value

        def change(session: Session) -> frozenset[str]:
            operate.pause(session, name, now, actor, paused=paused)
            return paused_now(session)

        self._paused(await self._writer.submit(change))
        self._notify()

    @abstractmethod
    def _paused(self, destinations: frozenset[str]) -> None:
        """These are paused from now on."""

    async def note(
        self,
        action: str,
        *,
        actor: str = OPERATOR,
        message_id: int | None = None,
        report_id: int | None = None,
        result: str = "",
    ) -> None:
        """Somebody looks at contents (`read`) or takes them away (`export`)."""
        entry = audit.Entry(action, actor, message_id=message_id, report_id=report_id, result=result)
        now = self._now()
        await self._writer.submit(lambda session: audit.record(session, entry, now))

    async def purge(
        self, policy: RetentionSettings, *, actor: str = OPERATOR, exported: bool = True
    ) -> Purged:
        """Let go what the policy names, a few at a time, so that messages are taken in between."""
        now = self._now()
        before = await self._writer.submit(lambda session: limits(session, policy, now, exported=exported))
        gone = dict.fromkeys(before, 0)
        for name, limit in before.items():
            some = partial(purge, name=name, limit=limit, now=now, actor=actor)
            while number := await self._writer.submit(some, later=True):
                gone[name] += number
        if any(gone.values()):
            await self._let_go()
        return Purged(**gone)

    @abstractmethod
    async def _let_go(self) -> None:
        """What was purged is no longer in the files of the engine, as far as it can be done while others
        work."""

    def leads(self) -> bool:
        """Whether this node does what one of all nodes has to do."""
        return True

    def nodes(self) -> int:
        """How many nodes serve the store now, this one included."""
        return 1

    def status(self) -> dict[str, Any]:
        """For readiness and alerts: free bytes, whether they are too few, what waits for the disk; of an
        engine also its paused destinations, and whether it answers."""
        return {
            "free_bytes": self._space.free(),
            "disk_full": self._space.short,
            "queued_bytes": self._writer.queued,
            "store": "up",
        }

    # ---

    @abstractmethod
    async def _changing(self, work: Callable[[Session, Withdraw], T], size: int = 0) -> T:
        """A transaction that may give up deliveries: until it has ended, they are not handed out."""

    async def _on_time(self) -> None:
        """Before a claim: next tries keep their distance over a clock that is set back; at the start, where
        nobody saw it, none is further away than the longest wait."""
        now, first = self._now(), self._setback.first
        back = self._setback.since(now)
        if back:
            log.warning("the clock was set back", extra={"seconds": back // 1_000_000})
            change, values = claims.SET_BACK, {"now": now, "back": back}
        elif first:
            change, values = claims.CUT_WAITS, {"limit": now + self._retry.longest}
        else:
            return
        try:
            await self._writer.submit(lambda session: session.run(change, values))
        except StoreUnavailableError:
            self._setback = Setback()  # the next claim starts anew
            raise

    def _now(self) -> int:
        return to_micros(self._clock.now())

    def _notify(self) -> None:
        for changed in self._changed:
            changed()


def paused_now(session: Session) -> frozenset[str]:
    return frozenset(name for (name,) in session.rows(named.PAUSED, {}))
