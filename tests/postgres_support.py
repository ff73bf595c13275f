"""One private PostgreSQL a test session, a fresh database a test; and stores of either engine."""

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

import psycopg
import pytest

from conformance.postgres import Cluster, PostgresMissingError
from gateway.model.base import replace
from gateway.ports import Produced, Settlement, Task
from gateway.store import Store, StoreQueries, StoreReader, open_store
from gateway.store.nodes import key
from gateway.store.place import Where
from gateway.store.postgres import PostgresStore, prepare
from gateway.store.store import Options
from tests.store_support import site

_NUMBERS = itertools.count(1)


class Server:
    """A running cluster with a template that holds an empty store."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._admin("CREATE DATABASE template_store")
        prepare(cluster.url("template_store"))

    def database(self, template: str = "template_store", options: str = "") -> str:
        """The address of a fresh database; `options` are those of CREATE DATABASE."""
        name = f"test_{next(_NUMBERS)}"
        self._admin(f"CREATE DATABASE {name} TEMPLATE {template} {options}")
        return self.cluster.url(name)

    def _admin(self, command: str) -> None:
        with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
            connection.execute(command.encode())


def server() -> Iterator[Server]:
    """The session's server; skips with the reason where there is none."""
    try:
        cluster = Cluster(durable=False)
        cluster.start()
    except PostgresMissingError as missing:
        pytest.skip(str(missing))
    try:
        yield Server(cluster)
    finally:
        cluster.remove()


class Engine:
    """Where the store of a test is, and how it is opened and looked at."""

    def __init__(self, where: Where, folder: Path) -> None:
        self.where, self.folder = where, folder

    @property
    def name(self) -> str:
        return "sqlite" if isinstance(self.where, Path) else "postgres"

    def node(self, folder: Path | None = None, *, lease: float = 30.0, **options: Unpack[Options]) -> Store:
        """The store as the gateway opens it."""
        return open_store(self.where, folder or self.folder, lease=lease, **options)

    def open(self, **options: Unpack[Options]) -> Store:
        """The same, for tests that name tasks without the lease under which they were handed out."""
        store = self.node(**options)
        if isinstance(store, PostgresStore):
            _carry_leases(store)
        return store

    def queries(self) -> StoreQueries:
        return StoreQueries.open(self.where)

    def reader(self) -> StoreReader:
        return StoreReader.open(self.where, site)

    @property
    def broken_constraint(self) -> type[Exception]:
        return sqlite3.IntegrityError if isinstance(self.where, Path) else psycopg.IntegrityError

    def without_audit_guard(self) -> None:
        """As an intruder would do it who may do everything."""
        for verb in ("update", "delete"):
            on = "" if isinstance(self.where, Path) else " ON audit"
            self.sql(f"DROP TRIGGER audit_no_{verb}{on}")

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        """Rows of a statement; what it changes is committed."""
        if isinstance(self.where, Path):
            connection = sqlite3.connect(self.where, isolation_level=None)
            try:
                return connection.execute(text).fetchall()
            finally:
                connection.close()
        with psycopg.connect(self.where, autocommit=True) as connected:
            cursor = connected.execute(text.encode())
            return cursor.fetchall() if cursor.description else []


def _carry_leases(store: PostgresStore) -> None:
    """Take the leases out of claimed tasks, and put them into what comes back."""
    claim, settle, surrender = store.claim, store.settle, store.surrender
    leases: dict[tuple[str, int], int] = {}

    def leased(one: Any, key: tuple[str, int]) -> Any:
        return replace(one, lease=leases.get(key, 0))

    async def claim_plain(*arguments: Any) -> tuple[Task, ...]:
        tasks = await claim(*arguments)
        leases.update({(task.kind, task.id): task.lease for task in tasks})
        return tuple(replace(task, lease=0) for task in tasks)

    async def settle_leased(results: tuple[Produced | Settlement, ...]) -> None:
        await settle(tuple(leased(one, key(one)) for one in results))

    async def surrender_leased(tasks: tuple[Task, ...]) -> None:
        await surrender(tuple(leased(task, (task.kind, task.id)) for task in tasks))

    store.claim, store.settle, store.surrender = claim_plain, settle_leased, surrender_leased  # type: ignore[method-assign]
