"""The one way a statement reaches the database: compiled once, run by the bare cursor of the connection."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.dialects import sqlite

from gateway.store.statements import Sql, sql

Params = Mapping[str, Any]

_DIALECT = sqlite.dialect(paramstyle="named")
_COMPILED: dict[Executable, Sql] = {}


def compiled(statement: Executable) -> Sql:
    """The SQLite text of a statement of this room, made once a process."""
    found = _COMPILED.get(statement)
    if found is None:
        found = _COMPILED[statement] = sql(statement, _DIALECT)
    return found


class Session:
    """A cursor that speaks in statements of this room. Not for two threads at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cursor = connection.cursor()

    def run(self, statement: Executable, params: Params) -> None:
        text, constants = compiled(statement)
        self._cursor.execute(text, {**constants, **params} if constants else params)

    def run_many(self, statement: Executable, rows: Sequence[Params]) -> None:
        """One write for every row; the statement must have no constants."""
        self._cursor.executemany(compiled(statement).text, rows)

    def add(self, statement: Executable, params: Params) -> int:
        """Insert one row; its number."""
        self._cursor.execute(compiled(statement).text, params)
        number = self._cursor.lastrowid
        assert number is not None
        return number

    def row(self, statement: Executable, params: Params) -> tuple[Any, ...] | None:
        """The first row, None when there is none."""
        self.run(statement, params)
        found: tuple[Any, ...] | None = self._cursor.fetchone()
        return found

    def rows(self, statement: Executable, params: Params) -> list[tuple[Any, ...]]:
        self.run(statement, params)
        return self._cursor.fetchall()

    def stream(self, statement: Executable, params: Params) -> Iterator[tuple[Any, ...]]:
        """Row by row; nothing else may run on this session meanwhile."""
        self.run(statement, params)
        yield from self._cursor

    def control(self, command: str) -> None:
        """BEGIN, COMMIT, SAVEPOINT…"""
        self._cursor.execute(command)
