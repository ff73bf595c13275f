"""The durable state: tables, intake commit, claiming and settling, and what API and CLI read.

SQLite implements `ports.IntakeStore`, `WorkStore`, `WorkReader` and `Queries`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.store.connection import SchemaError, StoreLockedError
    from gateway.store.queries import SqliteQueries
    from gateway.store.reader import SqliteReader
    from gateway.store.sqlite import SqliteStore

__all__ = ["SchemaError", "SqliteQueries", "SqliteReader", "SqliteStore", "StoreLockedError"]

_HOMES = {
    "SchemaError": "connection",
    "SqliteQueries": "queries",
    "SqliteReader": "reader",
    "SqliteStore": "sqlite",
    "StoreLockedError": "connection",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"gateway.store.{_HOMES[name]}"), name)
