"""A newer version makes way for itself: what never left of an older one is given up in the same commit."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model.delivery import DeliveryState, Outcome, OutcomeKind
from gateway.model.submission import Action
from gateway.ports import Produced, Settlement, Task
from tests.postgres_support import Engine
from tests.store_support import (
    DMP,
    DOCTOR,
    FOLDER,
    MAIL,
    NOW,
    OTHER,
    TickingClock,
    concluding,
    document,
    planned,
    received,
)

K = OutcomeKind
S = DeliveryState


class Bench:
    """A store, what API and workers see of it, and short names for what happens to it."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.clock, self._count = engine, TickingClock(), 0
        self.store = engine.open(clock=self.clock, draw=lambda: 0.5)

    async def version(self, *plan: object) -> int:
        """A message that makes the next version; its message id."""
        self._count += 1
        taken = await self.store.commit(received(str(self._count)), concluding(*plan))  # type: ignore[arg-type]
        return taken.message_id

    async def produce(self) -> None:
        while claimed := await self.store.claim(50):
            await self.store.surrender(tuple(task for task in claimed if task.kind == "deliver"))
            tasks = [task for task in claimed if task.kind == "produce"]
            await self.store.settle(
                tuple(Produced(version_id=task.id, documents=(document(),)) for task in tasks)
            )
            if not tasks:
                break

    async def settle(self, task: Task, kind: OutcomeKind) -> None:
        outcome = Outcome(kind=kind, code="C", remote_ids=(("entryUUID", f"urn:uuid:{task.id}"),))
        await self.store.settle(
            (
                Settlement(
                    delivery_id=task.id,
                    outcome=outcome,
                    attempt=task.attempt,
                    started_at=NOW,
                    ended_at=self.clock.now(),
                ),
            )
        )

    async def attempt(self, kind: OutcomeKind) -> None:
        """Produce what is to be produced and try the one delivery that is due."""
        await self.produce()
        self.clock.pass_seconds(1000)
        (task,) = await self.store.claim(10)
        await self.settle(task, kind)

    def rows(self) -> list[tuple[str, str, str]]:
        """(state, reason, action) of all deliveries, oldest first."""
        queries = self.engine.queries()
        rows = queries.deliveries(limit=100)[::-1]
        queries.close()
        return [(row["state"], row["reason"], row["action"]) for row in rows]

    def job_action(self, delivery_id: int) -> Action:
        reader = self.engine.reader()
        action = reader.job(delivery_id, 1).action
        reader.close()
        return action


@pytest.fixture
async def bench(engine: Engine) -> AsyncIterator[Bench]:
    one = Bench(engine)
    yield one
    await one.store.close()


async def put(bench: Bench, state: DeliveryState) -> None:
    """Version 1 with its DMP delivery in `state`, nothing of it having left."""
    await bench.version(planned(DMP, state=state if state in (S.BLOCKED, S.WITHHELD) else S.PLANNED))
    match state:
        case S.PENDING:
            await bench.produce()
        case S.WAITING:
            await bench.attempt(K.TRANSIENT)
        case S.FAILED:
            await bench.attempt(K.PERMANENT)
    assert bench.rows()[0][0] == state


@pytest.mark.parametrize("state", [S.BLOCKED, S.WITHHELD, S.PLANNED, S.PENDING, S.WAITING, S.FAILED])
async def test_what_never_left_is_given_up_and_the_newer_version_is_a_creation(
    bench: Bench, state: DeliveryState
) -> None:
    await put(bench, state)
    message = await bench.version(planned(DMP, action=Action.REPLACE))
    assert bench.rows() == [("cancelled", "SUPERSEDED", "create"), ("planned", "", "create")]
    queries = bench.engine.queries()
    told = queries.message(message)
    queries.close()
    assert told is not None
    assert [(one["code"], one["detail"]) for one in told["findings"]] == [("SUPERSEDED", "dmp")]
    await bench.attempt(K.DELIVERED)
    assert bench.rows()[1][0] == "delivered"


async def test_what_was_delivered_stays_and_is_replaced(bench: Bench) -> None:
    await bench.version(planned(DMP))
    await bench.attempt(K.DELIVERED)
    await bench.version(planned(DMP, action=Action.CREATE))
    assert bench.rows() == [("delivered", "", "create"), ("planned", "", "replace")]


async def test_what_may_have_left_holds_its_lane_even_after_a_later_failure(bench: Bench) -> None:
    """Decision 13: the answer was lost, then the peer was not reached: nobody knows what it has."""
    await bench.version(planned(DMP))
    await bench.attempt(K.AMBIGUOUS)
    await bench.attempt(K.TRANSIENT)
    await bench.version(planned(DMP))
    assert bench.rows() == [("waiting", "", "create"), ("planned", "", "replace")]
    await bench.attempt(K.DELIVERED)  # the one before, asked again
    await bench.attempt(K.DELIVERED)
    assert [state for state, _, _ in bench.rows()] == ["delivered", "delivered"]


async def test_what_is_being_sent_is_not_given_up_and_holds_its_lane(bench: Bench) -> None:
    await bench.version(planned(DMP))
    await bench.produce()
    (task,) = await bench.store.claim(10)
    await bench.version(planned(DMP))
    assert bench.rows() == [("pending", "", "create"), ("planned", "", "replace")]
    await bench.produce()
    assert await bench.store.claim(10) == ()
    await bench.settle(task, K.DELIVERED)
    assert bench.job_action(2) is Action.REPLACE


@pytest.mark.parametrize("kind", [K.TRANSIENT, K.PERMANENT])
async def test_what_was_being_sent_and_did_not_arrive_is_given_up_then(
    bench: Bench, kind: OutcomeKind
) -> None:
    await bench.version(planned(DMP))
    await bench.produce()
    (task,) = await bench.store.claim(10)
    await bench.version(planned(DMP))
    await bench.settle(task, kind)
    await bench.produce()
    assert [row[:2] for row in bench.rows()] == [("cancelled", "SUPERSEDED"), ("pending", "")]
    assert bench.job_action(2) is Action.CREATE


async def test_other_lanes_are_left_alone(bench: Bench) -> None:
    await bench.version(planned(FOLDER), planned(MAIL, DOCTOR), planned(MAIL, OTHER))
    await bench.version(planned(DMP), planned(MAIL, DOCTOR))
    assert [state for state, _, _ in bench.rows()] == [
        "planned",
        "cancelled",
        "planned",
        "planned",
        "planned",
    ]


async def test_the_replacement_of_what_others_sent_is_inherited(bench: Bench) -> None:
    await bench.version(planned(DMP, action=Action.REPLACE, state=S.BLOCKED))
    await bench.version(planned(DMP, action=Action.REPLACE))
    assert bench.rows()[1] == ("planned", "", "replace")


async def test_nothing_begun_is_given_up_while_an_earlier_process_is_recovered(tmp_path: Path) -> None:
    """SQLite keeps nothing of what is handed out; PostgreSQL has the leases (test_store_nodes)."""
    bench = Bench(Engine(tmp_path / "gateway.db", tmp_path))
    await bench.version(planned(DMP))
    await bench.produce()
    await bench.store.close()
    bench.store = bench.engine.open(clock=bench.clock, recovering=True)
    await bench.version(planned(DMP))
    assert bench.rows()[0][0] == "pending"
    await bench.store.claim(0)
    await bench.version(planned(DMP))
    assert [state for state, _, _ in bench.rows()] == ["cancelled", "cancelled", "planned"]
    await bench.store.close()
