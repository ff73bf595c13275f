"""The contract of `ports.WorkStore` and of the operator's changes: what may start, when, what follows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta

import pytest

from gateway.config import RetrySettings
from gateway.model.base import replace
from gateway.model.delivery import (
    DeliveryState,
    Destination,
    IllegalTransitionError,
    Outcome,
    OutcomeKind,
)
from gateway.model.submission import Action
from gateway.ports import Produced, Settlement, Task
from gateway.store import Store, StoreQueries, StoreReader
from gateway.store.reader import SiteUnknownError
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
RETRY = RetrySettings(first=10.0, factor=2.0, longest=60.0, jitter=0.0, give_up_after=100.0)


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


@pytest.fixture
def opened(engine: Engine, clock: TickingClock) -> Callable[[], Store]:
    return lambda: engine.open(retry=RETRY, clock=clock, draw=lambda: 0.5, per_destination=4)


@pytest.fixture
async def store(opened: Callable[[], Store]) -> AsyncIterator[Store]:
    store = opened()
    yield store
    await store.close()


@pytest.fixture
def queries(store: Store, engine: Engine) -> Iterator[StoreQueries]:
    queries = engine.queries()
    yield queries
    queries.close()


@pytest.fixture
def reader(store: Store, engine: Engine) -> Iterator[StoreReader]:
    reader = engine.reader()
    yield reader
    reader.close()


async def take(store: Store, *plan: object, order: str = "CR1") -> None:
    """One message that makes the next version of `order`."""
    take.count += 1  # type: ignore[attr-defined]
    key = str(take.count)  # type: ignore[attr-defined]
    await store.commit(received(key), concluding(*plan, order=order))  # type: ignore[arg-type]


take.count = 0  # type: ignore[attr-defined]


async def produce(store: Store) -> None:
    """Make the documents of all versions that wait for them."""
    while claimed := await store.claim(50):
        await store.surrender(tuple(task for task in claimed if task.kind == "deliver"))
        tasks = [task for task in claimed if task.kind == "produce"]
        await store.settle(tuple(Produced(version_id=task.id, documents=(document(),)) for task in tasks))
        if not tasks:
            break


def result(
    task: Task, kind: OutcomeKind = K.DELIVERED, clock: TickingClock | None = None, **changes: object
) -> Settlement:
    moment = clock.now() if clock else NOW
    outcome = replace(Outcome(kind=kind, code="C"), **changes)
    return Settlement(
        delivery_id=task.id, outcome=outcome, attempt=task.attempt, started_at=moment, ended_at=moment
    )


def state(queries: StoreQueries, delivery_id: int) -> str:
    row = queries.delivery(delivery_id)
    assert row is not None
    return str(row["state"])


# --- claiming


async def test_production_comes_before_delivery(store: Store, queries: StoreQueries) -> None:
    await take(store, planned(DMP), planned(FOLDER))
    assert await store.claim(10) == (Task(kind="produce", id=1),)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    assert [state(queries, n) for n in (1, 2)] == ["pending", "pending"]
    tasks = await store.claim(10)
    assert sorted((task.kind, task.id, task.attempt) for task in tasks) == [
        ("deliver", 1, 1),
        ("deliver", 2, 1),
    ]


async def test_what_is_handed_out_is_not_handed_out_again_until_it_is_settled_or_surrendered(
    store: Store,
) -> None:
    await take(store, planned(DMP))
    await take(store, planned(DMP), order="CR2")
    first = await store.claim(1)
    second = await store.claim(10)
    assert [task.id for task in (*first, *second)] == [1, 2]
    assert await store.claim(10) == ()
    await store.surrender(first)
    assert await store.claim(10) == first


async def test_two_claims_at_once_never_hand_out_the_same(store: Store) -> None:
    for number in range(20):
        await take(store, planned(DMP), order=f"CR{number}")
    claims = await asyncio.gather(*(store.claim(5) for _ in range(6)))
    ids = [task.id for tasks in claims for task in tasks]
    assert sorted(ids) == list(range(1, 21))


async def test_where_only_one_task_fits_what_is_made_goes_first(store: Store) -> None:
    await store.commit(received("1"), concluding(planned(FOLDER), order="CR1"))
    (task,) = await store.claim(1)
    await store.settle((Produced(version_id=task.id, documents=(document(),)),))
    await store.commit(received("2"), concluding(planned(FOLDER), order="CR2"))
    assert [one.kind for one in await store.claim(1)] == ["deliver"]
    assert [one.kind for one in await store.claim(1)] == ["produce"]


async def test_while_deliveries_are_ready_production_takes_half_of_the_room(store: Store) -> None:
    for number in range(4):
        await take(store, planned(DMP), order=f"A{number}")
    await produce(store)
    held_back = await store.claim(0)
    assert held_back == ()
    for number in range(10):
        await take(store, planned(DMP), order=f"B{number}")
    # The deliveries of A were claimed by `produce`'s last look: give them back.
    await store.surrender(tuple(Task(kind="deliver", id=n) for n in range(1, 5)))
    tasks = await store.claim(6)
    assert [task.kind for task in tasks] == ["produce"] * 3 + ["deliver"] * 3


async def test_one_destination_cannot_take_the_whole_capacity(store: Store) -> None:
    """A peer that hangs holds at most `per_destination` (here 4) tasks."""
    for number in range(10):
        await take(store, planned(DMP), planned(FOLDER), order=f"CR{number}")
    while True:
        tasks = await store.claim(50)
        made = tuple(task for task in tasks if task.kind == "produce")
        if not made:
            break
        await store.surrender(tuple(task for task in tasks if task.kind == "deliver"))
        await store.settle(tuple(Produced(version_id=task.id, documents=(document(),)) for task in made))
    assert len(tasks) == 8
    assert await store.claim(50) == ()


@pytest.mark.parametrize(
    ("settled_as", "frees"),
    [
        (K.DELIVERED, True),
        (K.REFUSED, True),
        (K.PERMANENT, True),  # it never left: the newer version goes in its place
        (K.TRANSIENT, True),
        (K.AMBIGUOUS, False),
    ],
)
async def test_the_next_of_a_lane_waits_until_the_one_before_is_settled(
    store: Store, settled_as: OutcomeKind, frees: bool
) -> None:
    await take(store, planned(DMP))
    await produce(store)
    (first,) = await store.claim(10)
    await take(store, planned(DMP))
    await produce(store)
    assert await store.claim(10) == ()
    await store.settle((result(first, settled_as),))
    assert [task.id for task in await store.claim(10)] == ([2] if frees else [])


async def test_lanes_of_other_reports_destinations_and_recipients_do_not_wait(store: Store) -> None:
    await take(store, planned(MAIL, DOCTOR))
    await produce(store)
    (first,) = await store.claim(10)
    await store.settle((result(first, K.AMBIGUOUS),))
    await take(store, planned(MAIL, DOCTOR), planned(MAIL, OTHER), planned(DMP))
    await take(store, planned(MAIL, DOCTOR), order="CR2")
    await produce(store)
    assert sorted(task.id for task in await store.claim(10)) == [3, 4, 5]


async def test_a_recipient_keeps_its_lane_when_its_mailbox_changes(store: Store) -> None:
    await take(store, planned(MAIL, DOCTOR))
    await produce(store)
    assert [task.id for task in await store.claim(10)] == [1]
    await take(store, planned(MAIL, replace(DOCTOR, address="new.box@test.mssante.fr")))
    await produce(store)
    assert await store.claim(10) == ()


# --- settling


@pytest.mark.req("REQ-43")
async def test_a_probe_is_the_next_delivery_whether_its_time_has_come_or_not(
    store: Store, queries: StoreQueries, clock: TickingClock
) -> None:
    for order in ("CR1", "CR2"):
        await take(store, planned(DMP), planned(MAIL, DOCTOR), order=order)
    await produce(store)
    await store.settle(tuple(result(task, K.TRANSIENT, clock) for task in await store.claim(10)))
    assert await store.claim(10) == ()
    (probe,) = await store.claim(10, {DMP: 1, MAIL: 1}, {DMP})
    assert (probe.destination, probe.attempt) == (DMP, 2)
    assert await store.claim(10, {DMP: 0}, {DMP}) == (), "one is under way"


@pytest.mark.req("REQ-43")
async def test_what_failed_since_the_peer_was_down_is_due_when_it_is_back(
    store: Store, queries: StoreQueries, clock: TickingClock
) -> None:
    """What failed before waits for reasons of its own, and so does what another destination owes."""
    for order in ("OWN", "CR1", "CR2"):
        await take(store, planned(DMP), planned(FOLDER), order=order)
    await produce(store)
    tasks = {task.id: task for task in await store.claim(10)}
    assert [tasks[number].destination for number in (1, 3, 5)] == [DMP] * 3
    await store.settle((result(tasks[1], K.TRANSIENT, clock),))
    clock.pass_seconds(5)
    down = clock.now()
    failed = (result(tasks[number], K.TRANSIENT, clock) for number in (3, 4))
    await store.settle((*failed, result(tasks[5], K.AMBIGUOUS, clock)))
    assert await store.claim(10) == ()
    await store.hasten(DMP, down)
    assert sorted((task.id, task.attempt) for task in await store.claim(10)) == [(3, 2), (5, 2)]


@pytest.mark.req("REQ-43")
async def test_a_transient_failure_waits_longer_each_time_then_is_given_up(
    store: Store, queries: StoreQueries, clock: TickingClock
) -> None:
    """RETRY: 10 s · 2^n up to 60 s, given up 100 s after it became due."""
    await take(store, planned(DMP))
    await store.claim(1)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    waits = []
    for _ in range(10):
        (task,) = await store.claim(1)
        await store.settle((result(task, K.TRANSIENT, clock),))
        due = await store.next_due()
        if due is None:
            break
        assert await store.claim(1) == ()
        waits.append((due - clock.now()).total_seconds())
        clock.pass_seconds(waits[-1])
    assert waits == [10.0, 20.0, 40.0, 60.0]
    row = queries.delivery(1)
    assert row is not None
    assert (row["state"], row["reason"], row["attempts"]) == ("failed", "DELIVERY-EXPIRED", 5)


async def test_a_peer_that_asks_to_wait_longer_is_obeyed(store: Store, clock: TickingClock) -> None:
    await take(store, planned(DMP))
    await store.claim(1)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    (task,) = await store.claim(1)
    await store.settle((result(task, K.TRANSIENT, clock, retry_after=47.0),))
    assert await store.next_due() == clock.now() + timedelta(seconds=47)


@pytest.mark.parametrize(("destination", "again"), [(DMP, True), (FOLDER, True), (MAIL, False)])
async def test_an_ambiguous_outcome_is_repeated_only_where_a_repetition_is_known(
    store: Store, queries: StoreQueries, destination: Destination, again: bool
) -> None:
    await take(store, planned(destination, DOCTOR))
    await store.claim(1)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    (task,) = await store.claim(1)
    await store.settle((result(task, K.AMBIGUOUS),))
    assert state(queries, 1) == "ambiguous"
    assert (await store.next_due() is not None) == again


async def test_the_same_outcome_twice_changes_nothing(store: Store, queries: StoreQueries) -> None:
    """A worker's journal is read again after a crash."""
    await take(store, planned(DMP))
    await store.claim(1)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    (task,) = await store.claim(1)
    await store.settle((result(task),))
    await store.settle((result(task), result(task, K.AMBIGUOUS)))
    row = queries.delivery(1)
    assert row is not None
    assert row["state"] == "delivered"
    assert len(row["attempts_made"]) == 1


