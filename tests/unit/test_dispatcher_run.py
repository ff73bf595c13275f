"""Dispatcher and workers together: from a commit to the peer, through deaths and restarts.

The peer is a file that each send appends a line to (tests/store_support.py), so it tells what really left.
"""

import asyncio
import logging
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.config import DestinationSettings, RetrySettings, Settings
from gateway.model.delivery import Destination
from gateway.pipeline.dispatcher import Dispatcher
from gateway.ports import StoreUnavailableError
from gateway.store import SqliteStore, StoreQueries, SystemClock
from tests.store_support import (
    DMP,
    DOCTOR,
    FACTORY,
    FAST_RETRY,
    FOLDER,
    MAIL,
    concluding,
    ledger,
    planned,
    received,
    until,
    world,
)


def settings(tmp_path: Path, workers: int) -> Settings:
    return Settings(data_dir=tmp_path, workers=workers, retry=FAST_RETRY)


@asynccontextmanager
async def running(
    current: Settings, factory: str = FACTORY
) -> AsyncIterator[tuple[SqliteStore, Dispatcher, StoreQueries]]:
    store = SqliteStore.open(current.database, retry=current.retry)
    dispatcher = Dispatcher(store, current, SystemClock(), factory=factory)
    store.subscribe(dispatcher.wake)
    await dispatcher.start()
    queries = StoreQueries.open(current.database)
    try:
        yield store, dispatcher, queries
    finally:
        await dispatcher.stop(30.0)
        await store.close()
        queries.close()


def states(queries: StoreQueries) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for _, state, count in queries.delivery_counts():
        counts[state] += count
    return dict(counts)


