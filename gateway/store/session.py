"""The one way a statement reaches a database: compiled once a dialect, run by the driver's bare cursor."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Executable, Insert
from sqlalchemy.engine import Dialect

from gateway.model.people import Patient
from gateway.store.sql import Sql, sql

Params = Mapping[str, Any]
Values = Params | tuple[Any, ...]
"""Of a new row: by name, or by position (`rows`)."""
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

    def __init__(self, dialect: Dialect, positional: Dialect) -> None:
        """`positional`: the same dialect with parameters by position."""
        self.dialect, self._positional = dialect, positional
        self._made: dict[Executable, Sql] = {}
        self._inserts: dict[Executable, str] = {}

    def __call__(self, statement: Executable) -> Sql:
        found = self._made.get(statement)
        if found is None:
            found = self._made[statement] = sql(statement, self.dialect)
        return found

    def insert(self, statement: Executable, values: Values) -> str:
        """The text of an insert that takes its values as `values` are given."""
        if not isinstance(values, tuple):
            return self(statement).text
        found = self._inserts.get(statement)
        if found is None:
            found = self._inserts[statement] = sql(statement, self._positional).text
        return found


class Session(ABC):
    """A cursor that speaks in statements of this room. Not for two threads at once."""

    faults: Faults
    dialect: Dialect
    pseudonym: Callable[[Patient], str] | None = None
    """Whose a report is, for the audit trail (`audit.pseudonyms`); None where there is no key."""
    _facts: dict[Hashable, Any] | None = None

    def __init__(self) -> None:
        self._waiting: dict[Insert, list[Values]] = {}

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

    def doubt(self, name: Hashable) -> None:
        """It may have changed: whoever asks next looks again."""
        if self._facts is not None:
            self._facts.pop(name, None)

    def later(self, statement: Insert, values: tuple[Any, ...]) -> None:
        """Insert a row whose number nobody needs, before the transaction ends or anybody looks at its table:
        rows of several messages together cost half."""
        if self._facts is None:
            self.run_many(statement, (values,))
        elif (waiting := self._waiting.get(statement)) is not None:
            waiting.append(values)
        else:
            self._waiting[statement] = [values]

    def _before(self, tables: frozenset[str]) -> None:
        """To be called before a statement that names `tables`."""
        if self._waiting and any(one.table.name in tables for one in self._waiting):
            self._write()

    def _write(self) -> None:
        """What waits."""
        waiting, self._waiting = self._waiting, {}
        for statement, rows in waiting.items():
            self.run_many(statement, rows)

    @abstractmethod
    def run(self, statement: Executable, params: Params) -> None: ...

    @abstractmethod
    def run_many(self, statement: Executable, rows: Sequence[Values]) -> None:
        """One insert or change for every row, at least one; the statement must have no constants."""

    @abstractmethod
    def add(self, statement: Executable, values: Values) -> int:
        """Insert one row; its number, of a table that has one."""

    def add_large(self, statement: Insert, values: Values, column: str) -> int:
        """`add`, where the bytes of `column` may be large."""
        return self.add(statement, values)

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
        self._facts, self._waiting = {}, {}

    def commit(self) -> None:
        """Durable when it returns."""
        self._write()
        self._facts = None
        self._commit()

    def rollback(self) -> None:
        """Nothing of the transaction stays."""
        self._facts, self._waiting = None, {}
        self._rollback()

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _rollback(self) -> None: ...

    def flush(self) -> None:
        """What was written so far is taken; where writing does not wait, the errors of it come here."""
        self._write()
        self._flush()

    @abstractmethod
    def _flush(self) -> None: ...

    def begin_job(self) -> None:
        """A part of the transaction that can be taken back alone."""
        self.flush()
        self._begin_job()

    @abstractmethod
    def _begin_job(self) -> None: ...

    def end_job(self, *, keep: bool) -> None:
        """To be called after a `flush`, with which its errors come."""
        if not keep and self._facts is not None:
            self._facts, self._waiting = {}, {}
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