async def test_documents_made_twice_are_kept_once(store: Store, queries: StoreQueries) -> None:
    await take(store, planned(DMP))
    made = Produced(version_id=1, documents=(document(b"first"),))
    await store.settle((made, made))
    await store.settle((Produced(version_id=1, documents=(document(b"second"),)),))
    report = queries.report("1")
    assert report is not None
    assert [one["sha256"] for one in report["versions"][0]["documents"]] == [document(b"first").sha256]


async def test_an_outcome_for_an_unknown_delivery_is_dropped(store: Store) -> None:
    await store.settle((result(Task(kind="deliver", id=99)),))


async def test_a_delivery_cancelled_by_another_process_while_it_left_says_so(
    store: Store, queries: StoreQueries
) -> None:
    await take(store, planned(DMP))
    await store.claim(1)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    (task,) = await store.claim(1)
    await store.surrender((task,))  # the store forgets that it is under way, as another process would
    await store.cancel(1)
    await store.settle((result(task, remote_ids=(("entryUUID", "u-1"),)),))
    row = queries.delivery(1)
    assert row is not None
    assert (row["state"], row["reason"]) == ("cancelled", "DELIVERY-LEFT")
    assert row["remote_ids"] == {"entryUUID": "u-1"}


# --- failed production


async def test_failed_production_fails_the_planned_deliveries_and_a_retry_produces_again(
    store: Store, queries: StoreQueries
) -> None:
    await take(store, planned(DMP), planned(FOLDER), planned(MAIL, DOCTOR, state=DeliveryState.WITHHELD))
    await store.claim(1)
    await store.settle((Produced(version_id=1, problem="CDA-RULE"),))
    assert [state(queries, n) for n in (1, 2, 3)] == ["failed", "failed", "withheld"]
    assert queries.deliveries(state="failed")[0]["reason"] == "CDA-RULE"
    assert await store.claim(10) == ()
    await store.retry(1)
    assert await store.claim(10) == (Task(kind="produce", id=1),)
    await store.settle((Produced(version_id=1, problem="CDA-RULE"),))
    assert state(queries, 1) == "failed"
    await store.retry(1)
    await store.claim(10)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    assert [(task.kind, task.id) for task in await store.claim(10)] == [("deliver", 1)]


