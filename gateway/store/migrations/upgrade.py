"""`gateway db upgrade`: all revisions that a store lacks, in one transaction, while nobody uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event

from gateway.store import nodes, schema
from gateway.store.connection import FolderLock, connect_writer
from gateway.store.place import Where
from gateway.store.session import Session
from gateway.store.sqlite_session import SqliteSession
from gateway.store.tables import REVISION


class UpgradeError(Exception):
    """Nothing was changed; the text says why."""


def upgrade(where: Where) -> tuple[str, str]:
    """The revisions before and after; equal when there was nothing to do.

    Raises UpgradeError, StoreUnavailableError, StoreLockedError, OSError.
    """
    with _alone(where) as (session, engine):
        before = schema.revision(session)
        if not before:
            raise UpgradeError("the database holds no store: `gateway serve` makes one")
        if before > REVISION:
            raise UpgradeError(f"revision {before} was written by a newer gateway: install that one")
        if before < REVISION:
            with engine.begin() as connection:
                to_revision(connection)
        return before, schema.revision(session)


def to_revision(connection: Connection, revision: str = "head") -> None:
    """Run the revisions up to this one, in the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def engine_of(where: Where) -> Engine:
    """For Alembic alone; SQLite's DDL stands in the transaction, too."""
    if isinstance(where, Path):
        engine = create_engine("sqlite://", creator=lambda: connect_writer(where))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    from gateway.store.postgres_session import connect

    def transacting() -> Any:
        connection = connect(where, "upgrade")
        connection.autocommit = False
        return connection

    return create_engine("postgresql+psycopg://", creator=transacting)


@contextmanager
def _alone(where: Where) -> Iterator[tuple[Session, Engine]]:
    """Nobody else uses the store meanwhile."""
    engine = engine_of(where)
    if isinstance(where, Path):
        lock = FolderLock(where.with_suffix(".lock"))
        session: Session = SqliteSession(connect_writer(where))
        try:
            yield session, engine
        finally:
            session.close()
            engine.dispose()
            lock.release()
        return
    from gateway.store.postgres_session import PostgresSession, connect

    session = PostgresSession(connect(where, "upgrade"))
    try:
        living = nodes.living(session) if session.has_table("node") else ()
        if living:
            raise UpgradeError(f"still running: {', '.join(living)}; stop every gateway first")
        yield session, engine
    finally:
        session.close()
        engine.dispose()
