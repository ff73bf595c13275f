"""The writing session of a node: what asks for no answer does not wait for one.

In a group without faults the statements go out one behind the other (libpq's pipeline mode); only questions
wait, and take the errors of what went before. After a fault the group is written again, statement by
statement, each job in its savepoint (`writer.GroupWriter`).
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import Executable

from gateway.store.postgres_session import PostgresSession
from gateway.store.session import Params

_SUPPORTED = psycopg.Pipeline.is_supported()


class WritingSession(PostgresSession):
    _pipeline: Any = None

    def _begin(self) -> None:
        super()._begin()
        if _SUPPORTED:
            self._pipeline = self._connection.pipeline()
            self._pipeline.__enter__()

    def flush(self) -> None:
        """All that was sent is done; raises the first error of it."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.__exit__(None, None, None)

    def _commit(self) -> None:
        self.flush()
        super()._commit()

    def _rollback(self) -> None:
        try:
            self.flush()
        except psycopg.Error:
            if self.lost:
                raise  # else it is the error that makes the caller roll back, or one that followed from it
        super()._rollback()

    def begin_job(self) -> None:
        self.flush()
        super().begin_job()

    def run(self, statement: Executable, params: Params) -> None:
        self._renew()
        super().run(statement, params)

    def run_many(self, statement: Executable, rows: Sequence[Params]) -> None:
        self._renew()
        super().run_many(statement, rows)

    def add(self, statement: Executable, params: Params) -> int:
        self._renew()
        return super().add(statement, params)

    def _renew(self) -> None:
        """In a pipeline a cursor belongs to one statement: its answer may still be on the way."""
        if self._pipeline is not None:
            self._cursor = self._connection.cursor(binary=True)