# --- the operator


async def test_release_lets_a_withheld_delivery_go(store: Store, queries: StoreQueries) -> None:
    withheld = planned(MAIL, DOCTOR, state=DeliveryState.WITHHELD)
    await take(store, planned(DMP), withheld)
    assert await store.release(2) is DeliveryState.PLANNED
    await store.claim(10)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    await take(store, withheld, order="CR2")
    await store.settle((Produced(version_id=2, documents=(document(),)),))
    assert state(queries, 3) == "withheld"
    assert await store.release(3) is DeliveryState.PENDING


async def test_a_blocked_delivery_is_not_released_by_hand(store: Store) -> None:
    """What is missing is to be mended (a qualified identity), not waved through."""
    await take(store, planned(DMP, state=DeliveryState.BLOCKED))
    with pytest.raises(IllegalTransitionError, match="blocked cannot take the event release"):
        await store.release(1)


async def test_a_failed_delivery_that_is_retried_gets_a_fresh_series_of_tries(
    store: Store, clock: TickingClock
) -> None:
    await take(store, planned(DMP))
    await store.claim(1)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    (task,) = await store.claim(1)
    await store.settle((result(task, K.PERMANENT, clock),))
    clock.pass_seconds(3600)
    assert await store.retry(1) is DeliveryState.PENDING
    (again,) = await store.claim(1)
    assert again.attempt == 2
    await store.settle((result(again, K.TRANSIENT, clock),))
    assert await store.next_due() == clock.now() + timedelta(seconds=10)


