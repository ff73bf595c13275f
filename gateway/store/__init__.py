"""The durable state: tables, intake commit, claiming and settling, and what API and CLI read.

SQLite (embedded, one node) and PostgreSQL (several nodes) implement `ports.IntakeStore`, `WorkStore` and
`Operator` from the same tables and statements; `WorkReader` and `Queries` read both.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.store.connection import StoreLockedError
    from gateway.store.nodes import NodeError
    from gateway.store.opening import exists, open_store
    from gateway.store.queries import StoreQueries
    from gateway.store.reader import StoreReader
    from gateway.store.schema import SchemaError
    from gateway.store.sqlite import SqliteStore
    from gateway.store.store import Store, SystemClock

__all__ = [
    "NodeError",
    "SchemaError",
    "SqliteStore",
    "Store",
    "StoreLockedError",
    "StoreQueries",
    "StoreReader",
    "SystemClock",
    "exists",
    "open_store",
]

_HOMES = {
    "NodeError": "nodes",
    "SchemaError": "schema",
    "SqliteStore": "sqlite",
    "Store": "store",
    "StoreLockedError": "connection",
    "StoreQueries": "queries",
    "StoreReader": "reader",
    "SystemClock": "store",
    "exists": "opening",
    "open_store": "opening",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"gateway.store.{_HOMES[name]}"), name)
