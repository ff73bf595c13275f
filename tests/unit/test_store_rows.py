"""Rows by position fit their tables; rows that wait are written before anybody can miss them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Table, select

from gateway.store import rows, tables
from gateway.store import statements as named
from gateway.store.connection import connect_writer, prepare
from gateway.store.rows import AuditRow
from gateway.store.sqlite_session import SqliteSession

ACTIONS = select(tables.audit.c.action).order_by(tables.audit.c.id)


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (rows.MessageRow, tables.message),
        (rows.ReportRow, tables.report),
        (rows.MessageReportRow, tables.message_report),
        (rows.VersionRow, tables.report_version),
        (rows.DeliveryRow, tables.delivery),
        (rows.DocumentRow, tables.document),
        (rows.AttemptRow, tables.attempt),
        (rows.PatientRow, tables.report_patient),
        (rows.AuditRow, tables.audit),
    ],
)
def test_a_row_names_the_columns_in_their_order(row: type, table: Table) -> None:
    assert list(row.__annotations__) == [one.name for one in table.columns if one.name != "id"]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[SqliteSession]:
    prepare(tmp_path / "store.db")
    made = SqliteSession(connect_writer(tmp_path / "store.db"))
    yield made
    made.close()


def told(session: SqliteSession, action: str) -> None:
    session.later(named.ADD_AUDIT, AuditRow(1, action, "", None, None, None, "", "", "", "", ""))


def in_the_table(session: SqliteSession) -> list[str]:
    """As another connection would see it, had the transaction ended: past what the session knows."""
    return [action for (action,) in session._connection.execute("SELECT action FROM audit ORDER BY id")]


def test_what_waits_is_written_before_its_table_is_read(session: SqliteSession) -> None:
    session.begin()
    told(session, "a")
    told(session, "b")
    assert session.rows(named.REPORT_OF_SET, {"site": "", "set_key": ""}) == []
    assert in_the_table(session) == []
    assert session.rows(ACTIONS, {}) == [("a",), ("b",)]
    session.commit()


def test_what_waits_is_written_by_the_commit_and_not_after_a_rollback(session: SqliteSession) -> None:
    session.begin()
    told(session, "gone")
    session.rollback()
    session.begin()
    told(session, "kept")
    session.commit()
    assert in_the_table(session) == ["kept"]


def test_a_job_that_is_taken_back_takes_what_waits_with_it(session: SqliteSession) -> None:
    session.begin()
    told(session, "before")
    session.begin_job()
    told(session, "job")
    session.end_job(keep=False)
    session.commit()
    assert in_the_table(session) == ["before"]


def test_outside_of_a_transaction_nothing_waits(session: SqliteSession) -> None:
    told(session, "at once")
    assert in_the_table(session) == ["at once"]
