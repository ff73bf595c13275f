"""Several nodes on one PostgreSQL: one decides at a time, nobody gets what another has, the dead are buried.

Nodes of one process here; `tests/faults/test_nodes.py` kills real ones.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator

import psycopg
import pytest

from gateway.model.delivery import DeliveryState, IllegalTransitionError, Outcome, OutcomeKind
from gateway.ports import Produced, Settlement, StoreUnavailableError, Task
from gateway.store import NodeError, Store, StoreLockedError
from gateway.store.postgres import PostgresStore
from tests.postgres_support import Engine, Server
from tests.store_support import DMP, DOCTOR, FOLDER, MAIL, NOW, concluding, document, planned, received, until

pytestmark = [pytest.mark.postgres, pytest.mark.req("REQ-43", "REQ-78")]


class Cluster:
    """Nodes by name, each with a data folder of its own, and what they see together."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.queries = engine, engine.queries()
        self._open: list[PostgresStore] = []
        self._messages = 0

    def node(self, name: str, *, lease: float = 60.0, recovering: bool = False) -> PostgresStore:
        folder = self.engine.folder / name
        if not folder.is_dir() and self._open:
            folder.mkdir()
            shutil.copy(self.engine.folder / "a" / "audit-key", folder)
        store = self.engine.node(folder, lease=lease, recovering=recovering)
        assert isinstance(store, PostgresStore)
        self._open.append(store)
        return store

    async def close(self) -> None:
        for store in self._open:
            await store.close()
        self.queries.close()

    async def take(self, store: Store, *plan: object, order: str = "CR1") -> None:
        self._messages += 1
        await store.commit(received(str(self._messages)), concluding(*plan, order=order))  # type: ignore[arg-type]

    async def ready(self, store: Store, *destinations: object, order: str = "CR1") -> None:
        """A version with its documents; its deliveries are due."""
        await self.take(store, *destinations, order=order)
        tasks = await store.claim(100)
        productions = [task for task in tasks if task.kind == "produce"]
        assert len(productions) == 1
        await store.surrender(tuple(task for task in tasks if task.kind == "deliver"))
        made = (
            Produced(version_id=task.id, documents=(document(),), lease=task.lease) for task in productions
        )
        await store.settle(tuple(made))

    def states(self) -> list[str]:
        return [row["state"] for row in self.queries.deliveries(limit=1000)[::-1]]


@pytest.fixture
async def nodes(postgres: Engine) -> AsyncIterator[Cluster]:
    cluster = Cluster(postgres)
    yield cluster
    await cluster.close()


def dies(store: PostgresStore) -> None:
    """It gives no sign of life any more, as after a power cut; its connections stay."""
    assert store._pulse is not None
    store._pulse._stopping.set()
    store._pulse._thread.join()


def outcome(task: Task, kind: OutcomeKind = OutcomeKind.DELIVERED) -> Settlement:
    return Settlement(
        delivery_id=task.id,
        outcome=Outcome(kind=kind, code="C"),
        attempt=task.attempt,
        started_at=NOW,
        ended_at=NOW,
        lease=task.lease,
    )


async def claimed(store: Store, count: int = 1) -> tuple[Task, ...]:
    """What the node gets once others have lost it."""
    found: list[Task] = []
    end = asyncio.get_running_loop().time() + 30
    while len(found) < count:
        found += await store.claim(10)
        assert asyncio.get_running_loop().time() < end, found
        await asyncio.sleep(0.05)
    return tuple(found)


# --- one decides at a time


async def test_messages_of_one_report_set_through_all_nodes_make_one_row_of_versions(nodes: Cluster) -> None:
    stores = [nodes.node(name) for name in "abc"]
    await asyncio.gather(*(nodes.take(stores[n % 3], planned(DMP)) for n in range(60)))
    report = nodes.queries.report("1")
    assert report is not None
    assert [one["number"] for one in report["versions"]] == list(range(1, 61))
    assert nodes.queries.problems() == []  # one audit chain, too


