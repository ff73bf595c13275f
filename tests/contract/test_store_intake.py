"""The contract of `ports.IntakeStore`: one durable, grouped commit a message, with all its consequences."""

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.model.delivery import DeliveryState, MessageState
from gateway.model.findings import finding
from gateway.model.submission import Blob
from gateway.ports import Conclusion, Known, StoreUnavailableError
from gateway.store import SqliteStore, Store, StoreLockedError, StoreQueries
from tests.postgres_support import Engine
from tests.store_support import (
    DMP,
    DOCTOR,
    FOLDER,
    MAIL,
    TickingClock,
    concluding,
    held,
    mapped,
    planned,
    received,
    rejected,
)


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    store = engine.open(clock=TickingClock())
    yield store
    await store.close()


@pytest.fixture
def queries(store: Store, engine: Engine) -> Iterator[StoreQueries]:
    queries = engine.queries()
    yield queries
    queries.close()


async def test_a_message_is_stored_with_report_version_and_ledger(
    store: Store, queries: StoreQueries, engine: Engine
) -> None:
    receipt = await store.commit(
        received("015", b"MSH raw"),
        concluding(planned(FOLDER), planned(MAIL, DOCTOR), planned(DMP, state=DeliveryState.BLOCKED)),
    )

    assert receipt.state is MessageState.ACCEPTED
    assert receipt.answer == b"MSA|AA"
    assert not receipt.replayed
    row = queries.message(receipt.message_id)
    assert row is not None
    assert (row["control_id"], row["state"], row["site"]) == ("015", "accepted", "default")
    assert row["received_at"] == "2026-01-05T09:30:00.000Z"
    assert queries.raw(receipt.message_id) == b"MSH raw"
    assert queries.answer(receipt.message_id) == b"MSA|AA"
    (report,) = row["reports"]
    assert (report["set_key"], report["version"]) == ("CR1^1.2.250.1.999", 1)
    assert row["report_ids"] == [report["id"]]
    assert [(one["destination"], one["state"], one["reason"]) for one in row["deliveries"]] == [
        ("folder", "planned", ""),
        ("mssante-ps", "planned", ""),
        ("dmp", "blocked", "INS-NOT-QUALIFIED"),
    ]
    assert row["deliveries"][1]["recipient"] == "alain.dupont@test.mssante.fr"
    reader = engine.reader()
    version, blobs = reader.version(1)
    assert version.report == mapped("CR1").report
    assert version.context == mapped("CR1").context
    assert version.identity.document_id == "2.25.1"
    assert blobs == ()


@pytest.mark.req("REQ-03")
async def test_the_same_message_again_gets_the_same_answer_and_no_consequence(
    store: Store, queries: StoreQueries
) -> None:
    first = await store.commit(received(), concluding(planned(), answer=b"first answer"))

    def never(known: Known) -> Conclusion:
        raise AssertionError("a repeated message is not decided again")

    again = await store.commit(received(), never)

    assert again.state is MessageState.DUPLICATE
    assert again.answer == b"first answer"
    assert again.replayed
    assert again.message_id != first.message_id
    assert queries.message_counts() == {"accepted": 1, "duplicate": 1}
    assert len(queries.deliveries()) == 1
    row = queries.message(again.message_id)
    assert row is not None
    assert row["duplicate_of"] == first.message_id
    third = await store.commit(received(), never)
    assert third.answer == b"first answer"


@pytest.mark.req("REQ-03")
async def test_a_message_that_was_rejected_is_processed_when_it_comes_again(store: Store) -> None:
    await store.commit(received(), rejected())
    again = await store.commit(received(), concluding(planned()))
    assert (again.state, again.replayed) == (MessageState.ACCEPTED, False)


@pytest.mark.req("REQ-03")
async def test_repetitions_in_one_group_are_known_to_each_other(store: Store) -> None:
    receipts = await asyncio.gather(
        *(store.commit(received(), concluding(planned(), answer=b"one")) for _ in range(20))
    )
    states = [receipt.state for receipt in receipts]
    assert states.count(MessageState.ACCEPTED) == 1
    assert states.count(MessageState.DUPLICATE) == 19
    assert {receipt.answer for receipt in receipts} == {b"one"}


async def test_messages_of_one_report_set_never_see_the_same_known_version(
    store: Store, queries: StoreQueries
) -> None:
    await asyncio.gather(*(store.commit(received(str(n)), concluding(planned())) for n in range(50)))
    report = queries.report("1")
    assert report is not None
    assert [one["number"] for one in report["versions"]] == list(range(1, 51))
    assert report["version"] == 50


