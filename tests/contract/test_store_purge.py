"""The retention policy: contents of what is settled, exported and old go; everything else stays."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config import RetentionSettings
from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.ports import Produced, Purged, Settlement
from gateway.store import Store
from gateway.store.place import reading
from gateway.store.purge import due, limits
from tests.intake_house import House, fixture
from tests.postgres_support import Engine
from tests.store_support import (
    DMP,
    DOCTOR,
    MAIL,
    TickingClock,
    concluding,
    document,
    held,
    planned,
    received,
    rejected,
)

DAY = 24 * 3600.0
POLICY = RetentionSettings(reports=30, messages=10)


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


@pytest.fixture
async def store(engine: Engine, clock: TickingClock) -> AsyncIterator[Store]:
    store = engine.open(clock=clock)
    yield store
    await store.close()


async def delivered(store: Store, clock: TickingClock, kind: OutcomeKind = OutcomeKind.DELIVERED) -> None:
    """Everything that is due comes to an end; a minute passes."""
    for task in await store.claim(20):
        if task.kind == "produce":
            made = document(b"<ClinicalDocument>secret</ClinicalDocument>")
            await store.settle((Produced(version_id=task.id, documents=(made,), lease=task.lease),))
    for task in await store.claim(20):
        now = clock.now()
        await store.settle(
            (
                Settlement(
                    delivery_id=task.id,
                    outcome=Outcome(kind=kind),
                    attempt=task.attempt,
                    started_at=now,
                    ended_at=now,
                    lease=task.lease,
                ),
            )
        )
    clock.pass_seconds(60)


def contents(engine: Engine) -> dict[str, Any]:
    """What is left that could name a patient or an exam."""
    return {
        "messages": engine.sql("SELECT count(*) FROM message WHERE length(raw) > 0")[0][0],
        "versions": engine.sql("SELECT count(*) FROM report_version WHERE report <> ''")[0][0],
        "artifacts": engine.sql("SELECT count(*) FROM artifact WHERE length(data) > 0")[0][0],
        "recipients": engine.sql("SELECT count(*) FROM delivery WHERE recipient IS NOT NULL")[0][0],
        "patients": engine.sql("SELECT count(*) FROM report_patient")[0][0],
    }


@pytest.mark.req("REQ-76")
async def test_what_is_settled_exported_and_old_keeps_only_its_numbers(
    store: Store, engine: Engine, clock: TickingClock
) -> None:
    await store.commit(received("1"), concluding(planned(DMP), planned(MAIL, DOCTOR)))
    await delivered(store, clock)
    before = {
        name: engine.sql(f"SELECT count(*) FROM {name}")[0][0] for name in ("message", "delivery", "attempt")
    }
    clock.pass_seconds(31 * DAY)
    assert await store.purge(POLICY) == Purged(), "nothing was exported"
    await store.note("export", result="everything")
    assert await store.purge(POLICY, actor="alice") == Purged(reports=1)
    assert contents(engine) == dict.fromkeys(
        ("messages", "versions", "artifacts", "recipients", "patients"), 0
    )
    after = {name: engine.sql(f"SELECT count(*) FROM {name}")[0][0] for name in before}
    assert after == before
    assert engine.sql("SELECT actor, report_id FROM audit WHERE action = 'purge'") == [("alice", 1)]
    assert await store.purge(POLICY) == Purged(), "once is enough"
    queries = engine.queries()
    assert queries.problems() == []
    assert queries.report("1") is not None
    queries.close()


async def test_what_is_not_settled_not_old_or_not_exported_stays(
    store: Store, engine: Engine, clock: TickingClock
) -> None:
    await store.commit(received("1"), concluding(planned(DMP)))
    await delivered(store, clock, OutcomeKind.PERMANENT)  # failed: somebody must look
    await store.commit(received("2"), held("CR2"))
    await store.note("export", result="everything")
    clock.pass_seconds(31 * DAY)
    await store.commit(received("3", received_at=clock.now()), rejected())  # after the export
    clock.pass_seconds(11 * DAY)
    before = contents(engine)
    assert await store.purge(POLICY) == Purged()
    assert contents(engine) == before
    assert await store.purge(POLICY, exported=False) == Purged(messages=1)
    assert contents(engine) == before | {"messages": before["messages"] - 1}


async def test_a_dry_run_counts_the_same_and_changes_nothing(
    store: Store, engine: Engine, clock: TickingClock
) -> None:
    for number in range(25):
        await store.commit(received(str(number)), rejected())
    clock.pass_seconds(11 * DAY)
    session = reading(engine.where)
    now = int(clock.now().timestamp() * 1e6)
    assert due(session, limits(session, POLICY, now, exported=False)) == Purged(messages=25)
    session.close()
    assert contents(engine)["messages"] == 25
    assert await store.purge(POLICY, exported=False) == Purged(messages=25), "in several transactions"


async def test_a_purged_report_can_still_be_replaced_and_its_message_sent_again(
    store: Store, engine: Engine, clock: TickingClock
) -> None:
    await store.commit(received("1"), concluding(planned(DMP)))
    await delivered(store, clock)
    clock.pass_seconds(31 * DAY)
    await store.purge(POLICY, exported=False)
    again = await store.commit(received("1"), concluding(planned(DMP)))
    assert not again.replayed, "its answer is gone"
    await delivered(store, clock)
    assert engine.sql("SELECT number, state FROM delivery JOIN report_version v ON v.id = version_id") == [
        (1, "delivered"),
        (2, "delivered"),
    ]


async def test_an_order_that_went_leaves_no_message_that_came_to_nothing(
    engine: Engine, tmp_path: Path
) -> None:
    """An answer of téléradiologie is an ORU, an order may be a Bundle: they may be kept longer."""
    house = House(tmp_path, engine=engine)
    assert await house.take(fixture("tlr_1_request")) == "AA"
    assert await house.take(fixture("tlr_3_answer")) == "AA"
    house.clock.pass_seconds(31 * DAY)
    assert await house.store.purge(RetentionSettings(orders=30), exported=False) == Purged(orders=1)
    assert house.queries.problems() == []
    assert engine.sql("SELECT message_id FROM audit WHERE action = 'purge'") == [(1,), (2,)]
    house.queries.close()
    await house.store.close()


@pytest.mark.req("REQ-76")
async def test_what_went_is_no_longer_in_the_file(store: Store, engine: Engine, clock: TickingClock) -> None:
    marker = b"MARKER-OF-A-PATIENT"
    for number in range(40):
        raw = b"MSH|" + marker + b"|" + bytes(str(number), "ascii") * 400
        recipient = replace(DOCTOR, address=f"{marker.decode()}.{number}@test.mssante.fr")
        await store.commit(
            received(str(number), raw),
            concluding(planned(DMP), planned(MAIL, recipient), order=f"CR{number}"),
        )
        await delivered(store, clock)
    clock.pass_seconds(31 * DAY)
    if engine.name == "sqlite":
        assert marker in b"".join(path.read_bytes() for path in engine.folder.glob("gateway.db*"))
    assert await store.purge(POLICY, exported=False) == Purged(reports=40)
    if engine.name == "sqlite":
        assert marker not in b"".join(path.read_bytes() for path in engine.folder.glob("gateway.db*"))
        return
    vacuumed = engine.sql("SELECT relname FROM pg_stat_user_tables WHERE vacuum_count > 0")
    assert {"message", "report_version", "delivery", "artifact"} <= {name for (name,) in vacuumed}
