"""Which ends the creator of a message is told by ZAM, from the intake on (hl7v2.md §1.6, §1.8; REQ-41)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model.delivery import DeliveryState, Destination, Outcome, OutcomeKind
from gateway.model.version import Acknowledged
from gateway.ports import Produced, Settlement, Task
from gateway.store import StoreReader
from tests.intake_house import House, fixture
from tests.store_support import NOW, document

ASKS = "OBX|9|CE|ACK_RECEPTION^Accusé de réception^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F\r"


def asking(name: str, *pairs: tuple[str, str]) -> str:
    """The message with ACK_RECEPTION = Y."""
    return fixture(name, *pairs).rstrip("\r") + "\r" + ASKS


@pytest.fixture
async def telling(tmp_path: Path) -> AsyncIterator[House]:
    """A store that tells creators."""
    one = House(tmp_path, acknowledging=True)
    yield one
    one.queries.close()
    await one.store.close()


def told(house: House) -> list[tuple[Destination, DeliveryState, str]]:
    """What the ZAM in the queue tell, in the order of their planning."""
    reader = StoreReader.open(house.path, lambda name: house.profiles.named(name).site)
    rows = house.queries.deliveries(state="", destination="zam", cursor=0, limit=100)
    jobs = (reader.job(row["id"], 1).acknowledges for row in sorted(rows, key=lambda row: row["id"]))
    return [(one.destination, one.state, one.reason) for one in jobs if isinstance(one, Acknowledged)]


@pytest.mark.req("REQ-41")
async def test_what_is_blocked_from_the_start_is_told_at_once(telling: House) -> None:
    assert await telling.take(asking("oru_unqualified")) == "AA"
    assert (Destination.DMP, DeliveryState.BLOCKED, "INS-NOT-QUALIFIED") in told(telling)
    tasks = await telling.store.claim(50)
    assert {"produce", "deliver"} == {task.kind for task in tasks}, "it does not wait for the documents"


async def test_who_did_not_ask_is_told_nothing(telling: House) -> None:
    await telling.take(fixture("oru_unqualified"))
    assert told(telling) == []


@pytest.mark.req("REQ-41")
async def test_an_opposition_that_comes_later_is_told(telling: House) -> None:
    await telling.take(asking("oru_report"))
    assert told(telling) == []
    await telling.take(fixture("adt_a31_opposed"))
    assert (Destination.DMP, DeliveryState.BLOCKED, "DMP-OPPOSED") in told(telling)


async def test_an_operator_who_gives_up_is_told_and_a_retry_is_not(telling: House) -> None:
    await telling.take(asking("oru_report"))
    (dmp,) = telling.queries.deliveries(state="", destination="dmp", cursor=0, limit=10)
    await telling.store.cancel(dmp["id"])
    assert told(telling) == [(Destination.DMP, DeliveryState.CANCELLED, "")]


@pytest.mark.req("REQ-41", "REQ-40")
async def test_the_end_of_a_deletion_is_told_about_the_message_that_asked_for_it(telling: House) -> None:
    """The report's own message had not asked."""
    await telling.take(fixture("oru_pdf"))
    versions = [task.id for task in await telling.store.claim(50) if task.kind == "produce"]
    await telling.store.settle(tuple(Produced(version_id=one, documents=(document(),)) for one in versions))
    await arrive(telling, *await telling.store.claim(50))
    assert told(telling) == []
    await telling.take(asking("oru_withdrawn"))
    control_id = telling.last()["control_id"]
    deletions = await telling.store.claim(50)
    await arrive(telling, *deletions)
    assert sorted(told(telling)) == [
        (Destination.DMP, DeliveryState.DELIVERED, ""),
        (Destination.MSSANTE_PATIENT, DeliveryState.DELIVERED, ""),
        (Destination.MSSANTE_PS, DeliveryState.DELIVERED, ""),
    ]
    (zam, *_) = telling.queries.deliveries(destination="zam", limit=10)
    assert telling.reader().job(zam["id"], 1).version.context.control_id == control_id


async def arrive(house: House, *tasks: Task) -> None:
    outcome = Outcome(kind=OutcomeKind.DELIVERED)
    await house.store.settle(
        tuple(
            Settlement(delivery_id=one.id, outcome=outcome, attempt=1, started_at=NOW, ended_at=NOW)
            for one in tasks
        )
    )


async def test_what_is_told_stays_as_it_was_and_a_failed_production_does_not_stop_it(telling: House) -> None:
    """The creator was offline: the identity was qualified meanwhile, and the report goes after all."""
    await telling.take(asking("oru_unqualified"))
    before = told(telling)
    versions = [task.id for task in await telling.store.claim(50) if task.kind == "produce"]
    await telling.store.settle(tuple(Produced(version_id=one, problem="PDF-INVALID") for one in versions))
    await telling.take(fixture("adt_a08_qualified"))
    assert told(telling)[: len(before)] == before
    states = {row["destination"]: row["state"] for row in telling.queries.deliveries(limit=100)[::-1]}
    assert states["zam"] == "pending"
