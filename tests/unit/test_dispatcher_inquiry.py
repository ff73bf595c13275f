"""A peer that is asked before anything is sent to it: what its answer makes of the delivery."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings
from gateway.model.base import replace as changed
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.version import DeliveryJob
from gateway.pipeline.route import Inquiry, Route, WorkerParts
from gateway.ports import Produced
from gateway.store import SqliteStore
from tests import store_support
from tests.store_support import (
    DMP,
    concluding,
    document,
    ledger,
    planned,
    read_control,
    received,
    until,
    withdrawing,
    world,
)
from tests.unit.test_dispatcher_run import running, states


def parts(settings: Settings) -> WorkerParts:
    """The invented world with an inquiry: `control.json` says what the peer answers, attempt by attempt."""
    made = store_support.parts(settings)
    folder = settings.data_dir / "world"

    def question(job: DeliveryJob) -> int | None:
        return job.attempt if job.attempt <= len(read_control(folder).get("answers", ())) else None

    async def ask(attempt: int) -> Any:
        with (folder / "asked").open("a") as file:
            file.write(f"{attempt}\n")
        answer = read_control(folder)["answers"][attempt - 1]
        if answer == "fault":
            raise ValueError("no sender should raise")
        return Outcome(kind=OutcomeKind.TRANSIENT, code="down") if answer == "down" else answer

    def resolve(job: DeliveryJob, asked: int, answer: str) -> DeliveryJob | Outcome:
        if answer == "there":
            return Outcome(kind=OutcomeKind.DELIVERED, code="found", remote_ids=(("entryUUID", "u1"),))
        return changed(job, previous_remote_ids=(("entryUUID", answer),))

    route = made.routes[DMP]
    inquiry = Inquiry(question, ask, resolve)
    return WorkerParts(
        reader=made.reader,
        produce=made.produce,
        routes={DMP: Route(route.prepare, route.sender, inquiry=inquiry)},
    )


@pytest.mark.parametrize(
    ("answers", "sent", "asked"),
    [
        ((), [{}], 0),
        (("there",), [], 1),
        (("uuid-of-now",), [{"entryUUID": "uuid-of-now"}], 1),
        (("down", "there"), [], 2),
        (("down",), [{}], 1),
        (("fault", "there"), [], 2),
    ],
    ids=["nothing to ask", "there already", "known now", "down, then there", "down", "a broken sender"],
)
async def test_the_answer_decides_what_is_sent(
    tmp_path: Path, answers: tuple[str, ...], sent: list[dict[str, str]], asked: int
) -> None:
    world(tmp_path, answers=answers)
    current = Settings(data_dir=tmp_path, workers=0, retry=store_support.FAST_RETRY)
    async with running(current, factory=f"{__name__}:parts") as (store, _, queries):
        await store.commit(received(), concluding(planned(DMP)))
        await until(lambda: states(queries) == {"delivered": 1})
        assert [line["previous"] for line in ledger(tmp_path, DMP)] == sent
        file = tmp_path / "world" / "asked"
        assert len(file.read_text().split() if file.exists() else []) == asked
        row = queries.delivery(1)
        assert row is not None
        assert len(row["attempts_made"]) == max(1, asked + len(sent) - ("uuid-of-now" in answers))


async def test_what_was_in_hand_when_its_report_was_withdrawn_does_not_leave_after_a_restart(
    tmp_path: Path,
) -> None:
    world(tmp_path)
    store = SqliteStore.open(tmp_path / "gateway.db")
    await store.commit(received("1"), concluding(planned(DMP)))
    (production,) = await store.claim(10)
    await store.settle((Produced(version_id=production.id, documents=(document(),)),))
    (in_hand,) = await store.claim(10)
    await store.commit(received("2"), withdrawing())
    assert in_hand.destination is DMP
    await store.close()
    current = Settings(data_dir=tmp_path, workers=0, retry=store_support.FAST_RETRY)
    async with running(current, factory=f"{__name__}:parts") as (_, _, queries):
        await until(lambda: states(queries) == {"refused": 1, "cancelled": 1})
        assert ledger(tmp_path, DMP) == [], "neither the report nor its deletion"
        refused = queries.delivery(in_hand.id)
        assert refused is not None and "REPORT-RECALLED" in refused["outcome"]


async def test_what_the_identity_feed_stopped_while_it_was_in_hand_is_not_sent(tmp_path: Path) -> None:
    world(tmp_path)
    store = SqliteStore.open(tmp_path / "gateway.db")
    await store.commit(received("1"), concluding(planned(DMP)))
    (production,) = await store.claim(10)
    await store.settle((Produced(version_id=production.id, documents=(document(),)),))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
        database.execute("UPDATE delivery SET reason = 'DMP-OPPOSED'")
    current = Settings(data_dir=tmp_path, workers=0, retry=store_support.FAST_RETRY)
    async with running(current, factory=f"{__name__}:parts") as (_, _, queries):
        await until(lambda: states(queries) == {"blocked": 1})
        assert ledger(tmp_path, DMP) == []
        stopped = queries.delivery(1)
        assert stopped is not None and stopped["reason"] == "DMP-OPPOSED"
