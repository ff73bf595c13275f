"""The operator's side of the store: pause and resume, audit, back-pressure, races with a worker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model.delivery import DeliveryState, IllegalTransitionError
from gateway.ports import Produced, StoreUnavailableError
from gateway.store import SqliteStore, Store, space
from tests.postgres_support import Engine
from tests.store_support import DMP, FOLDER, TickingClock, concluding, document, planned, received, rejected


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    store = engine.open(clock=TickingClock())
    yield store
    await store.close()


def audit(engine: Engine) -> list[tuple[str, str, str]]:
    """(action, actor, result), oldest first."""
    return engine.sql("SELECT action, actor, result FROM audit ORDER BY id")


async def ready(store: Store, *destinations: object) -> None:
    """One version whose deliveries are due."""
    await store.commit(received(), concluding(*(planned(one) for one in destinations)))  # type: ignore[arg-type]
    tasks = await store.claim(1)
    await store.settle((Produced(version_id=tasks[0].id, documents=(document(),)),))


async def test_a_paused_destination_waits_also_after_a_restart(store: Store, engine: Engine) -> None:
    await ready(store, DMP, FOLDER)
    await store.pause(DMP, actor="alice")
    assert [task.destination for task in await store.claim(10)] == [FOLDER]
    await store.close()
    again = engine.open(clock=TickingClock())
    assert [task.destination for task in await again.claim(10)] == [FOLDER]
    await again.resume(DMP, actor="alice")
    assert [task.destination for task in await again.claim(10)] == [DMP]
    await again.close()
    store.close = again.close  # type: ignore[method-assign]
    told = [row for row in audit(engine) if row[1] == "alice"]
    assert [action for action, _, _ in told] == ["pause", "resume"]


async def test_the_room_of_a_destination_caps_what_is_handed_out(store: Store) -> None:
    for number in range(4):
        await store.commit(received(str(number)), concluding(planned(DMP), order=f"CR{number}"))
    tasks = await store.claim(10)
    await store.settle(tuple(Produced(version_id=task.id, documents=(document(),)) for task in tasks))
    assert await store.claim(10, {DMP: 0}) == ()
    assert len(await store.claim(10, {DMP: 1})) == 1
    assert len(await store.claim(10, {})) == 3


async def test_what_was_handed_out_meanwhile_cannot_be_cancelled(store: Store) -> None:
    await ready(store, DMP)
    (task,) = await store.claim(10)
    with pytest.raises(IllegalTransitionError):
        await store.cancel(task.id)


async def test_what_a_claim_saw_before_a_cancel_is_not_handed_out(tmp_path: Path) -> None:
    """The two halves of a claim, reading and handing out, with a cancel committed between them (SQLite)."""
    store = SqliteStore.open(tmp_path / "gateway.db", clock=TickingClock())
    await ready(store, DMP)
    claiming = store._claiming
    seen = await store._read(claiming.look(10, 1 << 60, {}))
    assert [one.id for one in seen.deliveries] == [1]
    assert await store.cancel(1) == DeliveryState.CANCELLED
    assert claiming.hand_out(seen) == ()
    await store.close()


async def test_of_a_cancel_and_a_claim_at_once_exactly_one_wins(store: Store) -> None:
    await ready(store, DMP)
    cancelled, claimed = await asyncio.gather(store.cancel(1), store.claim(10), return_exceptions=True)
    if isinstance(cancelled, IllegalTransitionError):
        assert [task.id for task in claimed] == [1]  # type: ignore[union-attr]
    else:
        assert (cancelled, claimed) == (DeliveryState.CANCELLED, ())


@pytest.mark.req("REQ-70")
async def test_every_change_is_told_in_the_chain_and_the_chain_holds(store: Store, engine: Engine) -> None:
    await ready(store, DMP)
    await store.commit(received(), concluding(planned(DMP)))  # the same message again
    await store.commit(received("9"), rejected())
    await store.cancel(1, actor="alice")
    assert [(action, result) for action, _, result in audit(engine)] == [
        ("taken", "accepted"),
        ("taken", "duplicate"),
        ("taken", "rejected"),
        ("cancel", "pending to cancelled"),
    ]
    queries = engine.queries()
    assert queries.problems() == []
    queries.close()


@pytest.mark.req("REQ-70")
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("UPDATE audit SET result = 'x' WHERE id = 2", "audit row 2 was changed"),
        ("DELETE FROM audit WHERE id = 2", "audit row 3 does not follow the one before"),
        ("DELETE FROM audit WHERE id = 3", "message 3 is not in the audit trail"),
    ],
)
async def test_a_changed_trail_is_found(store: Store, engine: Engine, damage: str, expected: str) -> None:
    for number in range(3):
        await store.commit(received(str(number)), concluding(order=f"CR{number}"))
    with pytest.raises(engine.broken_constraint, match="append-only"):
        engine.sql(damage)
    engine.without_audit_guard()
    engine.sql(damage)
    queries = engine.queries()
    assert any(problem.startswith(expected) for problem in queries.problems())
    queries.close()


async def test_a_patient_stands_in_the_trail_only_as_a_keyed_hash(store: Store, engine: Engine) -> None:
    await ready(store, DMP)
    assert "PAT-TROIS" not in str(engine.sql("SELECT * FROM audit"))
    assert (engine.folder / "audit-key").stat().st_mode & 0o777 == 0o600


async def test_a_disk_that_is_nearly_full_takes_no_message_but_still_settles(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ready(store, DMP)
    tasks = await store.claim(10)
    monkeypatch.setattr(space.Space, "free", lambda self: 10)
    store._space = space.Space(Path(), 11)
    with pytest.raises(StoreUnavailableError, match="disk nearly full"):
        await store.commit(received("2"), concluding(planned(DMP)))
    assert store.status()["disk_full"]
    await store.surrender(tasks)
    assert await store.cancel(1) is DeliveryState.CANCELLED
    monkeypatch.setattr(space.Space, "free", lambda self: 12)
    monkeypatch.setattr(space, "LOOK_EVERY", 0.0)
    store._space = space.Space(Path(), 11)
    await store.commit(received("2"), concluding(planned(DMP)))
