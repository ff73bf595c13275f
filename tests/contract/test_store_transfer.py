"""Every row leaves one store and enters another, of either engine, and is the same there."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.model.delivery import DeliveryState, Outcome, OutcomeKind
from gateway.ports import Produced, Settlement
from gateway.store import Store, patients, transfer
from gateway.store.connection import connect_writer, prepare
from gateway.store.place import reading
from gateway.store.queries import StoreQueries
from gateway.store.restore import RESTORED, distrust
from gateway.store.session import LARGE, Session
from gateway.store.sqlite_session import SqliteSession
from tests.postgres_support import Engine
from tests.store_support import (
    DMP,
    DOCTOR,
    MAIL,
    NOW,
    OTHER,
    TickingClock,
    concluding,
    document,
    planned,
    received,
    rejected,
)


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    """Two versions of a report: one delivered to the DMP, mails still to be sent; a rejected message."""
    store = engine.open(clock=TickingClock())
    plan = (planned(DMP), planned(MAIL, DOCTOR))
    await store.commit(received("1", raw=b"M" * (LARGE + 7)), concluding(*plan))
    (task,) = await store.claim(10)
    await store.settle((Produced(version_id=task.id, documents=(document(b"x" * (LARGE + 1)),)),))
    (first,) = [task for task in await store.claim(10) if task.destination == DMP]
    outcome = Outcome(kind=OutcomeKind.DELIVERED)
    ended = NOW + timedelta(seconds=1)
    await store.settle(
        (
            Settlement(
                delivery_id=first.id,
                outcome=outcome,
                attempt=first.attempt,
                started_at=NOW,
                ended_at=ended,
                lease=first.lease,
            ),
        )
    )
    await store.commit(received("2"), concluding(planned(MAIL, OTHER)))
    await store.commit(received("3"), rejected())
    yield store
    await store.close()


def everything(session: Session) -> dict[str, list[dict[str, Any]]]:
    return {name: list(transfer.rows(session, name)) for name in transfer.TABLES}


def copied(engine: Engine, path: Path) -> tuple[SqliteSession, dict[str, list[dict[str, Any]]]]:
    """A new SQLite store with all rows of the engine's, and those rows."""
    source = reading(engine.where)
    transfer.snapshot(source)
    before = everything(source)
    source.close()
    prepare(path)
    target = SqliteSession(connect_writer(path))
    target.begin()
    assert transfer.empty(target)
    for name, rows in before.items():
        for row in rows:
            transfer.add(target, name, row)
    transfer.number(target)
    target.commit()
    return target, before


@pytest.mark.req("REQ-68")
async def test_all_rows_arrive_as_they_were(store: Store, engine: Engine, tmp_path: Path) -> None:
    target, before = copied(engine, tmp_path / "other" / "gateway.db")
    assert everything(target) == before
    assert {name for name, rows in before.items() if rows} >= {"message", "artifact", "delivery", "audit"}
    target.close()
    queries = StoreQueries.open(tmp_path / "other" / "gateway.db")
    assert queries.problems() == []
    assert queries.balanced()
    queries.close()


@pytest.mark.postgres
async def test_an_embedded_store_moves_to_postgresql_and_goes_on(postgres: Engine, tmp_path: Path) -> None:
    from gateway.store.postgres_session import PostgresSession, connect

    embedded = Engine(tmp_path / "gateway.db", tmp_path)
    old = embedded.open(clock=TickingClock())
    await old.commit(received("1"), concluding(planned(DMP)))
    await old.close()
    source = reading(embedded.where)
    assert isinstance(postgres.where, str)
    target = PostgresSession(connect(postgres.where, "import"))
    target.begin()
    for name in transfer.TABLES:
        for row in transfer.rows(source, name):
            transfer.add(target, name, row)
    transfer.number(target)
    target.commit()
    assert everything(target) == everything(source)
    target.close()
    source.close()
    new = postgres.open(clock=TickingClock())
    receipt = await new.commit(received("2"), concluding(planned(DMP)))
    assert receipt.message_id == 2, "numbers go on behind the imported ones"
    again = await new.commit(received("1"), concluding(planned(DMP)))
    assert again.replayed
    await new.close()


@pytest.mark.req("REQ-78")
async def test_after_a_restore_no_mail_goes_by_itself(store: Store, engine: Engine, tmp_path: Path) -> None:
    target, _ = copied(engine, tmp_path / "other" / "gateway.db")
    target.begin()
    assert distrust(target, 1, "alice") == 2
    target.commit()
    states = {(row["destination"], row["state"], row["reason"]) for row in transfer.rows(target, "delivery")}
    assert states == {
        (DMP, DeliveryState.DELIVERED, ""),
        (MAIL, DeliveryState.AMBIGUOUS, RESTORED),
        (MAIL, DeliveryState.WITHHELD, RESTORED),
    }
    told = [row for row in transfer.rows(target, "audit") if row["action"] == "restore"]
    assert [row["result"] for row in told] == [
        "planned to withheld",
        "pending to ambiguous",
        "2 mails held",
    ]
    target.close()


async def test_a_patient_has_a_folder_with_documents_index_and_traces(store: Store, engine: Engine) -> None:
    session = reading(engine.where)
    ((name, sets),) = patients.folders(session).items()
    found = {file.path: file for file in patients.files(session, sets)}
    session.close()
    assert name == "unknown", "this report names no patient"
    assert found["report-1/version-1/1-cda.xml"].data == b"x" * (LARGE + 1)
    assert {"index.json", "traces.jsonl", "report-1/version-1/report.json"} <= set(found)
    assert b"delivered" in found["index.json"].data
    assert b'"action": "attempt"' in found["traces.jsonl"].data