async def test_a_message_is_kept_although_nobody_waits_for_it_any_more(
    store: Store, queries: StoreQueries
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(known: Known) -> Conclusion:
        begun.set()
        assert go_on.wait(30)
        return concluding(planned())(known)

    sender = asyncio.create_task(store.commit(received("1"), slow))
    assert await asyncio.to_thread(begun.wait, 30)
    sender.cancel()
    await asyncio.wait((sender,))
    go_on.set()
    await store.commit(received("2"), concluding(order="CR2"))
    assert queries.message_counts() == {"accepted": 2}


async def test_a_conclusion_that_fails_takes_nothing_else_of_its_group_with_it(
    store: Store, queries: StoreQueries
) -> None:
    def broken(known: Known) -> Conclusion:
        raise ValueError("a rule failed")

    results = await asyncio.gather(
        *(
            store.commit(received(str(n)), broken if n % 3 == 1 else concluding(planned(), order=str(n)))
            for n in range(30)
        ),
        return_exceptions=True,
    )

    for n, result in enumerate(results):
        assert isinstance(result, ValueError) == (n % 3 == 1)
    assert queries.message_counts() == {"accepted": 20}
    assert queries.problems() == []


async def test_a_write_that_fails_halfway_leaves_nothing_of_its_message(
    store: Store, queries: StoreQueries, engine: Engine
) -> None:
    def twice_the_same_version(known: Known) -> Conclusion:
        made = concluding(planned())(known)
        return Conclusion(state=made.state, answer=made.answer, reports=made.reports * 2)

    with pytest.raises(engine.broken_constraint):
        await store.commit(received("1"), twice_the_same_version)
    await store.commit(received("2"), concluding(planned()))

    assert queries.message_counts() == {"accepted": 1}
    assert [row["control_id"] for row in queries.messages()] == ["2"]
    assert queries.balance()["balanced"]


async def test_a_held_report_is_known_without_a_version(store: Store, queries: StoreQueries) -> None:
    await store.commit(received("1"), held())
    seen = []

    def look(known: Known) -> Conclusion:
        seen.append(known.report("default", "CR1^1.2.250.1.999"))
        return concluding(planned())(known)

    await store.commit(received("2"), look)

    (known,) = seen
    assert known is not None
    assert (known.version, known.status.value) == (0, "preliminary")
    report = queries.report(known.report_id)
    assert report is not None
    assert (report["version"], report["status"]) == (1, "final")
    assert queries.problems() == []


async def test_a_late_preliminary_report_does_not_hide_the_final_one(
    store: Store, queries: StoreQueries
) -> None:
    await store.commit(received("1"), concluding(planned()))
    await store.commit(received("2"), held())
    report = queries.report("1")
    assert report is not None
    assert (report["version"], report["status"]) == (1, "final")


async def test_received_bytes_are_kept_once_by_hash_and_come_back(store: Store, engine: Engine) -> None:
    data = b"%PDF-1.4 received"
    blob = Blob(sha256=hashlib.sha256(data).hexdigest(), media_type="application/pdf", data=data)
    for n in range(3):
        await store.commit(received(str(n)), concluding(planned(), order=f"CR{n}", blobs=(blob,)))
    queries = engine.queries()
    assert queries.artifact(blob.sha256) == ("application/pdf", data)
    queries.close()
    assert engine.sql("SELECT count(*) FROM artifact") == [(1,)]


async def test_findings_are_shown_with_their_remedy(store: Store, queries: StoreQueries) -> None:
    found = finding("INS-KEY", "PID-3[2].1", "15 digits")
    receipt = await store.commit(
        received(),
        lambda known: Conclusion(state=MessageState.REJECTED, answer=b"AE", findings=(found,)),
    )
    row = queries.message(receipt.message_id)
    assert row is not None
    (shown,) = row["findings"]
    assert (shown["code"], shown["location"], shown["remedy"]) == ("INS-KEY", "PID-3[2].1", found.remedy)


async def test_a_full_disk_fails_all_who_wait_and_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLITE_FULL, made by a page limit on the writer's connection."""
    from gateway.store import sqlite as module

    connect, limit = module.connect_writer, [60]

    def limited(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        if limit:
            connection.execute(f"PRAGMA max_page_count = {limit[0]}")
        return connection

    monkeypatch.setattr(module, "connect_writer", limited)
    store = SqliteStore.open(tmp_path / "gateway.db", clock=TickingClock())
    big = b"x" * 100_000
    results = await asyncio.gather(
        *(store.commit(received(str(n), big), concluding(planned(), order=str(n))) for n in range(20)),
        return_exceptions=True,
    )
    assert any(isinstance(result, StoreUnavailableError) for result in results)
    taken = [str(n) for n, one in enumerate(results) if not isinstance(one, BaseException)]

    limit.clear()  # room again
    receipt = await store.commit(received("later"), concluding(planned(), order="later"))

    assert receipt.state is MessageState.ACCEPTED
    queries = StoreQueries.open(tmp_path / "gateway.db")
    assert sorted(row["control_id"] for row in queries.messages()) == sorted([*taken, "later"])
    assert queries.problems() == []
    await store.close()


async def test_a_closed_store_asks_to_come_back_later(engine: Engine) -> None:
    store = engine.open()
    await store.close()
    with pytest.raises(StoreUnavailableError):
        await store.commit(received(), rejected())


async def test_one_process_serves_a_data_folder(engine: Engine) -> None:
    store = engine.open()
    with pytest.raises(StoreLockedError, match=r"served by another gateway \(process \d+\)"):
        engine.open()
    await store.close()
    await engine.open().close()


async def test_the_embedded_store_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "gateway.db")
    await store.commit(received(), rejected())
    for name in ("gateway.db", "gateway.db-wal"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0, name
    await store.close()


async def test_pages_of_messages_follow_each_other(store: Store, queries: StoreQueries) -> None:
    for n in range(5):
        await store.commit(received(str(n)), concluding(planned(), order=str(n)) if n % 2 else rejected())
    first = queries.messages(limit=2)
    second = queries.messages(limit=2, cursor=first[-1]["id"])
    assert [row["control_id"] for row in first + second] == ["4", "3", "2", "1"]
    assert [row["control_id"] for row in queries.messages(state="accepted")] == ["3", "1"]
    assert [row["control_id"] for row in queries.messages(control_id="3")] == ["3"]
    assert queries.messages(control_id="3", state="rejected") == []
    assert [row["control_id"] for row in queries.messages(site="default", limit=1)] == ["4"]
    assert queries.messages(site="elsewhere") == []
    assert queries.message(99) is None
    assert queries.report("99") is None
    assert queries.report("x") is None
