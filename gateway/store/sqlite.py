"""The embedded store: SQLite in WAL, one writing process, one writer thread."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, Unpack

from gateway.model.delivery import Destination
from gateway.ports import Produced, Settlement, StoreUnavailableError, Task
from gateway.store.checkpoint import Checkpointer
from gateway.store.claim import Claiming, next_due
from gateway.store.connection import FolderLock, connect_reader, connect_writer, prepare, rewrite
from gateway.store.moments import from_micros
from gateway.store.session import Session
from gateway.store.sqlite_session import SqliteSession
from gateway.store.store import Chosen, Options, Store, paused_now
from gateway.store.supersede import Withdraw
from gateway.store.writer import GroupWriter

log = logging.getLogger(__name__)

T = TypeVar("T")

REWRITTEN = 256 << 20
"""Bytes of contents up to which the file is made anew after a purge; nothing is taken meanwhile (seconds)."""


class SqliteStore(Store):
    """The store of one data folder."""

    def __init__(self, path: Path, lock: FolderLock, chosen: Chosen) -> None:
        """Use `open`."""
        self._checkpointer = Checkpointer(lambda: connect_writer(path))
        writer = GroupWriter(self._connect, SqliteSession.faults, written=self._checkpointer.written)
        super().__init__(path.parent, writer, chosen)
        self._path, self._lock = path, lock
        self._reading = SqliteSession(connect_reader(path))
        self._reader = ThreadPoolExecutor(1, "store-reader")
        self._claiming = Claiming(chosen.per_destination, recovering=chosen.recovering)
        self._claiming.paused = paused_now(self._reading)
        self._claim_lock = asyncio.Lock()

    @classmethod
    def open(cls, path: Path, **options: Unpack[Options]) -> "SqliteStore":
        """Open, or make, the store at `path`; at most one process may.

        Raises StoreLockedError, SchemaError, OSError, StoreUnavailableError for a file that is no store.
        """
        lock = FolderLock(path.with_suffix(".lock"))
        try:
            prepare(path)
            return cls(path, lock, Chosen(**options))
        except SqliteSession.faults.of_database as fault:
            lock.release()
            raise StoreUnavailableError(f"{path}: {fault}") from fault
        except BaseException:
            lock.release()
            raise

    async def close(self) -> None:
        """Write what waits, close all files, give the folder back."""
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._checkpointer.close)
        self._reader.shutdown()
        self._reading.close()
        self._lock.release()

    # --- ports.WorkStore

    async def claim(
        self,
        limit: int,
        room: Mapping[Destination, int] | None = None,
        probes: Container[Destination] = (),
    ) -> tuple[Task, ...]:
        async with self._claim_lock:
            await self._on_time()
            found = await self._read(self._claiming.look(limit, self._now(), room or {}, probes))
            return self._claiming.hand_out(found)

    def _settled(self, results: tuple[Produced | Settlement, ...]) -> None:
        self._claiming.take_back_results(results)

    async def surrender(self, tasks: tuple[Task, ...]) -> None:
        self._claiming.take_back(tasks)
        self._notify()

    async def next_due(self) -> datetime | None:
        now = self._now()
        due = await self._read(lambda session: next_due(session, now))
        return None if due is None else from_micros(due)

    # ---

    def _connect(self) -> SqliteSession:
        session = SqliteSession(connect_writer(self._path))
        session.pseudonym = self._pseudonym
        return session

    async def _let_go(self) -> None:
        try:
            if not await asyncio.to_thread(rewrite, self._path, REWRITTEN):
                log.warning(
                    "purged, the file was not rewritten: too large to let messages wait, stop the gateway "
                    "and run `gateway db compact`"
                )
        except sqlite3.Error as fault:
            log.warning("purged, the file was not rewritten", extra={"fault": str(fault)})

    def _paused(self, destinations: frozenset[str]) -> None:
        self._claiming.paused = destinations

    def status(self) -> dict[str, Any]:
        return super().status() | {"paused": sorted(self._claiming.paused)}

    async def _changing(self, work: Callable[[Session, Withdraw], T], size: int = 0) -> T:
        withdrawn: list[int] = []

        def withdraw(delivery_id: int) -> bool:
            free = self._claiming.withdraw(delivery_id)
            if free:
                withdrawn.append(delivery_id)
            return free

        def ended() -> None:
            if withdrawn:
                self._claiming.ended(withdrawn)

        return await self._writer.submit(lambda session: work(session, withdraw), size, ended=ended)

    async def _read(self, look: Callable[[Session], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, look, self._reading)
