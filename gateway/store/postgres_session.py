"""PostgreSQL connections as this store needs them (psycopg 3), speaking in statements of this room.

What is written takes one lock first (`WRITER`): in the whole cluster one transaction at a time decides,
as on SQLite. So no two messages of one report set, one patient or one order are ever decided side by side,
numbers follow the order of the commits, and the audit trail stays one chain.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.types.string import StrDumper
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql import psycopg as dialect

from gateway.ports import StoreUnavailableError
from gateway.store.schema import SchemaError, check_revision
from gateway.store.session import Faults, Params, Session, Texts, Values

WRITER = 0x67617465
"""Key of the advisory lock that a writing transaction holds, one a database."""
CHANNEL = "gateway"
"""NOTIFY: something was committed; the payload is the token of the node that did it."""

_compiled = Texts(
    dialect.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy's
    dialect.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
)
_OPTIONS = """
SELECT set_config('lock_timeout', '20s', false),
       set_config('idle_in_transaction_session_timeout', '30s', false),
       CASE current_setting('synchronous_commit')
       WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END
"""
"""A node that hangs in a transaction loses it, so that the others go on; a commit is always durable."""
_LIFE = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "client_encoding": "UTF8",
}
"""A server that vanished is noticed within seconds; the address may say otherwise."""

T = TypeVar("T")


class _TextDumper(StrDumper):
    """PostgreSQL keeps no U+0000 in a text; the received bytes hold it, the columns a visible sign."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\x00", "\u2400") if "\x00" in obj else obj)


def connect(url: str, role: str) -> psycopg.Connection[tuple[Any, ...]]:
    """In autocommit. Raises StoreUnavailableError, without the password of the address, and SchemaError for a
    database that cannot hold every text."""
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
        options = {**_LIFE, "application_name": f"gateway {role}", **given}
        connection = psycopg.connect(psycopg.conninfo.make_conninfo("", **options), autocommit=True)
        connection.adapters.register_dumper(str, _TextDumper)
        connection.execute(_OPTIONS)
    except psycopg.Error as fault:
        raise StoreUnavailableError(f"{describe(url)}: {_line(fault)}") from fault
    if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
        connection.close()
        advice = "make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        raise SchemaError(f"{describe(url)}: the encoding of the database is {encoding}, not UTF8: {advice}")
    return connection


def describe(url: str) -> str:
    """The address without user and password."""
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "postgresql (the address cannot be read)"
    return f"postgresql://{given.get('host', '')}:{given.get('port', 5432)}/{given.get('dbname', '')}"


def _line(fault: Exception) -> str:
    return " ".join(str(fault).split())


class PostgresSession(Session):
    dialect = _compiled.dialect
    faults = Faults(
        of_database=(psycopg.Error, StoreUnavailableError),
        of_values=(
            psycopg.IntegrityError,
            psycopg.DataError,
            psycopg.ProgrammingError,
            psycopg.NotSupportedError,
        ),
        of_service=(psycopg.OperationalError, psycopg.InterfaceError, StoreUnavailableError),
        conflicts=(psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure),
    )

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], *, tells: str = "") -> None:
        """`tells`: payload of the NOTIFY that goes out with each commit, "" for none."""
        super().__init__()
        self._connection, self._tells = connection, tells
        self._open()

    def _open(self) -> None:
        self._cursor = self._connection.cursor(binary=True)
        self._plain = self._connection.cursor()  # several commands in one round trip: text protocol only

    def _ready(self) -> psycopg.Cursor[tuple[Any, ...]]:
        """The cursor of the next statement; its answer is asked of `_cursor`."""
        return self._cursor

    def run(self, statement: Executable, params: Params) -> None:
        text, constants, tables = _compiled(statement)
        self._before(tables)
        self._ready().execute(text, {**constants, **params} if constants else params)

    def run_many(self, statement: Executable, rows: Sequence[Values]) -> None:
        self._before(_compiled(statement).tables)
        self._ready().executemany(_compiled.insert(statement, rows[0]), rows)

    def add(self, statement: Executable, values: Values) -> int:
        self._ready().execute(_compiled.insert(statement, values), values)  # SQLAlchemy adds RETURNING id
        found = self._cursor.fetchone()
        assert found is not None
        return int(found[0])

    def row(self, statement: Executable, params: Params) -> tuple[Any, ...] | None:
        self.run(statement, params)
        return self._cursor.fetchone()

    def rows(self, statement: Executable, params: Params) -> list[tuple[Any, ...]]:
        self.run(statement, params)
        return self._cursor.fetchall()

    def stream(self, statement: Executable, params: Params) -> Iterator[tuple[Any, ...]]:
        text, constants, tables = _compiled(statement)
        self._before(tables)
        yield from self._cursor.stream(text, {**constants, **params}, size=1000)

    def _begin(self) -> None:
        self._plain.execute(f"BEGIN; SELECT pg_advisory_xact_lock({WRITER})")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A writing transaction, of which nothing stays when its part raises."""
        self.begin()
        try:
            yield
        except BaseException:
            if not self.lost:
                self.rollback()
            raise
        self.commit()

    @contextmanager
    def beside(self) -> Iterator[None]:
        """A transaction that does not keep the writers out."""
        with self._connection.transaction():
            yield

    def _commit(self) -> None:
        tell = f"NOTIFY {CHANNEL}, '{self._tells}'; " if self._tells else ""
        self._plain.execute(f"{tell}COMMIT")

    def _flush(self) -> None:
        """Every statement has waited for its end (`postgres_writer` does otherwise)."""

    def _begin_job(self) -> None:
        self._plain.execute("SAVEPOINT job")

    def _rollback(self) -> None:
        self._plain.execute("ROLLBACK")

    def _end_job(self, *, keep: bool) -> None:
        self._plain.execute("RELEASE job" if keep else "ROLLBACK TO job; RELEASE job")

    def has_table(self, name: str) -> bool:
        found = self._plain.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
        return bool(found and found[0])

    def script(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self._plain.execute(statement)

    @property
    def lost(self) -> bool:
        return bool(self._connection.closed)

    def damage(self, most: int) -> list[str]:
        return []  # PostgreSQL watches its own files (data checksums, its log)

    def close(self) -> None:
        self._connection.close()


class ReadingSession(PostgresSession):
    """For reading only. A connection that the server closed is made again, and the question asked again."""

    def __init__(self, url: str) -> None:
        """Raises StoreUnavailableError, SchemaError."""
        self._url, self._bound = url, False
        super().__init__(self._connect())

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        connection = connect(self._url, "reader")
        try:
            connection.execute("SET default_transaction_read_only = on")
            check_revision(PostgresSession(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def script(self, statements: Iterable[str]) -> None:
        """Also the begin of a snapshot, which is lost with its connection: that is not made again then."""
        self._bound = True
        super().script(statements)

    def run(self, statement: Executable, params: Params) -> None:
        self._again(lambda: PostgresSession.run(self, statement, params))

    def stream(self, statement: Executable, params: Params) -> Iterator[tuple[Any, ...]]:
        self._again(lambda: self._plain.execute("SELECT 1"))
        yield from super().stream(statement, params)

    def _again(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except psycopg.OperationalError as fault:
            if self._bound or not self.lost:
                raise StoreUnavailableError(f"{describe(self._url)}: {_line(fault)}") from fault
        self._connection = self._connect()
        self._open()
        return ask()
