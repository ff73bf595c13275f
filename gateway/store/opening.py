"""The right store for an address."""

from pathlib import Path
from typing import Unpack

from gateway.store.place import Where
from gateway.store.store import Options, Store


def open_store(
    where: Where, folder: Path, *, lease: float = 30.0, serving: bool = True, **options: Unpack[Options]
) -> Store:
    """`folder`: the data folder of this process. `lease`, `serving`: see `PostgresStore.open`; an SQLite
    store has one process anyway.

    Raises StoreUnavailableError, StoreLockedError, SchemaError, NodeError, OSError.
    """
    if isinstance(where, Path):
        from gateway.store.sqlite import SqliteStore

        return SqliteStore.open(where, **options)
    from gateway.store.postgres import PostgresStore

    return PostgresStore.open(where, folder, lease=lease, serving=serving, **options)


def exists(where: Where) -> bool:
    """Whether there is a store to look into; of a PostgreSQL only asking tells."""
    return isinstance(where, str) or where.is_file()
