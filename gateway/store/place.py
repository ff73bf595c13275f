"""Where a store is: the file of an embedded one, or the address of a PostgreSQL; and how to look into it."""

from pathlib import Path

from gateway.ports import StoreUnavailableError
from gateway.store.connection import connect_reader
from gateway.store.schema import check_revision
from gateway.store.session import Session
from gateway.store.sqlite_session import SqliteSession

Where = Path | str
"""The SQLite file, or `postgresql://…`."""


def reading(where: Where) -> Session:
    """For reading only, beside any writer.

    Raises StoreUnavailableError when there is no store, or no answer; SchemaError for another revision.
    """
    if isinstance(where, str):
        from gateway.store.postgres_session import ReadingSession

        return ReadingSession(where)
    session: Session | None = None
    try:
        session = SqliteSession(connect_reader(where))
        check_revision(session)
    except SqliteSession.faults.of_database as fault:
        raise StoreUnavailableError(f"no store at {where}: {fault}") from fault
    except BaseException:
        if session is not None:
            session.close()
        raise
    return session