@pytest.mark.req("REQ-03")
async def test_a_repetition_through_another_node_gets_the_first_answer(nodes: Cluster) -> None:
    a, b = nodes.node("a"), nodes.node("b")
    await a.commit(received("7"), concluding(planned(DMP), answer=b"first"))
    again = await b.commit(received("7"), concluding(planned(DMP), answer=b"second"))
    assert (again.replayed, again.answer) == (True, b"first")
    both = await asyncio.gather(
        *(store.commit(received("8"), concluding(planned(DMP), order="CR2")) for store in (a, b) * 5)
    )
    assert sorted(receipt.replayed for receipt in both) == [False] + [True] * 9


async def test_a_commit_wakes_the_other_nodes(nodes: Cluster) -> None:
    a, b = nodes.node("a"), nodes.node("b")
    heard = asyncio.Event()
    b.subscribe(heard.set)
    await nodes.take(a, planned(DMP))
    await asyncio.wait_for(heard.wait(), 20)


# --- leases


async def test_what_one_has_in_hand_no_other_gets_and_none_cancels(nodes: Cluster) -> None:
    a, b = nodes.node("a"), nodes.node("b")
    for number in range(20):
        await nodes.ready(a, planned(DMP), order=f"CR{number}")
    shares = await asyncio.gather(*(store.claim(7) for store in (a, b, a, b)))
    ids = [task.id for share in shares for task in share]
    assert len(ids) == len(set(ids))
    assert 0 < len(ids) <= 16  # eight of a destination each at most
    task = (*shares[0], *shares[2])[0]
    with pytest.raises(IllegalTransitionError):
        await b.cancel(task.id)
    await a.settle((outcome(task, OutcomeKind.TRANSIENT),))
    assert await b.cancel(task.id) is DeliveryState.CANCELLED


async def test_of_two_claims_that_saw_the_same_row_the_first_to_write_has_it(nodes: Cluster) -> None:
    a, b = nodes.node("a"), nodes.node("b")
    await nodes.take(a, planned(DMP))
    with psycopg.connect(str(nodes.engine.where)) as faster:
        faster.execute(
            "INSERT INTO lease SELECT 'produce', 1, name, token, 0 FROM node ORDER BY token LIMIT 1"
        )
        slower = asyncio.create_task(b.claim(10))
        await asyncio.sleep(0.3)
        faster.commit()
    assert await slower == ()


async def test_a_lane_keeps_its_order_over_all_nodes(nodes: Cluster) -> None:
    a, b = nodes.node("a"), nodes.node("b")
    await nodes.ready(a, planned(DMP))
    (first,) = await a.claim(10)
    await nodes.ready(b, planned(DMP))
    assert await b.claim(10) == ()
    await a.settle((outcome(first),))
    assert [task.id for task in await b.claim(10)] == [2]


async def test_what_is_given_back_goes_to_any_node(nodes: Cluster) -> None:
    a, b = nodes.node("a"), nodes.node("b")
    await nodes.ready(a, planned(DMP))
    await a.surrender(await a.claim(10))
    assert [task.id for task in await b.claim(10)] == [1]


async def test_a_pause_holds_on_all_nodes(nodes: Cluster) -> None:
    a, b = nodes.node("a"), nodes.node("b")
    await nodes.ready(a, planned(DMP), planned(FOLDER))
    await b.pause(DMP)
    assert [task.destination for task in await a.claim(10)] == [FOLDER]
    await a.resume(DMP)
    assert [task.destination for task in await b.claim(10)] == [DMP]


# --- a node that dies


async def test_the_work_of_a_dead_node_is_taken_over_and_it_settles_none_of_it(nodes: Cluster) -> None:
    a, b = nodes.node("a", lease=0.4), nodes.node("b")
    await nodes.take(a, planned(DMP))
    (production,) = await a.claim(1)
    dies(a)
    (again,) = await claimed(b)
    assert (again.kind, again.id) == ("produce", production.id)
    assert again.lease > production.lease
    late = Produced(version_id=1, problem="too late", lease=production.lease)
    await a.settle((late,))
    assert nodes.states() == ["planned"]
    await b.settle((Produced(version_id=1, documents=(document(),), lease=again.lease),))
    assert nodes.states() == ["pending"]