@pytest.fixture(params=[0, 2], ids=["in a thread", "in processes"])
def current(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    world(tmp_path)
    return settings(tmp_path, request.param)


async def test_a_commit_is_produced_and_delivered_to_every_destination(current: Settings) -> None:
    async with running(current) as (store, dispatcher, queries):
        await store.commit(received(), concluding(planned(DMP), planned(FOLDER), planned(MAIL, DOCTOR)))
        await until(lambda: states(queries) == {"delivered": 3})
        (line,) = ledger(current.data_dir, DMP)
        assert (line["order"], line["number"], line["attempt"]) == ("CR1", 1, 1)
        assert ledger(current.data_dir, MAIL)[0]["recipient"] == "alain.dupont@test.mssante.fr"
        report = queries.report("1")
        assert report is not None
        kinds = [one["kind"] for one in report["versions"][0]["documents"]]
        assert kinds == ["cda", "pdf"]
        assert dispatcher.status()["recovered"]


@pytest.mark.req("REQ-43")
async def test_a_transient_failure_is_tried_again_until_it_is_delivered_once(current: Settings) -> None:
    world(current.data_dir, outcomes={"CR1": ["transient", "transient"]})
    async with running(current) as (store, _, queries):
        await store.commit(received(), concluding(planned(DMP)))
        await until(lambda: states(queries) == {"delivered": 1})
        lines = ledger(current.data_dir, DMP)
        assert [line["kind"] for line in lines] == ["transient", "transient", "delivered"]
        assert [line["attempt"] for line in lines] == [1, 2, 3]
        assert lines[1]["at"] - lines[0]["at"] >= 0.05  # FAST_RETRY
        assert lines[2]["at"] - lines[1]["at"] >= 0.1
        row = queries.delivery(1)
        assert row is not None
        assert [one["outcome"]["kind"] for one in row["attempts_made"]] == [
            "transient",
            "transient",
            "delivered",
        ]


@pytest.mark.req("REQ-43")
async def test_a_peer_that_is_back_gets_soon_what_would_have_waited_for_long(tmp_path: Path) -> None:
    """Each delivery by itself would be tried again after ten minutes."""
    world(tmp_path, outcomes={f"CR{number}": ["transient"] for number in range(7)})
    current = Settings(
        data_dir=tmp_path,
        retry=RetrySettings(first=600.0),
        destinations={DMP: DestinationSettings(breaker_pause=0.05, breaker_longest=0.2, concurrency=1)},
    )
    async with running(current) as (store, _, queries):
        for number in range(7):
            await store.commit(received(str(number)), concluding(planned(DMP), order=f"CR{number}"))
        await until(lambda: states(queries) == {"delivered": 7})
    assert Counter(line["kind"] for line in ledger(tmp_path, DMP)) == {"transient": 7, "delivered": 7}


async def test_versions_of_a_report_arrive_in_their_order_and_name_what_they_replace(
    current: Settings,
) -> None:
    world(current.data_dir, outcomes={"CR1": ["transient"]})
    async with running(current) as (store, _, queries):
        for number in range(4):
            await store.commit(received(str(number)), concluding(planned(DMP), planned(MAIL, DOCTOR)))
            delivered_by_now = {"delivered": 2 * number + 2}
            await until(lambda: states(queries) == delivered_by_now)  # noqa: B023  # awaited in its round
        delivered = [line for line in ledger(current.data_dir, DMP) if line["kind"] == "delivered"]
        assert [line["number"] for line in delivered] == [1, 2, 3, 4]
        assert [line["previous"] for line in delivered] == [
            {},
            *({"entryUUID": f"uuid-{line['id']}"} for line in delivered[:-1]),
        ]


async def test_a_document_that_cannot_be_made_fails_its_deliveries_without_quoting_the_report(
    current: Settings,
) -> None:
    async with running(current) as (store, _, queries):
        await store.commit(received(), concluding(planned(DMP), planned(FOLDER), order="broken"))
        await until(lambda: states(queries) == {"failed": 2})
        reasons = {row["reason"] for row in queries.deliveries()}
        assert reasons == {"INTERNAL: production: ValueError"}
        assert ledger(current.data_dir, DMP) == []


async def test_a_destination_without_route_fails_with_the_remedy_in_the_catalogue(
    current: Settings,
) -> None:
    async with running(current) as (store, _, queries):
        await store.commit(received(), concluding(planned(Destination.IMAGES)))
        await until(lambda: states(queries) == {"failed": 1})
        assert queries.deliveries()[0]["reason"] == "DESTINATION-OFF"


async def test_stopping_lets_what_is_being_sent_end_and_the_next_start_does_the_rest(
    current: Settings,
) -> None:
    world(current.data_dir, delay=60.0)
    async with running(current) as (store, _, queries):
        for number in range(30):
            await store.commit(received(str(number)), concluding(planned(MAIL, DOCTOR), order=f"CR{number}"))
        await until(lambda: ledger(current.data_dir, MAIL))
        asyncio.get_running_loop().call_later(1.0, world, current.data_dir)  # sends end while it stops
    sent_before = len(ledger(current.data_dir, MAIL))
    assert sent_before < 30
    queries = StoreQueries.open(current.database)
    assert states(queries)["delivered"] == sent_before
    world(current.data_dir)
    async with running(current) as (_, _, again):
        await until(lambda: states(again) == {"delivered": 30})
    assert sorted(Counter(line["order"] for line in ledger(current.data_dir, MAIL)).values()) == [1] * 30


async def test_a_stop_while_documents_are_made_is_one_calm_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world(tmp_path, production=0.5)
    async with running(settings(tmp_path, 0), "tests.store_support:large_parts") as (store, dispatcher, _):
        for number in range(5):
            await store.commit(received(str(number)), concluding(planned(DMP), order=f"CR{number}"))
        await until(lambda: dispatcher.status()["in_flight"] == 5)
    told = [one for one in caplog.records if one.name.startswith("gateway.pipeline.worker")]
    assert [(one.levelname, one.message) for one in told] == [("INFO", "what was not begun is done later")]
    assert 1 <= vars(told[0])["versions"] <= 5


# --- worker processes that die


def children(data_dir: Path) -> set[int]:
    """Process ids that wrote in the peers' files."""
    return {line["process"] for kind in Destination for line in ledger(data_dir, kind)}


@pytest.mark.req("REQ-78")
async def test_a_killed_worker_is_replaced_and_what_cannot_have_left_is_made_again(tmp_path: Path) -> None:
    current = settings(tmp_path, 1)
    world(tmp_path, delay=60.0)
    async with running(current) as (store, dispatcher, queries):
        for number in range(60):
            await store.commit(received(str(number)), concluding(planned(DMP), order=f"CR{number}"))
        await until(lambda: len(ledger(tmp_path, DMP)) >= 3)
        (victim,) = children(tmp_path)
        os.kill(victim, signal.SIGKILL)
        world(tmp_path)
        await until(lambda: states(queries) == {"delivered": 60})
        assert len(children(tmp_path)) == 2
        assert {line["order"] for line in ledger(tmp_path, DMP)} == {f"CR{n}" for n in range(60)}
        assert dispatcher.status()["alive"] == 1


@pytest.mark.req("REQ-78")
async def test_a_mail_that_may_have_left_is_never_sent_again_by_itself(tmp_path: Path) -> None:
    """Killed between the mail's bytes and the answer: ambiguous, for a person to decide."""
    current = settings(tmp_path, 1)
    world(tmp_path, delay=30.0)
    async with running(current) as (store, _, queries):
        await store.commit(received(), concluding(planned(MAIL, DOCTOR)))
        await until(lambda: ledger(tmp_path, MAIL))
        (victim,) = children(tmp_path)
        world(tmp_path)
        os.kill(victim, signal.SIGKILL)
        await until(lambda: states(queries) == {"ambiguous": 1})
        row = queries.deliveries()[0]
        assert (row["reason"], row["next_try"], row["attempts"]) == ("DELIVERY-INTERRUPTED", None, 1)
        await asyncio.sleep(0.5)
        assert len(ledger(tmp_path, MAIL)) == 1
        await store.retry(row["id"])
        await until(lambda: states(queries) == {"delivered": 1})
        assert [line["attempt"] for line in ledger(tmp_path, MAIL)] == [1, 2]


@pytest.mark.req("REQ-78")
async def test_a_mail_whose_bytes_had_not_begun_to_leave_is_sent_again(tmp_path: Path) -> None:
    """Killed in the SMTP greeting: nothing is known to the peer."""
    current = settings(tmp_path, 1)
    world(tmp_path, handshake=30.0)
    async with running(current) as (store, _, queries):
        await store.commit(received("1"), concluding(planned(DMP), order="other"))
        await until(lambda: ledger(tmp_path, DMP))
        await store.commit(received("2"), concluding(planned(MAIL, DOCTOR)))
        lines = tmp_path / "journal" / "worker-0.journal"
        await until(lambda: b'"kind":"started","task":{"kind":"deliver","id":2' in lines.read_bytes())
        (victim,) = children(tmp_path)
        world(tmp_path)
        os.kill(victim, signal.SIGKILL)
        await until(lambda: states(queries) == {"delivered": 2})
        (line,) = ledger(tmp_path, MAIL)
        assert line["attempt"] == 1


async def test_a_version_that_kills_its_worker_is_failed_and_the_others_go_on(tmp_path: Path) -> None:
    current = settings(tmp_path, 1)
    world(tmp_path)
    async with running(current) as (store, _, queries):
        await store.commit(received("1"), concluding(planned(DMP), order="kill"))
        for number in range(5):
            await store.commit(received(f"x{number}"), concluding(planned(DMP), order=f"CR{number}"))
        await until(lambda: states(queries) == {"delivered": 5, "failed": 1})
        (failed,) = queries.deliveries(state="failed")
        assert failed["reason"] == "INTERNAL: the worker process died on it again and again"


@pytest.mark.req("REQ-78")
async def test_a_worker_told_to_end_finishes_its_mail_first(tmp_path: Path) -> None:
    """SIGTERM to the worker, as a service manager sends it to the whole group."""
    current = settings(tmp_path, 1)
    world(tmp_path, delay=60.0)
    async with running(current) as (store, _, queries):
        for number in range(10):
            await store.commit(received(str(number)), concluding(planned(MAIL, DOCTOR), order=f"CR{number}"))
        await until(lambda: ledger(tmp_path, MAIL))
        (first,) = children(tmp_path)
        os.kill(first, signal.SIGTERM)
        world(tmp_path)
        await until(lambda: states(queries) == {"delivered": 10})
        assert len(children(tmp_path)) == 2
        assert sorted(Counter(line["order"] for line in ledger(tmp_path, MAIL)).values()) == [1] * 10


async def test_outcomes_wait_for_a_store_that_is_not_available(
    current: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disk full while a mail is being sent: it is not sent again, its outcome is written later."""
    monkeypatch.setattr("gateway.pipeline.dispatcher.PAUSE", 0.1)
    async with running(current) as (store, _, queries):
        settle, refused = store.settle, []

        async def full(results: tuple[object, ...]) -> None:
            if len(refused) < 3 and any(hasattr(one, "outcome") for one in results):
                refused.append(results)
                raise StoreUnavailableError("disk full")
            await settle(results)  # type: ignore[arg-type]

        monkeypatch.setattr(store, "settle", full)
        await store.commit(received(), concluding(planned(MAIL, DOCTOR)))
        await until(lambda: states(queries) == {"delivered": 1})
        assert len(refused) == 3
        assert len(ledger(current.data_dir, MAIL)) == 1