async def test_a_queue_is_as_old_as_its_oldest_delivery_may_go_not_as_it_exists(
    store: Store, queries: StoreQueries, clock: TickingClock
) -> None:
    """Else each identity that is qualified after days would ring a bell at night."""
    await take(store, planned(DMP), planned(FOLDER, state=DeliveryState.WITHHELD))
    clock.pass_seconds(3 * 86400)
    await produce(store)
    await store.release(2)
    due = clock.now()
    clock.pass_seconds(60)
    assert queries.queues() == [("folder", 1, due), ("dmp", 1, due)]
    await store.claim(2)
    await store.settle((result(Task(kind="deliver", id=1, attempt=1), clock=clock),))
    assert [name for name, *_ in queries.queues()] == ["folder"]


async def test_what_only_a_person_moves_is_counted(
    store: Store, queries: StoreQueries, clock: TickingClock
) -> None:
    await take(store, planned(DMP))
    await produce(store)
    assert queries.stuck() == []
    (task,) = await store.claim(1)
    await store.settle((result(task, K.PERMANENT, clock),))
    assert queries.stuck() == [("dmp", "failed", 1)]
    await store.retry(1)
    assert queries.stuck() == []
    (task,) = await store.claim(1)
    await store.settle((result(task, K.AMBIGUOUS, clock),))
    assert queries.stuck() == [], "a DMP is asked, and tried again by itself"
    assert [one[:2] for one in queries.queues()] == [("dmp", 1)]


