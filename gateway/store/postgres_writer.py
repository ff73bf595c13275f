"""The writing session of a node: what asks for no answer does not wait for one.

In a group without faults the statements go out one behind the other (libpq's pipeline mode); only questions
wait, and take the errors of what went before. After a fault the group is written again, statement by
statement, each job in its savepoint (`writer.GroupWriter`).
"""

from typing import Any

import psycopg

from gateway.store.postgres_session import PostgresSession

_SUPPORTED = psycopg.Pipeline.is_supported()


class WritingSession(PostgresSession):
    _pipeline: Any = None

    def _begin(self) -> None:
        super()._begin()
        if _SUPPORTED:
            self._pipeline = self._connection.pipeline()
            self._pipeline.__enter__()

    def _flush(self) -> None:
        """All that was sent is done; raises the first error of it."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.__exit__(None, None, None)

    def _commit(self) -> None:
        self._flush()
        super()._commit()

    def _rollback(self) -> None:
        try:
            self._flush()
        except psycopg.Error:
            if self.lost:
                raise  # else it is the error that makes the caller roll back, or one that followed from it
        super()._rollback()

    def _ready(self) -> psycopg.Cursor[tuple[Any, ...]]:
        """In a pipeline a cursor belongs to one statement: its answer may still be on the way."""
        if self._pipeline is not None:
            self._cursor = self._connection.cursor(binary=True)
        return self._cursor