async def test_a_late_outcome_counts_for_nothing_while_another_node_has_the_delivery(nodes: Cluster) -> None:
    a, b = nodes.node("a", lease=0.4), nodes.node("b")
    await nodes.ready(b, planned(DMP))
    (task,) = await a.claim(10)
    dies(a)
    (again,) = await claimed(b)
    await a.settle((outcome(task, OutcomeKind.PERMANENT),))
    assert nodes.states() == ["pending"]
    await b.settle((outcome(again),))
    assert nodes.states() == ["delivered"]


async def test_a_mail_that_had_begun_becomes_ambiguous_and_one_that_had_not_goes_once_more(
    nodes: Cluster,
) -> None:
    a, b = nodes.node("a", lease=0.4), nodes.node("b")
    for order in ("begun", "not begun"):
        await nodes.ready(b, planned(MAIL, DOCTOR), order=order)
    begun, waiting = await a.claim(10)
    reader = nodes.engine.reader()
    assert reader.begin(begun)
    dies(a)
    (again,) = await claimed(b)
    assert again.id == waiting.id
    assert nodes.states() == ["ambiguous", "pending"]
    row = nodes.queries.delivery(begun.id)
    assert row is not None
    assert row["reason"] == "DELIVERY-INTERRUPTED"
    assert not reader.begin(waiting), "whoever lost the lease sends nothing"
    assert reader.begin(again)
    reader.close()


@pytest.mark.parametrize(
    ("truth", "then"),
    [
        (OutcomeKind.DELIVERED, "delivered"),
        (OutcomeKind.TRANSIENT, "pending"),
        (OutcomeKind.PERMANENT, "failed"),
        (OutcomeKind.AMBIGUOUS, "ambiguous"),
    ],
)
async def test_what_the_journal_of_a_dead_node_knows_ends_the_doubt_when_it_comes_back(
    nodes: Cluster, truth: OutcomeKind, then: str
) -> None:
    a, b = nodes.node("a", lease=0.4), nodes.node("b")
    await nodes.ready(b, planned(MAIL, DOCTOR))
    (task,) = await a.claim(10)
    reader = nodes.engine.reader()
    reader.begin(task)
    reader.close()
    dies(a)
    await until(lambda: nodes.states() == ["ambiguous"], 30)
    await b.settle((outcome(task, truth),))  # by any node: the token tells
    assert nodes.states() == [then]
    assert nodes.queries.problems() == []


async def test_a_node_taken_for_dead_goes_on_under_a_new_token(nodes: Cluster) -> None:
    a, b = nodes.node("a"), nodes.node("b")
    await nodes.ready(a, planned(DMP))
    (lost,) = await a.claim(10)
    nodes.engine.sql("DELETE FROM lease")  # as another node does that takes its work over
    nodes.engine.sql(f"UPDATE node SET token = token + 10, until = NULL WHERE token = {lost.lease}")
    (theirs,) = await claimed(b)
    await b.surrender((theirs,))
    assert a._pulse is not None
    await until(lambda: a._pulse.token > theirs.lease, 30)
    assert await a.claim(10) == (), "its own worker still has it in hand"
    await a.surrender((lost,))
    (again,) = await claimed(a)
    assert again.lease > theirs.lease


# --- start and stop


async def test_after_a_kill_the_earlier_run_keeps_its_leases_until_its_journals_are_read(
    nodes: Cluster,
) -> None:
    a, b = nodes.node("a"), nodes.node("b")
    await nodes.ready(a, planned(MAIL, DOCTOR), order="CR1")
    await nodes.ready(a, planned(MAIL, DOCTOR), order="CR2")
    first, second = await a.claim(10)
    dies(a)
    assert a._lock is not None
    a._lock.release()
    restarted = nodes.node("a", recovering=True)
    assert await b.claim(10) == ()
    await restarted.settle((outcome(first),))  # what the journal knew
    assert [task.id for task in await restarted.claim(10)] == [second.id]
    assert nodes.states() == ["delivered", "pending"]


