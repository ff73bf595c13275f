"""SQLite connections as this store needs them, and the lock of a data folder."""

import fcntl
import os
import sqlite3
from pathlib import Path

from gateway.store import schema
from gateway.store.sqlite_session import SqliteSession

BUSY_MILLISECONDS = 5000
PAGE = 8192
"""Bytes of a page, of files made from now on. Against 4096 a commit makes half of the system calls and takes
three quarters of the time (measured); 16384 writes more bytes and takes the same."""


class StoreLockedError(Exception):
    """Another process serves this data folder."""


def connect_writer(path: Path) -> sqlite3.Connection:
    """The writing connection: WAL, every commit on disk before it returns (architecture decision 7)."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    for pragma in (
        f"page_size = {PAGE}",  # of a file that holds nothing yet; before WAL, which settles it
        f"busy_timeout = {BUSY_MILLISECONDS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "fullfsync = ON",  # macOS: fsync alone leaves the bytes in the drive
        "wal_autocheckpoint = 2000",
        "foreign_keys = OFF",  # the writer makes its own ids; checking them again costs a seek each
        "temp_store = MEMORY",
        "secure_delete = ON",  # what was let go is no longer in the file (REQ-76); zeroes pages in memory
        "cache_size = -16000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def rewrite(path: Path, most: int | None) -> bool:
    """Make the file anew from what is left: pages that were divided keep copies of rows in their gaps, which
    `secure_delete` does not reach. Writers wait meanwhile; False: more than `most` bytes, not done.

    Raises sqlite3.Error.
    """
    connection = connect_writer(path)
    try:
        (pages,), (free,), (size,) = (
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_count", "freelist_count", "page_size")
        )
        small = most is None or (pages - free) * size <= most
        if small:
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # the log held all of it, too
        return small
    finally:
        connection.close()


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
    session = SqliteSession(connect_writer(path))
    try:
        session.begin()
        if not schema.revision(session):
            schema.create(session)
        session.commit()
        schema.check_revision(session)
    finally:
        session.close()


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
