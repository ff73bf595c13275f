"""A statement of SQLAlchemy as text and constants for the bare DBAPI cursor: SQLAlchemy's own execution costs
more than an insert. And what several statements say alike.
"""

import re
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Executable, Integer, Table, literal_column
from sqlalchemy.engine import Dialect

from gateway.model.delivery import DeliveryState
from gateway.store.tables import metadata


class Sql(NamedTuple):
    """Text with its parameters, the values of those that are constants, and the tables that it names."""

    text: str
    constants: dict[str, Any]
    tables: frozenset[str]


def sql(statement: Executable, dialect: Dialect) -> Sql:
    """`statement` for a dialect; an insert names all columns but the numbered `id`."""
    table = getattr(statement, "table", None)
    names = None
    if getattr(statement, "is_insert", False) and isinstance(table, Table):
        names = [one.name for one in table.columns if one.name != "id"]
    compiled = statement.compile(dialect=dialect, column_keys=names)  # type: ignore[attr-defined]  # all are
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    text = str(compiled)
    return Sql(text, constants, frozenset(_TABLES.findall(text)))


_TABLES = re.compile(rf"\b(?:{'|'.join(metadata.tables)})\b")
"""A column of the same name counts, too: better once too often than once too little."""


ONE: ColumnElement[int] = literal_column("1", Integer)
SETTLED: tuple[ColumnElement[str], ...] = tuple(
    literal_column(f"'{state}'") for state in DeliveryState if state.settled
)
