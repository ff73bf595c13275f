"""Facts of a transaction: looked at once while nobody else can change them, forgotten with what made them."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from gateway.model.people import Patient
from gateway.store import audit
from gateway.store.connection import connect_writer, prepare
from gateway.store.rows import AuditRow
from gateway.store.sqlite_session import SqliteSession

NOW = 1_700_000_000_000_000


@pytest.fixture
def session(tmp_path: Path) -> Iterator[SqliteSession]:
    prepare(tmp_path / "store.db")
    made = SqliteSession(connect_writer(tmp_path / "store.db"))
    yield made
    made.close()


def test_a_fact_is_looked_at_once_a_transaction(session: SqliteSession) -> None:
    looks = count(1)

    def look() -> int:
        return next(looks)

    assert [session.fact("n", look), session.fact("n", look)] == [1, 2]  # others may write in between
    session.begin()
    assert [session.fact("n", look), session.fact("n", look)] == [3, 3]
    session.state("n", 100)
    assert session.fact("n", look) == 100
    session.commit()
    session.begin()
    assert session.fact("n", look) == 4
    session.rollback()
    session.state("n", 100)
    assert session.fact("n", look) == 5


def test_what_a_job_stated_is_forgotten_when_it_is_taken_back(session: SqliteSession) -> None:
    session.begin()
    session.begin_job()
    session.state("n", 1)
    session.end_job(keep=False)
    assert session.fact("n", lambda: 2) == 2
    session.commit()


@pytest.mark.req("REQ-70")
def test_the_audit_chain_holds_over_what_was_taken_back(session: SqliteSession, tmp_path: Path) -> None:
    def told(action: str) -> None:
        audit.record(session, audit.Entry(action, patient=audit.pseudonyms(tmp_path)(Patient())), NOW)

    session.begin()
    told("taken")
    session.begin_job()
    told("retry")
    session.end_job(keep=False)
    told("cancel")
    session.commit()
    session.begin()
    told("pause")
    session.rollback()
    session.begin()
    told("resume")
    session.commit()
    names = ", ".join(("id", *AuditRow._fields))
    rows = connect_writer(tmp_path / "store.db").execute(f"SELECT {names} FROM audit ORDER BY id").fetchall()
    assert [row[2] for row in rows] == ["taken", "cancel", "resume"]
    assert list(audit.verify(rows)) == []
