"""The one way a statement reaches a database: compiled once a dialect, run by the driver's bare cursor."""

import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Executable, Insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect

from gateway.model.people import Patient
from gateway.store.statements import Sql, sql

Params = Mapping[str, Any]
T = TypeVar("T")

LARGE = 1 << 20
"""Bytes from which a value is written in pieces."""


class Faults(NamedTuple):
    """The exceptions of a driver, by what they say."""

    of_database: tuple[type[Exception], ...]
    """All of them."""
    of_values: tuple[type[Exception], ...]
    """The values of one job are wrong; the database is well."""
    of_service: tuple[type[Exception], ...]
    """The database does not answer now."""
    conflicts: tuple[type[Exception], ...]
    """Another writer came in between: the same again may succeed."""


class Texts:
    """The statements of this room in the words of one dialect, each made once a process."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._made: dict[Executable, Sql] = {}

    def __call__(self, statement: Executable) -> Sql:
        found = self._made.get(statement)
        if found is None:
            found = self._made[statement] = sql(statement, self.dialect)
        return found


class Session(ABC):
    """A cursor that speaks in statements of this room. Not for two threads at once."""

    faults: Faults
    dialect: Dialect
    pseudonym: Callable[[Patient], str] | None = None
    """Whose a report is, for the audit trail (`audit.pseudonyms`); None where there is no key."""
    _facts: dict[Hashable, Any] | None = None

    def fact(self, name: Hashable, look: Callable[[], T]) -> T:
        """What `look` finds. In a writing transaction nobody else changes anything: there it looks once, and
        who changes the fact states it."""
        if self._facts is None:
            return look()
        if name not in self._facts:
            self._facts[name] = look()
        found: T = self._facts[name]
        return found

    def state(self, name: Hashable, value: object) -> None:
        """From here to the end of the transaction this is the fact."""
        if self._facts is not None:
            self._facts[name] = value

    @abstractmethod
    def run(self, statement: Executable, params: Params) -> None: ...

    @abstractmethod
    def run_many(self, statement: Executable, rows: Sequence[Params]) -> None:
        """One write for every row; the statement must have no constants."""

    @abstractmethod
    def add(self, statement: Executable, params: Params) -> int:
        """Insert one row; its number."""

    def add_large(self, statement: Insert, params: Params, column: str) -> int:
        """`add`, where the bytes of `column` may be large."""
        return self.add(statement, params)

    def run_large(self, statement: Insert, params: Params, column: str) -> None:
        """`run`, where the bytes of `column` may be large."""
        self.run(statement, params)

    @abstractmethod
    def row(self, statement: Executable, params: Params) -> tuple[Any, ...] | None:
        """The first row, None when there is none."""

    @abstractmethod
    def rows(self, statement: Executable, params: Params) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def stream(self, statement: Executable, params: Params) -> Iterator[tuple[Any, ...]]:
        """Row by row; nothing else may run on this session meanwhile."""

    def begin(self) -> None:
        """A writing transaction: from here on no other writer, of any process, changes anything."""
        self._begin()
        self._facts = {}

    def commit(self) -> None:
        """Durable when it returns."""
        self._facts = None
        self._commit()

    def rollback(self) -> None:
        """Nothing of the transaction stays."""
        self._facts = None
        self._rollback()

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _rollback(self) -> None: ...

    @abstractmethod
    def flush(self) -> None:
        """What was written so far is taken; where writing does not wait, the errors of it come here."""

    @abstractmethod
    def begin_job(self) -> None:
        """A part of the transaction that can be taken back alone."""

    def end_job(self, *, keep: bool) -> None:
        if not keep and self._facts is not None:
            self._facts = {}
        self._end_job(keep=keep)

    @abstractmethod
    def _end_job(self, *, keep: bool) -> None: ...

    @abstractmethod
    def has_table(self, name: str) -> bool: ...

    @abstractmethod
    def script(self, statements: Iterable[str]) -> None:
        """Statements of definition, as they are."""

    @property
    def lost(self) -> bool:
        """The connection is gone: only a new one may help."""
        return False

    @abstractmethod
    def damage(self, most: int) -> list[str]:
        """What the engine itself finds wrong with its files, where it can tell."""

    @abstractmethod
    def close(self) -> None:
        """Rolls back what is open."""


compiled = Texts(sqlite.dialect(paramstyle="named"))
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
        self._connection, self._cursor = connection, connection.cursor()

    def run(self, statement: Executable, params: Params) -> None:
        text, constants = compiled(statement)
        self._cursor.execute(text, {**constants, **params} if constants else params)

    def run_many(self, statement: Executable, rows: Sequence[Params]) -> None:
        self._cursor.executemany(compiled(statement).text, rows)

    def add(self, statement: Executable, params: Params) -> int:
        return self._insert(compiled(statement).text, params)

    def _insert(self, text: str, params: Params) -> int:
        self._cursor.execute(text, params)
        number = self._cursor.lastrowid
        assert number is not None
        return number

    def run_large(self, statement: Insert, params: Params, column: str) -> None:
        self.add_large(statement, params, column)

    def add_large(self, statement: Insert, params: Params, column: str) -> int:
        """In pieces: SQLite copies twice what is bound, and keeps one copy with the statement."""
        value = params[column]
        if len(value) < LARGE:
            return self.add(statement, params)
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

    def flush(self) -> None:
        """Every statement has waited for its end."""

    def begin_job(self) -> None:
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
