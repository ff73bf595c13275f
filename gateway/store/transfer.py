"""Every row of a store, out and in again, whatever the engine: for export, import, and a change of engine."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Table, bindparam, func, insert, literal, select, tuple_

from gateway.store.session import Session
from gateway.store.tables import message, metadata

_NODES = frozenset({"lease", "node"})
"""What running processes have in hand: no part of what is kept."""
TABLES: Mapping[str, Table] = {
    table.name: table for table in metadata.sorted_tables if table.name not in _NODES
}
"""By name, a table after those that it points to."""
_LARGE = {"message": "raw", "artifact": "data"}
_PAGE = 500
_SNAPSHOT = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"}

Row = dict[str, Any]


def snapshot(session: Session) -> None:
    """From here on the session sees one state of the store, whatever others write."""
    session.script((_SNAPSHOT[session.dialect.name],))


def rows(session: Session, name: str) -> Iterator[Row]:
    """All rows of a table in the order of its key; other statements may run between two of them."""
    table = TABLES[name]
    key = tuple(table.primary_key.columns)
    first = select(table).order_by(*key).limit(bindparam("most"))
    after = tuple(bindparam(f"after_{one.name}", type_=one.type) for one in key)
    following = first.where(tuple_(*key) > tuple_(*after)) if len(key) > 1 else first.where(key[0] > after[0])
    most = 1 if name in _LARGE else _PAGE
    names = [one.name for one in table.columns]
    statement, params = first, {"most": most}
    while page := session.rows(statement, params):
        for values in page:
            row = dict(zip(names, values, strict=True))
            yield row
        statement = following
        params = {"most": most} | {f"after_{one.name}": row[one.name] for one in key}


def counts(session: Session) -> dict[str, int]:
    """Rows by table."""
    found = {}
    for name, table in TABLES.items():
        row = session.row(select(func.count()).select_from(table), {})
        found[name] = row[0] if row else 0
    return found


def empty(session: Session) -> bool:
    """No message was ever taken."""
    return session.row(select(literal(1)).select_from(message).limit(1), {}) is None


def add(session: Session, name: str, row: Row) -> None:
    """A row as `rows` gave it, its number included."""
    statement = _INSERTS[name]
    if name in _LARGE:
        session.run_large(statement, row, _LARGE[name])
    else:
        session.run(statement, row)


def number(session: Session) -> None:
    """After all rows: new ones are numbered behind them. SQLite does so by itself."""
    if session.dialect.name != "postgresql":
        return
    for table in TABLES.values():
        if "id" in table.columns:
            name = f'"{table.name}"'
            session.script(
                (
                    f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), "  # noqa: S608  # our own names
                    f"coalesce((SELECT max(id) FROM {name}), 0) + 1, false)",
                )
            )


_INSERTS = {
    name: insert(table).values({one.name: bindparam(one.name, type_=one.type) for one in table.columns})
    for name, table in TABLES.items()
}
