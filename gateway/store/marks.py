"""A worker's word to the other nodes that an unrepeatable delivery leaves now (PostgreSQL)."""

import threading

import psycopg

from gateway.ports import StoreUnavailableError, Task
from gateway.store import nodes
from gateway.store.postgres_session import PostgresSession, connect


class Marks:
    """A connection of its own, made at the first mark. Any thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: PostgresSession | None = None
        self._lock = threading.Lock()

    def begin(self, task: Task) -> bool:
        """See `ports.WorkReader.begin`. A connection that was lost meanwhile is made once more."""
        with self._lock:
            for fresh in (self._session is None, True):
                try:
                    if self._session is None:
                        self._session = PostgresSession(connect(self._url, "marks"))
                    return nodes.begin(self._session, task.id, task.lease)
                except psycopg.Error as fault:
                    self._drop()
                    if fresh:
                        raise StoreUnavailableError(f"the lease cannot be asked: {fault}") from fault
            raise AssertionError("the fresh connection returns or raises")

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
