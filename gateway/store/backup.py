"""A copy of the store beside a running server: one state of it, whole, checked before it gets its name."""

import os
import shutil
import sqlite3
from pathlib import Path

from gateway.store.connection import connect_reader
from gateway.store.schema import check_revision
from gateway.store.sqlite_session import SqliteSession


class BackupError(Exception):
    """No backup was made; the text says why."""


def backup(data_dir: Path, target: Path) -> int:
    """Copy store and audit key into the new folder `target`; bytes of the copy.

    A folder made so is a data folder: a gateway started on it goes on from that state. Writers do not wait
    (SQLite's backup interface reads one snapshot). Raises BackupError, SchemaError.
    """
    if target.exists():
        raise BackupError(f"{target} exists already")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    try:
        size = _copy(data_dir / "gateway.db", partial / "gateway.db")
        key = data_dir / "audit-key"
        if key.is_file():
            shutil.copy2(key, partial / "audit-key")
        partial.rename(target)
        _on_disk(target.parent)
    except (sqlite3.Error, OSError) as fault:
        raise BackupError(f"{target}: {fault}") from fault
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return size


def _copy(source: Path, target: Path) -> int:
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    reading, writing = connect_reader(source), sqlite3.connect(target)
    try:
        check_revision(SqliteSession(reading))
        reading.backup(writing)
        damage = [text for (text,) in writing.execute("PRAGMA quick_check(1)") if text != "ok"]
        if damage:
            raise BackupError(f"the copy is damaged: {damage[0]}")
    finally:
        reading.close()
        writing.close()
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    return target.stat().st_size


def put_in_place(partial: Path, data_dir: Path) -> None:
    """Move a finished store (closed, its WAL written back) from `partial` into `data_dir`; the database last,
    because it is what makes a data folder. Its audit key counts from now on. Raises OSError."""
    left = sorted(partial.iterdir(), key=lambda path: path.name == "gateway.db")
    for path in left:
        if path.suffix in ("", ".db"):
            path.rename(data_dir / path.name)
    _on_disk(data_dir)


def _on_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
