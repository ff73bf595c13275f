"""`gateway db upgrade | check | backup | restore`: the store as a whole."""

from pathlib import Path

from gateway.cli.common import FAILED, fail, settings
from gateway.cli.operating import me


def upgrade(config: Path | None) -> None:
    """Bring the store to the schema of this gateway; nobody may use it meanwhile."""
    import sqlite3

    from gateway.ports import StoreUnavailableError
    from gateway.store import SchemaError, StoreLockedError, exists
    from gateway.store.migrations.upgrade import UpgradeError, upgrade

    current = settings(config)
    if not exists(current.database):
        fail(f"no store at {current.database}")
    try:
        before, after = upgrade(current.database)
    except (
        *(OSError, sqlite3.Error, SchemaError),
        *(StoreLockedError, StoreUnavailableError, UpgradeError),
    ) as wrong:
        fail(str(wrong))
    print(f"schema revision {after}" if before == after else f"schema revision {before}, now {after}")


def check(config: Path | None) -> None:
    """Schema, files, ledger and audit trail; exit 1 when something does not add up."""
    from gateway.ports import StoreUnavailableError
    from gateway.store import SchemaError, StoreQueries, exists

    current = settings(config)
    if not exists(current.database):
        fail(f"no store at {current.database}")
    try:
        queries = StoreQueries.open(current.database)
    except (SchemaError, StoreUnavailableError) as wrong:
        fail(str(wrong))
    try:
        problems = queries.problems()
    finally:
        queries.close()
    for problem in problems:
        print(problem)
    if problems:
        raise SystemExit(FAILED)
    print("schema, files, ledger and audit trail are in order")


def backup(target: Path, config: Path | None) -> None:
    """Copy the store; the server may run."""
    from gateway.store import SchemaError
    from gateway.store.backup import BackupError, backup

    current = settings(config)
    if isinstance(current.database, str):
        fail("the store is a PostgreSQL: save it with `pg_dump --format=custom`, and this data folder")
    if not current.database.is_file():
        fail(f"no store at {current.database}")
    try:
        size = backup(current.data_dir, target)
    except (BackupError, SchemaError) as wrong:
        fail(str(wrong))
    print(f"{target}: {size} bytes")


def compact(config: Path | None) -> None:
    """Rewrite the files, so that nothing is in them that was purged; nobody may use the store meanwhile."""
    import sqlite3

    from gateway.ports import StoreUnavailableError
    from gateway.store import NodeError, SchemaError, StoreLockedError, exists

    current = settings(config)
    if not exists(current.database):
        fail(f"no store at {current.database}")
    try:
        if isinstance(current.database, str):
            from gateway.store.postgres import rewrite as rewrite_tables

            rewrite_tables(current.database)
        else:
            from gateway.store.connection import FolderLock, rewrite

            lock = FolderLock(current.data_dir / "gateway.lock")
            rewrite(current.database, None)
            lock.release()
    except (sqlite3.Error, OSError, NodeError, SchemaError, StoreLockedError, StoreUnavailableError) as wrong:
        fail(str(wrong))
    print("the store's files hold only what is left")


def restore(source: Path | None, config: Path | None) -> None:
    """Put a backup in place; of a PostgreSQL that was put back by its own means, hold the mails."""
    from gateway.ports import StoreUnavailableError
    from gateway.store import SchemaError, StoreLockedError
    from gateway.store.backup import BackupError
    from gateway.store.moments import to_micros
    from gateway.store.restore import distrusted, restore
    from gateway.store.store import SystemClock

    current, now = settings(config), to_micros(SystemClock().now())
    try:
        if isinstance(current.database, str):
            if source is not None:
                fail("the store is a PostgreSQL: `pg_restore` first, then this verb without a path")
            held = distrusted(current.database, current.data_dir, now, me())
        elif source is None:
            fail("name the folder that `gateway db backup` made", 2)
        else:
            held = restore(source, current.data_dir, now, me())
    except (BackupError, SchemaError, StoreLockedError, StoreUnavailableError, OSError) as wrong:
        fail(str(wrong))
    print(
        f"restored; {held} mails held: see `gateway deliveries --state ambiguous` and `--state withheld`. "
        "Let the senders resend what they sent since the backup"
    )
