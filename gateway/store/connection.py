"""SQLite connections as this store needs them, the lock of a data folder, and the schema."""

import fcntl
import os
import sqlite3
from pathlib import Path

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.store.tables import REVISION, metadata

BUSY_MILLISECONDS = 5000


class StoreLockedError(Exception):
    """Another process serves this data folder."""


class SchemaError(Exception):
    """The store holds a schema that this code does not know."""


def connect_writer(path: Path) -> sqlite3.Connection:
    """The writing connection: WAL, every commit on disk before it returns (architecture decision 7)."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    for pragma in (
        f"busy_timeout = {BUSY_MILLISECONDS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "fullfsync = ON",  # macOS: fsync alone leaves the bytes in the drive
        "wal_autocheckpoint = 4000",
        "foreign_keys = OFF",  # the writer makes its own ids; checking them again costs a seek each
        "temp_store = MEMORY",
        "cache_size = -16000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection beside the writer; raises sqlite3.OperationalError when there is no store."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    return connection


def prepare(path: Path) -> None:
    """Make folder, file (for the owner only) and schema where they are missing.

    Raises SchemaError for a store of another revision, OSError when the folder is not writable.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = connect_writer(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        fresh = not _revision(connection)
        for statement in ddl():
            connection.execute(statement)
        if fresh:
            connection.execute("INSERT INTO schema_revision (revision) VALUES (?)", (REVISION,))
        connection.execute("COMMIT")
        check_revision(connection)
    finally:
        connection.close()


def check_revision(connection: sqlite3.Connection) -> None:
    """Raises SchemaError when the store was written by another revision of the schema."""
    found = _revision(connection)
    if found != REVISION:
        raise SchemaError(f"the store has schema revision {found}, this gateway needs {REVISION}")


def _revision(connection: sqlite3.Connection) -> int:
    """0 in an empty file."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'schema_revision'")
    if not tables.fetchone()[0]:
        return 0
    (revision,) = connection.execute("SELECT revision FROM schema_revision").fetchone()
    return int(revision)


def ddl() -> tuple[str, ...]:
    """The statements that make an empty file a store, and add to an older one what it lacks."""
    dialect = sqlite.dialect()
    statements: list[str] = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            statements.append(str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)))
    return (*statements, *TRIGGERS)


TRIGGERS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS audit_no_{verb.lower()} BEFORE {verb} ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
    for verb in ("UPDATE", "DELETE")
)


class FolderLock:
    """One serving process a data folder. The kernel drops the lock with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        """Raises StoreLockedError, naming the holder, when another process has it."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise StoreLockedError(
                f"{path.parent} is served by another gateway (process {holder}): stop it, "
                "or set another GATEWAY_DATA_DIR"
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        self._file.close()