async def test_what_is_being_sent_cannot_be_cancelled(store: Store) -> None:
    await take(store, planned(DMP))
    await store.claim(1)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    await store.claim(1)
    with pytest.raises(IllegalTransitionError, match="in_flight cannot take the event cancel"):
        await store.cancel(1)


async def test_a_delivered_document_is_never_sent_again_by_hand(store: Store) -> None:
    await take(store, planned(DMP))
    await store.claim(1)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    (task,) = await store.claim(1)
    await store.settle((result(task),))
    with pytest.raises(IllegalTransitionError):
        await store.retry(1)
    with pytest.raises(LookupError):
        await store.retry(99)


# --- what a worker reads


async def test_a_job_carries_what_the_peer_named_for_the_version_before(
    store: Store, reader: StoreReader
) -> None:
    await take(store, planned(DMP))
    await produce(store)
    (task,) = await store.claim(10)
    await take(store, planned(DMP, action=Action.REPLACE))
    await produce(store)
    await store.settle((result(task, remote_ids=(("entryUUID", "urn:uuid:1"),)),))
    job = reader.job(2, 1)
    assert job.previous_remote_ids == (("entryUUID", "urn:uuid:1"),)
    assert job.action is Action.REPLACE
    assert job.version.identity.number == 2
    assert [one.data for one in job.documents] == [document().data]


async def test_a_replacement_of_what_was_cancelled_goes_as_a_creation(
    store: Store, reader: StoreReader
) -> None:
    await take(store, planned(DMP, state=DeliveryState.BLOCKED))
    await store.cancel(1)
    await take(store, planned(DMP, action=Action.REPLACE))
    await store.settle((Produced(version_id=2, documents=(document(),)),))
    assert reader.job(2, 1).action is Action.CREATE


async def test_a_replacement_of_what_others_sent_stays_a_replacement(
    store: Store, reader: StoreReader
) -> None:
    await take(store, planned(DMP, action=Action.REPLACE))
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    assert reader.job(1, 1).action is Action.REPLACE


async def test_a_cancelled_delivery_is_no_job_any_more(store: Store, reader: StoreReader) -> None:
    await take(store, planned(DMP))
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    await store.cancel(1)
    with pytest.raises(LookupError):
        reader.job(1, 1)
    with pytest.raises(LookupError):
        reader.job(99, 1)


async def test_a_report_whose_site_profile_is_gone_says_so(store: Store, engine: Engine) -> None:
    await take(store, planned(DMP))
    reader = StoreReader.open(engine.where, {}.__getitem__)
    with pytest.raises(SiteUnknownError) as caught:
        reader.version(1)
    assert caught.value.findings[0].code == "SITE-UNKNOWN"


