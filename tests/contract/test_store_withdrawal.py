"""A withdrawal in the ledger, on both engines: what is cancelled, what is deleted, behind what it waits."""

from collections.abc import AsyncIterator

import pytest

from gateway.model.delivery import OutcomeKind
from gateway.ports import Task
from tests.contract.test_store_supersede import Bench
from tests.postgres_support import Engine
from tests.store_support import DMP, DOCTOR, FOLDER, MAIL, OTHER, planned, received, withdrawing

K = OutcomeKind


class Lanes(Bench):
    """A report in the lanes of its destinations, and what API and workers see of it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.queries, self.reader = engine.queries(), engine.reader()

    async def close(self) -> None:
        self.queries.close()
        self.reader.close()
        await self.store.close()

    async def withdrawn_from_dmp(self) -> Task:
        """The deletion that is due after one version has arrived and was withdrawn."""
        await self.version(planned(DMP))
        await self.produce()
        await self.all_arrive()
        await self.withdraw()
        (deletion,) = await self.due()
        return deletion

    async def withdraw(self) -> None:
        self._count += 1
        await self.store.commit(received(str(self._count)), withdrawing())

    async def due(self) -> list[Task]:
        """What may be sent now; handed out until it is settled."""
        return [task for task in await self.store.claim(50) if task.kind == "deliver"]

    async def all_arrive(self) -> None:
        for task in await self.due():
            await self.settle(task, K.DELIVERED)

    def ledger(self) -> list[tuple[str, str, str]]:
        """(destination, action, state), in the order of their making."""
        with_id = sorted(self.queries.deliveries(limit=100), key=lambda row: row["id"])
        return [(row["destination"], row["action"], row["state"]) for row in with_id]


@pytest.fixture
async def lanes(engine: Engine) -> AsyncIterator[Lanes]:
    one = Lanes(engine)
    yield one
    await one.close()


@pytest.mark.req("REQ-40", "REQ-44")
async def test_each_lane_is_cleared_by_what_became_of_it(lanes: Lanes) -> None:
    await lanes.version(planned(DMP), planned(FOLDER), planned(MAIL, DOCTOR), planned(MAIL, OTHER))
    await lanes.produce()
    ends = {DMP: K.DELIVERED, FOLDER: K.REFUSED, MAIL: K.TRANSIENT}
    for task in await lanes.due():
        assert task.destination is not None
        await lanes.settle(task, ends[task.destination])
    await lanes.withdraw()
    assert lanes.ledger() == [
        ("dmp", "create", "delivered"),
        ("folder", "create", "refused"),
        ("mssante-ps", "create", "cancelled"),
        ("mssante-ps", "create", "cancelled"),
        ("dmp", "delete", "pending"),
    ]
    assert lanes.queries.balanced()


@pytest.mark.req("REQ-40")
async def test_what_is_in_hand_is_not_pulled_away_and_then_deleted(lanes: Lanes) -> None:
    await lanes.version(planned(DMP), planned(MAIL, DOCTOR))
    await lanes.produce()
    tasks = await lanes.due()
    await lanes.withdraw()
    assert await lanes.due() == []
    for task in tasks:
        await lanes.settle(task, K.DELIVERED if task.destination is DMP else K.PERMANENT)
    (deletion,) = await lanes.due()
    assert lanes.reader.job(deletion.id, 1).action == "delete"
    assert ("mssante-ps", "delete", "cancelled") in lanes.ledger(), "the mail had not gone"


@pytest.mark.req("REQ-40", "REQ-78")
async def test_what_was_in_hand_and_is_lost_does_not_leave_any_more(lanes: Lanes) -> None:
    """The worker died before it sent anything; the report was withdrawn meanwhile."""
    await lanes.version(planned(FOLDER))
    await lanes.produce()
    (task,) = await lanes.due()
    await lanes.withdraw()
    await lanes.store.surrender((task,))
    (again,) = await lanes.due()
    assert (again.id, lanes.reader.job(again.id, 1).recalled) == (task.id, True)
    await lanes.settle(again, K.REFUSED)
    assert lanes.ledger() == [("folder", "create", "refused"), ("folder", "delete", "cancelled")]


async def test_a_second_withdrawal_clears_what_the_first_one_waited_for(lanes: Lanes) -> None:
    await lanes.version(planned(FOLDER))
    await lanes.produce()
    (task,) = await lanes.due()
    await lanes.withdraw()
    await lanes.store.surrender((task,))
    await lanes.withdraw()
    assert lanes.ledger() == [("folder", "create", "cancelled"), ("folder", "delete", "cancelled")]


@pytest.mark.req("REQ-40")
async def test_the_deletion_is_about_the_last_version_that_left(lanes: Lanes) -> None:
    """Version 2 was cancelled before it left: the DMP holds version 1."""
    await lanes.version(planned(DMP))
    await lanes.produce()
    (first,) = await lanes.due()
    await lanes.settle(first, K.DELIVERED)
    await lanes.version(planned(DMP))
    await lanes.withdraw()
    (deletion,) = await lanes.due()
    job = lanes.reader.job(deletion.id, 1)
    assert (job.version.identity.number, job.version.identity.document_id) == (3, "2.25.1")
    assert dict(job.previous_remote_ids)["entryUUID"] == f"urn:uuid:{first.id}"


async def test_a_version_of_unknown_end_is_the_one_to_delete_and_the_one_before_is_named(
    lanes: Lanes,
) -> None:
    await lanes.version(planned(DMP))
    await lanes.produce()
    (first,) = await lanes.due()
    await lanes.settle(first, K.DELIVERED)
    await lanes.version(planned(DMP))
    await lanes.produce()
    (second,) = await lanes.due()
    await lanes.settle(second, K.AMBIGUOUS)
    await lanes.withdraw()
    again = lanes.reader.job(second.id, 2)
    assert (again.unanswered, again.recalled) == (True, True), "not to be fed any more"
    await lanes.store.cancel(second.id)
    (deletion,) = await lanes.due()
    job = lanes.reader.job(deletion.id, 1)
    assert job.version.identity.document_id == "2.25.2"
    assert dict(job.previous_remote_ids)["entryUUID"] == f"urn:uuid:{first.id}"
    assert not job.unanswered


async def test_a_deletion_without_answer_is_repeated_as_one(lanes: Lanes) -> None:
    deletion = await lanes.withdrawn_from_dmp()
    await lanes.settle(deletion, K.AMBIGUOUS)
    job = lanes.reader.job(deletion.id, 2)
    assert (job.action, job.unanswered) == ("delete", True)


@pytest.mark.req("REQ-29", "REQ-40")
async def test_life_after_a_deletion_begins_anew(lanes: Lanes) -> None:
    await lanes.version(planned(DMP))
    await lanes.produce()
    await lanes.all_arrive()
    await lanes.withdraw()
    await lanes.all_arrive()
    await lanes.version(planned(DMP))
    await lanes.produce()
    (again,) = await lanes.due()
    job = lanes.reader.job(again.id, 1)
    assert (job.action, job.previous_remote_ids) == ("create", ())
    await lanes.settle(again, K.DELIVERED)
    await lanes.withdraw()
    (deletion,) = await lanes.due()
    assert lanes.reader.job(deletion.id, 1).version.identity.document_id == "2.25.3"


async def test_a_deletion_that_was_given_up_may_be_asked_for_again(lanes: Lanes) -> None:
    await lanes.version(planned(FOLDER))
    await lanes.produce()
    await lanes.all_arrive()
    await lanes.withdraw()
    (waiting,) = lanes.queries.deliveries(state="pending", limit=10)
    await lanes.store.cancel(waiting["id"])
    await lanes.withdraw()
    assert lanes.ledger()[1:] == [("folder", "delete", "cancelled"), ("folder", "delete", "pending")]
    await lanes.withdraw()
    assert len(lanes.ledger()) == 3, "and not twice"


async def test_a_deletion_of_unknown_end_that_was_given_up_may_be_asked_for_again(lanes: Lanes) -> None:
    """Nobody knows whether it arrived: the document counts as being where it was."""
    deletion = await lanes.withdrawn_from_dmp()
    await lanes.settle(deletion, K.AMBIGUOUS)
    await lanes.store.cancel(deletion.id)
    await lanes.withdraw()
    (again,) = await lanes.due()
    assert again.id != deletion.id
    job = lanes.reader.job(again.id, 1)
    assert (job.action, job.version.identity.document_id) == ("delete", "2.25.1")


async def test_a_deletion_that_failed_waits_for_a_person(lanes: Lanes) -> None:
    deletion = await lanes.withdrawn_from_dmp()
    await lanes.settle(deletion, K.PERMANENT)
    assert lanes.ledger()[-1] == ("dmp", "delete", "failed")
    assert await lanes.store.retry(deletion.id) == "pending"
    assert [task.id for task in await lanes.due()] == [deletion.id], "it needs no documents of its own"
