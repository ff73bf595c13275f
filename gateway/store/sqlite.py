"""The embedded store: SQLite in WAL, one writing process, one writer thread."""

import asyncio
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from gateway.config import RetrySettings
from gateway.model.delivery import DeliveryState, Destination
from gateway.ports import (
    Clock,
    Conclusion,
    Known,
    Produced,
    Receipt,
    Received,
    Settlement,
    StoreUnavailableError,
    Task,
)
from gateway.store import audit, operate
from gateway.store import statements as named
from gateway.store.checkpoint import Checkpointer
from gateway.store.claim import Claiming
from gateway.store.connection import FolderLock, connect_reader, connect_writer, prepare
from gateway.store.intake import take
from gateway.store.moments import from_micros, to_micros
from gateway.store.policy import Retry
from gateway.store.session import Session
from gateway.store.settle import settle
from gateway.store.space import QUEUED, Space
from gateway.store.supersede import Withdraw
from gateway.store.writer import GroupWriter

T = TypeVar("T")

OPERATOR = "operator"
"""Actor of a change whose maker is not named."""


class SystemClock:
    """The machine's time; `ports.Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SqliteStore:
    """`ports.IntakeStore` and `ports.WorkStore` of one data folder; also the operator's changes.

    All methods belong to one event loop.
    """

    def __init__(
        self,
        path: Path,
        lock: FolderLock,
        retry: Retry,
        clock: Clock,
        per_destination: int,
        recovering: bool,
        min_free_bytes: int,
    ) -> None:
        """Use `open`."""
        self._lock, self._retry, self._clock = lock, retry, clock
        self._acknowledging = False
        self._checkpointer = Checkpointer(lambda: connect_writer(path))
        self._writer = GroupWriter(lambda: connect_writer(path), written=self._checkpointer.written)
        self._reading = Session(connect_reader(path))
        self._reader = ThreadPoolExecutor(1, "store-reader")
        self._claiming = Claiming(per_destination, recovering=recovering)
        self._claiming.paused = _paused(self._reading)
        self._space, self._pseudonym = Space(path.parent, min_free_bytes), audit.pseudonyms(path.parent)
        self._claim_lock = asyncio.Lock()
        self._changed: tuple[Callable[[], None], ...] = ()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        retry: RetrySettings | None = None,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
        per_destination: int = 8,
        recovering: bool = False,
        min_free_bytes: int = 0,
        acknowledging: bool = False,
    ) -> "SqliteStore":
        """Open, or make, the store at `path`; at most one process may.

        `draw` gives numbers in [0, 1) for the jitter; `per_destination` caps how many deliveries of one kind
        are handed out at a time, so that a peer that hangs cannot take the whole capacity. `recovering`: the
        first claim tells that what an earlier process was sending is settled; until then nothing that was
        begun is given up. Below `min_free_bytes` on its disk the store takes no message.
        `acknowledging`: ends of deliveries are told to creators who asked for it (ZAM).
        Raises StoreLockedError, SchemaError, OSError.
        """
        lock = FolderLock(path.with_suffix(".lock"))
        try:
            prepare(path)
            policy = Retry(retry or RetrySettings(), draw)
            store = cls(
                path, lock, policy, clock or SystemClock(), per_destination, recovering, min_free_bytes
            )
            store._acknowledging = acknowledging
            return store
        except BaseException:
            lock.release()
            raise

    def configure(self, retry: RetrySettings, *, min_free_bytes: int, acknowledging: bool) -> None:
        """Other values of what `open` was given, from now on."""
        self._retry = Retry(retry, self._retry.draw)
        self._space.least, self._acknowledging = min_free_bytes, acknowledging

    async def close(self) -> None:
        """Write what waits, close all files, give the folder back."""
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._checkpointer.close)
        self._reader.shutdown()
        self._lock.release()

    def subscribe(self, changed: Callable[[], None]) -> None:
        """`changed` is called (in the event loop) whenever deliveries may have become ready."""
        self._changed += (changed,)

    # --- ports.IntakeStore

    async def commit(self, received: Received, conclude: Callable[[Known], Conclusion]) -> Receipt:
        self._space.check()
        if self._writer.queued > QUEUED:
            raise StoreUnavailableError(f"{self._writer.queued} bytes wait for the disk")
        receipt = await self._changing(
            lambda session, withdraw: take(session, received, conclude, withdraw, self._pseudonym),
            2 * len(received.raw),
        )
        self._notify()
        return receipt

    # --- ports.WorkStore

    async def claim(self, limit: int, room: Mapping[Destination, int] | None = None) -> tuple[Task, ...]:
        async with self._claim_lock:
            look = self._claiming.look(limit, to_micros(self._clock.now()), room or {})
            found = await self._read(look)
            return self._claiming.hand_out(found)

    async def settle(self, results: tuple[Produced | Settlement, ...]) -> None:
        if not results:
            return
        now = to_micros(self._clock.now())
        size = sum(
            len(document.data) for one in results if isinstance(one, Produced) for document in one.documents
        )
        await self._writer.submit(
            lambda session: settle(session, results, self._retry, now, acknowledging=self._acknowledging),
            size,
        )
        self._claiming.take_back_results(results)
        self._notify()

    async def surrender(self, tasks: tuple[Task, ...]) -> None:
        self._claiming.take_back(tasks)
        self._notify()

    async def next_due(self) -> datetime | None:
        now = to_micros(self._clock.now())
        due = await self._read(lambda session: Claiming.next_due(session, now))
        return None if due is None else from_micros(due)

    # --- the operator

    async def retry(self, delivery_id: int, *, actor: str = OPERATOR) -> DeliveryState:
        """Try again now. Raises LookupError; IllegalTransitionError for a state that takes no retry."""
        return await self._operate(operate.retry, delivery_id, actor)

    async def cancel(self, delivery_id: int, *, actor: str = OPERATOR) -> DeliveryState:
        """Give a delivery up and free its lane. Raises as `retry`; what is being sent cannot be cancelled."""
        return await self._operate(operate.cancel, delivery_id, actor)

    async def release(self, delivery_id: int, *, actor: str = OPERATOR) -> DeliveryState:
        """Let a withheld delivery go. Raises as `retry`."""
        return await self._operate(operate.release, delivery_id, actor)

    async def pause(self, destination: Destination, *, actor: str = OPERATOR) -> None:
        """Send nothing more there, also after a restart, until `resume`."""
        await self._pause(destination, actor, paused=True)

    async def resume(self, destination: Destination, *, actor: str = OPERATOR) -> None:
        await self._pause(destination, actor, paused=False)

    async def _pause(self, destination: Destination, actor: str, *, paused: bool) -> None:
        now = to_micros(self._clock.now())
        name = destination.value
        await self._writer.submit(lambda session: operate.pause(session, name, now, actor, paused=paused))
        self._claiming.paused = await self._read(_paused)
        self._notify()

    async def record(self, entry: audit.Entry) -> None:
        """Append to the audit trail."""
        now = to_micros(self._clock.now())
        await self._writer.submit(lambda session: audit.record(session, entry, now))

    def status(self) -> dict[str, Any]:
        """For readiness and alerts: paused destinations, free bytes, whether they are too few."""
        return {
            "paused": sorted(self._claiming.paused),
            "free_bytes": self._space.free(),
            "disk_full": self._space.short,
            "queued_bytes": self._writer.queued,
        }

    async def _operate(self, act: operate.Act, delivery_id: int, actor: str) -> DeliveryState:
        now = to_micros(self._clock.now())
        state = await self._changing(
            lambda session, withdraw: act(session, delivery_id, now, withdraw, actor)
        )
        self._notify()
        return state

    # ---

    async def _changing(self, work: Callable[[Session, Withdraw], T], size: int = 0) -> T:
        """A transaction that may give up deliveries: until it has ended, they are not handed out."""
        withdrawn: list[int] = []

        def withdraw(delivery_id: int) -> bool:
            free = self._claiming.withdraw(delivery_id)
            if free:
                withdrawn.append(delivery_id)
            return free

        future = self._writer.submit(lambda session: work(session, withdraw), size)
        # A callback, not `finally`: who waits may be cancelled, the transaction goes on.
        future.add_done_callback(lambda _: self._claiming.ended(withdrawn))
        return await asyncio.shield(future)

    async def _read(self, look: Callable[[Session], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, look, self._reading)

    def _notify(self) -> None:
        for changed in self._changed:
            changed()


def _paused(session: Session) -> frozenset[str]:
    return frozenset(name for (name,) in session.rows(named.PAUSED, {}))
