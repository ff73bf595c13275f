"""A wall clock that jumps: what waits for its next try does not wait the difference more."""

from collections.abc import AsyncIterator

import pytest

from gateway.config import RetrySettings
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.ports import Produced, Settlement
from gateway.store import Store
from gateway.store.setback import Setback
from tests.postgres_support import Engine
from tests.store_support import DMP, NOW, TickingClock, concluding, document, planned, received

DAY = 86_400
RETRY = RetrySettings(first=10.0, longest=60.0, jitter=0.0)


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    """One delivery that failed at NOW and is due 10 s later."""
    store = engine.open(retry=RETRY, clock=TickingClock())
    await store.commit(received(), concluding(planned(DMP)))
    (version,) = await store.claim(10)
    await store.settle((Produced(version_id=version.id, documents=(document(),)),))
    (task,) = await store.claim(10)
    failed = Settlement(
        delivery_id=task.id,
        outcome=Outcome(kind=OutcomeKind.TRANSIENT),
        attempt=1,
        started_at=NOW,
        ended_at=NOW,
    )
    await store.settle((failed,))
    yield store
    await store.close()


def clock(store: Store) -> TickingClock:
    found = store._clock
    assert isinstance(found, TickingClock)
    return found


@pytest.mark.req("REQ-43")
async def test_a_wait_keeps_its_length_when_the_clock_is_set_back(store: Store) -> None:
    clock(store).pass_seconds(-DAY)
    assert await store.claim(10) == ()
    clock(store).pass_seconds(9)
    assert await store.claim(10) == ()
    clock(store).pass_seconds(1.1)
    assert [task.attempt for task in await store.claim(10)] == [2]


async def test_a_clock_that_was_set_back_between_two_runs_costs_the_longest_wait_at_most(
    store: Store, engine: Engine
) -> None:
    late = TickingClock(NOW)
    late.pass_seconds(-DAY)
    await store.close()
    again = engine.open(retry=RETRY, clock=late)
    assert await again.claim(10) == ()
    late.pass_seconds(60)
    assert [task.attempt for task in await again.claim(10)] == [2]
    await again.close()


def test_only_a_jump_back_is_one() -> None:
    steady = iter((0.0, 1.0, 2.0, 3.0, 100.0, 101.0))
    setback = Setback(lambda: next(steady))
    second = 1_000_000
    times = (50, 51, 51, 500, 597, 500)  # start, even, slewing, forward, even, back
    assert [setback.since(time * second) for time in times] == [0, 0, 0, 0, 0, 98 * second]