async def test_a_node_that_stops_leaves_nothing_in_hand(nodes: Cluster) -> None:
    a = nodes.node("a")
    await nodes.ready(a, planned(DMP))
    await a.surrender(await a.claim(10))
    await a.close()
    assert nodes.engine.sql("SELECT until FROM node") == [(None,)]
    assert nodes.engine.sql("SELECT * FROM lease") == []
    nodes._open.remove(a)


async def test_who_lives_and_what_each_has_in_hand_is_told(nodes: Cluster) -> None:
    a, b = nodes.node("a"), nodes.node("b")
    await nodes.ready(a, planned(DMP))
    await a.claim(10)
    await b.close()
    nodes._open.remove(b)
    told = {row["host"].rpartition("/")[2]: row for row in nodes.queries.nodes()}
    assert (told["a"]["tasks"], told["b"]["tasks"]) == (1, 0)
    assert 0 < told["a"]["seconds"] <= 60
    assert told["b"]["seconds"] is None


async def test_every_node_knows_how_many_live_and_one_of_them_leads(nodes: Cluster) -> None:
    """Of how many parts a rate is, and who purges (REQ-76)."""
    a, b = nodes.node("a"), nodes.node("b")
    await until(lambda: [a.nodes(), b.nodes()] == [2, 2])
    leader, other = sorted((a, b), key=lambda node: not node.leads())
    assert (leader.leads(), other.leads()) == (True, False)
    await leader.close()
    nodes._open.remove(leader)
    await until(lambda: other.nodes() == 1 and other.leads())


async def test_a_folder_serves_one_node(nodes: Cluster) -> None:
    nodes.node("a")
    with pytest.raises(StoreLockedError):
        nodes.node("a")


async def test_a_copied_folder_is_no_second_node(nodes: Cluster) -> None:
    nodes.node("a")
    copy = nodes.engine.folder / "copy"
    copy.mkdir()
    for name in ("node-id", "audit-key"):
        shutil.copy(nodes.engine.folder / "a" / name, copy)
    with pytest.raises(NodeError, match="remove `node-id`"):
        await asyncio.to_thread(nodes.node, "copy", lease=0.1)


async def test_a_node_with_another_audit_key_is_refused(nodes: Cluster) -> None:
    nodes.node("a")
    (nodes.engine.folder / "b").mkdir()
    with pytest.raises(NodeError, match="copy `audit-key`"):
        nodes.node("b")


# --- the server


async def test_while_postgresql_is_down_senders_come_back_later_and_after_it_all_goes_on(
    nodes: Cluster, postgres_server: Server
) -> None:
    a = nodes.node("a")
    await nodes.ready(a, planned(DMP))
    (task,) = await a.claim(10)
    await asyncio.to_thread(postgres_server.cluster.stop, crash=True)
    try:
        with pytest.raises(StoreUnavailableError):
            await nodes.take(a, planned(DMP), order="CR2")
        with pytest.raises(StoreUnavailableError):
            await a.settle((outcome(task),))
        with pytest.raises(StoreUnavailableError):
            await a.claim(10)
        with pytest.raises(StoreUnavailableError):
            nodes.states()
        await until(lambda: a.status()["store"] == "down", 30)
    finally:
        await asyncio.to_thread(postgres_server.cluster.start)
    await a.settle((outcome(task),))  # the dispatcher asks until it is written
    await nodes.take(a, planned(DMP), order="CR3")
    assert nodes.states() == ["delivered", "planned"]
    assert [one.kind for one in await a.claim(10)] == ["produce"]
    await until(lambda: a.status()["store"] == "up", 30)


async def test_a_text_may_hold_what_postgresql_cannot(nodes: Cluster) -> None:
    """U+0000 is no text for PostgreSQL; the received bytes keep it."""
    a = nodes.node("a")
    receipt = await a.commit(received("A\x00B", b"MSH|A\x00B"), concluding(planned(DMP), order="C\x00D"))
    again = await a.commit(received("2"), concluding(planned(DMP), order="C\x00D"))
    row = nodes.queries.message(receipt.message_id)
    assert row is not None
    assert row["control_id"] == "A\u2400B"
    assert nodes.queries.raw(receipt.message_id) == b"MSH|A\x00B"
    second = nodes.queries.message(again.message_id)
    assert second is not None
    assert second["reports"][0]["version"] == 2
