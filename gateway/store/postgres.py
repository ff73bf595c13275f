"""The store of several nodes: PostgreSQL is what they have in common, and their only coordinator."""

import asyncio
import hashlib
import logging
import socket
from collections.abc import Callable, Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, Unpack
from uuid import uuid4

import psycopg

from gateway.model.delivery import Destination
from gateway.ports import Produced, Settlement, StoreUnavailableError, Task
from gateway.store import nodes, schema
from gateway.store.claim import next_due
from gateway.store.connection import FolderLock
from gateway.store.leasing import Leasing
from gateway.store.moments import from_micros, to_micros
from gateway.store.postgres_session import PostgresSession, connect
from gateway.store.postgres_writer import WritingSession
from gateway.store.pulse import Node, Pulse
from gateway.store.purge import PURGED
from gateway.store.session import Session
from gateway.store.settle import settle
from gateway.store.store import Chosen, Options, Store, paused_now
from gateway.store.supersede import Withdraw
from gateway.store.writer import GroupWriter

log = logging.getLogger(__name__)

T = TypeVar("T")

LEASE = 30.0
"""Seconds after which a node that gives no sign of life counts as dead."""


class PostgresStore(Store):
    """One node's end of the common store. `folder` is its own: journals, keys, outbox."""

    def __init__(self, url: str, folder: Path, lock: FolderLock | None, chosen: Chosen, lease: float) -> None:
        """Use `open`."""
        self._url, self._lock, self._recovering = url, lock, chosen.recovering
        super().__init__(folder, GroupWriter(self._connect, PostgresSession.faults), chosen)
        self._leasing = Leasing(chosen.per_destination)
        self._paused_now: frozenset[str] = frozenset()
        self._returned: list[Task] = []
        self._claims = ThreadPoolExecutor(1, "store-claims")
        self._claim_lock = asyncio.Lock()
        self._claim_session: PostgresSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._name = ""
        self._pulse: Pulse | None = None
        if lock is not None:
            self._name = _name(folder)
            node = Node(self._name, f"{socket.gethostname()}:{folder.resolve()}", _fingerprint(folder), lease)
            try:
                self._pulse = Pulse(url, node, news=self._news, bury=self._bury, recovering=chosen.recovering)
            except BaseException:
                self._writer.close()
                raise

    @classmethod
    def open(
        cls, url: str, folder: Path, *, lease: float = LEASE, serving: bool = True, **options: Unpack[Options]
    ) -> "PostgresStore":
        """Join the store at `url`, making it where there is none.

        `serving`: as a node, one a `folder`; else for changes by hand only (no claims).
        Raises StoreUnavailableError, StoreLockedError, SchemaError, nodes.NodeError, OSError.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FolderLock(folder / "gateway.lock") if serving else None
        try:
            prepare(url)
            return cls(url, folder, lock, Chosen(**options), lease)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.close)
        with suppress(StoreUnavailableError):  # what could not be given back expires
            await self._give_back()
        self._claims.shutdown()
        if self._claim_session is not None:
            self._claim_session.close()
        if self._pulse is not None:
            await asyncio.to_thread(self._pulse.close)
        if self._lock is not None:
            self._lock.release()

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        super().subscribe(changed)

    # --- ports.WorkStore

    async def claim(
        self,
        limit: int,
        room: Mapping[Destination, int] | None = None,
        probes: Container[Destination] = (),
    ) -> tuple[Task, ...]:
        """Raises StoreUnavailableError."""
        assert self._pulse is not None, "opened for changes by hand"
        token, now, returned = self._pulse.token, self._now(), tuple(self._returned)

        def take(session: PostgresSession) -> tuple[Task, ...]:
            if self._recovering:
                nodes.recovered(session, self._name, token)
            _give(session, returned)
            self._paused_now = paused_now(session)
            return self._leasing.claim(
                session, (self._name, token), limit, now, room or {}, self._paused_now, probes
            )

        async with self._claim_lock:
            await self._on_time()
            tasks = await self._in_claims(take)
            self._recovering = False
            self._forget(returned)
            self._leasing.take(tasks)
            return tasks

    async def surrender(self, tasks: tuple[Task, ...]) -> None:
        """They are free for all nodes; where the store does not answer, with the next claim that succeeds."""
        self._leasing.drop(tasks)
        self._returned += tasks
        with suppress(StoreUnavailableError):
            await self._give_back()
        self._notify()

    async def next_due(self) -> datetime | None:
        now = self._now()
        due = await self._in_claims(lambda session: next_due(session, now))
        return None if due is None else from_micros(due)

    def _settle(self, session: Session, results: tuple[Produced | Settlement, ...], now: int) -> None:
        super()._settle(session, nodes.fence(session, results), now)

    def _settled(self, results: tuple[Produced | Settlement, ...]) -> None:
        self._leasing.drop_results(results)

    # ---

    def _paused(self, destinations: frozenset[str]) -> None:
        self._paused_now = destinations

    def status(self) -> dict[str, Any]:
        up = self._pulse is None or self._pulse.up
        return super().status() | {"paused": sorted(self._paused_now), "store": "up" if up else "down"}

    async def _changing(self, work: Callable[[Session, Withdraw], T], size: int = 0) -> T:
        return await self._writer.submit(
            lambda session: work(session, lambda delivery: nodes.withdraw(session, delivery)), size
        )

    def _connect(self) -> PostgresSession:
        token = self._pulse.token if self._pulse is not None else 0
        session = WritingSession(connect(self._url, "writer"), tells=str(token))
        session.pseudonym = self._pseudonym
        return session

    async def _let_go(self) -> None:
        try:
            await asyncio.to_thread(vacuum, self._url)
        except StoreUnavailableError as fault:
            log.warning("purged, not vacuumed", extra={"fault": str(fault)})

    def leads(self) -> bool:
        """The first by name of the nodes that live."""
        return self._pulse is not None and self._pulse.first

    def nodes(self) -> int:
        return 1 if self._pulse is None else self._pulse.living

    async def _give_back(self) -> None:
        returned = tuple(self._returned)

        if returned:
            await self._in_claims(lambda session: _give(session, returned))
            self._forget(returned)

    def _forget(self, returned: tuple[Task, ...]) -> None:
        self._returned = [task for task in self._returned if task not in returned]

    async def _in_claims(self, work: Callable[[PostgresSession], T]) -> T:
        """In the thread and the transaction of claims, beside the writers."""

        def run() -> T:
            if self._claim_session is None:
                self._claim_session = PostgresSession(connect(self._url, "claims"))
            try:
                with self._claim_session.beside():
                    return work(self._claim_session)
            except psycopg.Error as fault:
                self._claim_session.close()
                self._claim_session = None
                raise StoreUnavailableError(f"the store cannot be asked: {fault}") from fault

        return await asyncio.get_running_loop().run_in_executor(self._claims, run)

    # --- called by the pulse, in its thread

    def _news(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._notify)

    def _bury(self, session: PostgresSession, name: str) -> None:
        now = to_micros(self._clock.now())
        session.pseudonym = self._pseudonym
        unknown = nodes.take_over(session, name)
        settle(session, unknown, self._retry, now, acknowledging=self._acknowledging)


def _give(session: PostgresSession, tasks: tuple[Task, ...]) -> None:
    for task in tasks:
        nodes.give_back(session, task.kind, task.id, task.lease)


def prepare(url: str) -> None:
    """Make the schema in an empty database. Raises StoreUnavailableError, SchemaError."""
    session = PostgresSession(connect(url, "start"))
    try:
        session.begin()
        if not schema.revision(session):
            schema.create(session)
        session.commit()
        schema.check_revision(session)
    except psycopg.Error as fault:
        raise StoreUnavailableError(f"the schema cannot be made: {fault}") from fault
    finally:
        session.close()


def vacuum(url: str, how: str = "ANALYZE") -> None:
    """The rows that a purge emptied may be overwritten from now on; `FULL`: the tables are written anew, and
    nobody can use them meanwhile. Raises StoreUnavailableError."""
    with connect(url, "vacuum") as connection:
        try:
            for table in PURGED:
                connection.execute(f'VACUUM ({how}) "{table.name}"'.encode())
        except psycopg.Error as fault:
            raise StoreUnavailableError(f"not vacuumed: {fault}") from fault


def rewrite(url: str) -> None:
    """`vacuum` in full. Raises StoreUnavailableError, SchemaError; NodeError while a node lives."""
    with connect(url, "vacuum") as connection:
        session = PostgresSession(connection)
        schema.check_revision(session)
        if living := nodes.living(session):
            raise nodes.NodeError(f"{len(living)} gateways serve this store: stop them")
    vacuum(url, "FULL")


def _name(folder: Path) -> str:
    """The name of a node is that of its data folder, for life."""
    path = folder / "node-id"
    if not path.is_file():
        path.write_text(f"{uuid4()}\n")
    return path.read_text().strip()


def _fingerprint(folder: Path) -> str:
    """Of the audit key: the same patient must have the same pseudonym on every node."""
    return hashlib.sha256(b"fingerprint of " + (folder / "audit-key").read_bytes()).hexdigest()[:16]
