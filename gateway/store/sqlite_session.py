"""Sessions of SQLite: the driver of the standard library."""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Executable, Insert
from sqlalchemy.dialects import sqlite

from gateway.store.session import LARGE, Faults, Params, Session, Texts, Values

compiled = Texts(sqlite.dialect(paramstyle="named"), sqlite.dialect(paramstyle="qmark"))
"""The SQLite text of a statement."""


class SqliteSession(Session):
    dialect = compiled.dialect
    faults = Faults(
        of_database=(sqlite3.Error,),
        of_values=(
            sqlite3.IntegrityError,
            sqlite3.DataError,
            sqlite3.ProgrammingError,
            sqlite3.NotSupportedError,
            sqlite3.InterfaceError,
        ),
        of_service=(sqlite3.OperationalError,),
        conflicts=(),
    )

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection, self._cursor = connection, connection.cursor()

    def run(self, statement: Executable, params: Params) -> None:
        text, constants, tables = compiled(statement)
        self._before(tables)
        self._cursor.execute(text, {**constants, **params} if constants else params)

    def run_many(self, statement: Executable, rows: Sequence[Values]) -> None:
        self._before(compiled(statement).tables)
        self._cursor.executemany(compiled.insert(statement, rows[0]), rows)

    def add(self, statement: Executable, values: Values) -> int:
        return self._insert(compiled.insert(statement, values), values)

    def _insert(self, text: str, values: Values) -> int:
        self._cursor.execute(text, values)
        number = self._cursor.lastrowid
        assert number is not None
        return number

    def run_large(self, statement: Insert, params: Params, column: str) -> None:
        self.add_large(statement, params, column)

    def add_large(self, statement: Insert, values: Values, column: str) -> int:
        """In pieces: SQLite copies twice what is bound, and keeps one copy with the statement."""
        value = getattr(values, column) if isinstance(values, tuple) else values[column]
        if len(value) < LARGE:
            return self.add(statement, values)
        names = (one.name for one in statement.table.columns if one.name != "id")
        params = dict(zip(names, values, strict=True)) if isinstance(values, tuple) else values
        text = re.sub(rf":{column}\b", f"zeroblob(:{column})", compiled(statement).text)
        number = self._insert(text, {**params, column: len(value)})
        with self._connection.blobopen(statement.table.name, column, number) as blob:
            view = memoryview(value)
            for begin in range(0, len(view), LARGE):
                blob.write(view[begin : begin + LARGE])
        return number

    def row(self, statement: Executable, params: Params) -> tuple[Any, ...] | None:
        self.run(statement, params)
        found: tuple[Any, ...] | None = self._cursor.fetchone()
        return found

    def rows(self, statement: Executable, params: Params) -> list[tuple[Any, ...]]:
        self.run(statement, params)
        return self._cursor.fetchall()

    def stream(self, statement: Executable, params: Params) -> Iterator[tuple[Any, ...]]:
        self.run(statement, params)
        yield from self._cursor

    def _begin(self) -> None:
        self._cursor.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        self._cursor.execute("COMMIT")

    def _rollback(self) -> None:
        self._cursor.execute("ROLLBACK")

    def _flush(self) -> None:
        """Every statement has waited for its end."""

    def _begin_job(self) -> None:
        self._cursor.execute("SAVEPOINT job")

    def _end_job(self, *, keep: bool) -> None:
        if not keep:
            self._cursor.execute("ROLLBACK TO job")
        self._cursor.execute("RELEASE job")

    def has_table(self, name: str) -> bool:
        found = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,))
        return found.fetchone() is not None

    def script(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self._cursor.execute(statement)

    def damage(self, most: int) -> list[str]:
        found = self._connection.execute(f"PRAGMA quick_check({most})")
        return [text for (text,) in found if text != "ok"]

    def close(self) -> None:
        self._connection.close()