# --- restart, listings, ledger


async def test_a_restarted_store_hands_out_again_what_was_not_settled(
    opened: Callable[[], Store],
) -> None:
    store = opened()
    await take(store, planned(DMP), planned(FOLDER))
    await store.claim(1)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    tasks = await store.claim(10)
    await store.settle((result(tasks[0]),))
    await store.close()
    store = opened()
    assert [task.id for task in await store.claim(10)] == [tasks[1].id]
    await store.close()


async def test_pages_of_deliveries_follow_each_other_over_all_destinations(
    store: Store, queries: StoreQueries
) -> None:
    for number in range(4):
        await take(store, planned(DMP), planned(MAIL, DOCTOR), order=f"CR{number}")
    await store.cancel(3)
    first = queries.deliveries(state="planned", limit=4)
    second = queries.deliveries(state="planned", limit=4, cursor=first[-1]["id"])
    assert [row["id"] for row in first + second] == [8, 7, 6, 5, 4, 2, 1]
    assert [row["id"] for row in queries.deliveries(destination="dmp")] == [7, 5, 3, 1]
    assert [row["id"] for row in queries.deliveries(limit=2)] == [8, 7]
    assert queries.deliveries(state="cancelled", destination="mssante-ps") == []
    assert sorted(queries.delivery_counts()) == [
        ("dmp", "cancelled", 1),
        ("dmp", "planned", 3),
        ("mssante-ps", "planned", 4),
    ]


async def test_the_balance_finds_a_row_that_is_missing_in_the_ledger(
    store: Store, queries: StoreQueries, engine: Engine
) -> None:
    await take(store, planned(DMP), planned(FOLDER))
    assert queries.balance() == {"owed": 2, "rows": 2, "states": {"planned": 2}, "balanced": True}
    assert queries.problems() == []
    engine.sql("DELETE FROM delivery WHERE id = 2")
    assert not queries.balance()["balanced"]
    assert queries.problems() == ["report 1 version 1 owes 2 deliveries but has 1 rows"]


async def test_a_taken_message_that_leads_to_nothing_is_told(
    store: Store, queries: StoreQueries, engine: Engine
) -> None:
    await take(store, planned(DMP))
    engine.sql("DELETE FROM message_report")
    assert "message 1 was taken but leads to no report" in queries.problems()


async def test_whoever_subscribed_hears_of_new_work(store: Store) -> None:
    heard: list[int] = []
    store.subscribe(lambda: heard.append(1))
    await take(store, planned(DMP))
    assert heard == [1]


async def test_nobody_is_woken_for_a_message_that_owes_nothing(store: Store) -> None:
    heard: list[int] = []
    store.subscribe(lambda: heard.append(1))
    await take(store, order="quiet")
    assert heard == []


async def test_documents_just_made_need_no_reading_where_the_store_holds_the_same(
    store: Store, reader: StoreReader
) -> None:
    await store.commit(received(), concluding(planned(FOLDER), planned(DMP)))
    made = (document(b"<ClinicalDocument/>"),)
    version, _ = reader.version(1)
    reader.produced(version, made)
    await store.settle((Produced(version_id=1, documents=made),))
    assert reader.job(1, 1).documents is made
    assert reader.job(2, 1).version is version


async def test_documents_that_another_worker_made_first_win_over_our_own(
    store: Store, reader: StoreReader
) -> None:
    await store.commit(received(), concluding(planned(FOLDER)))
    version, _ = reader.version(1)
    reader.produced(version, (document(b"<ClinicalDocument>late</ClinicalDocument>"),))
    first = document(b"<ClinicalDocument>first</ClinicalDocument>")
    await store.settle((Produced(version_id=1, documents=(first,)),))
    assert [one.data for one in reader.job(1, 1).documents] == [first.data]
