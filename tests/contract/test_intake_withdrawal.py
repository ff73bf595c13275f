"""Withdrawals through the intake (T04, D, X): what never left is recalled, what left is refused (§4.4)."""

import pytest

from gateway.model.delivery import Destination, Outcome, OutcomeKind
from gateway.ports import Produced, Settlement, Task
from tests.contract.test_intake_life import NEW_WORDS, document, state, status
from tests.intake_house import House
from tests.store_support import NOW
from tests.store_support import document as made
from tests.unit.mapping_messages import changed, with_field

LATER = ("20210108111700+0100", "20310108113000+0100")
"""OBR-22 of the canonical exam, and the same report validated again."""


async def produced(house: House) -> tuple[Task, ...]:
    """The deliveries that wait for a worker, with the documents of their versions."""
    for task in await house.store.claim(50):
        await house.store.settle((Produced(version_id=task.id, documents=(made(),)),))
    return await house.store.claim(50)


async def sent(house: House, destination: Destination) -> None:
    tasks = await produced(house)
    (task,) = [one for one in tasks if one.destination is destination]
    await house.store.surrender(tuple(one for one in tasks if one is not task))
    arrived = Outcome(kind=OutcomeKind.DELIVERED)
    await house.store.settle(
        (Settlement(delivery_id=task.id, outcome=arrived, attempt=1, started_at=NOW, ended_at=NOW),)
    )


def states(house: House) -> set[str]:
    return {row["state"] for row in house.queries.deliveries(limit=100)}


@pytest.mark.req("REQ-29")
@pytest.mark.parametrize("code", ["X", "D", "W"])
async def test_what_never_left_is_recalled(house: House, code: str) -> None:
    await house.take(status("F"))
    await house.store.surrender(await produced(house))
    assert await state(house, status(code)) == ("AA", "accepted")
    assert "REPORT-RECALLED" in house.codes()
    assert states(house) == {"cancelled"}
    assert {row["reason"] for row in house.queries.deliveries(limit=100)} == {"REPORT-RECALLED"}
    report = house.queries.report("1")
    assert report is not None
    assert (report["status"], report["version"]) == ("cancelled" if code == "X" else "entered-in-error", 1)
    assert await house.store.claim(50) == (), "nothing is handed out any more"


async def test_one_delivery_that_left_keeps_all(house: House) -> None:
    await house.take(status("F"))
    await sent(house, Destination.FOLDER)
    before = house.deliveries()
    assert await state(house, status("D")) == ("AE", "rejected")
    assert "WITHDRAWAL-UNSERVED" in house.codes()
    assert house.deliveries() == before


async def test_what_is_being_sent_counts_as_sent(house: House) -> None:
    await house.take(status("F"))
    tasks = await produced(house)
    assert await state(house, status("D")) == ("AE", "rejected")
    await house.store.surrender(tasks)
    assert await state(house, status("D")) == ("AA", "accepted")


async def test_the_same_report_validated_again_goes_out_again(house: House) -> None:
    await house.take(status("F"))
    await house.take(status("X"))
    assert await state(house, status("F", LATER)) == ("AA", "accepted")
    assert house.deliveries()["dmp"] == ("create", "planned", "")


async def test_a_report_that_comes_behind_its_own_withdrawal_is_not_sent(house: House) -> None:
    assert await state(house, status("X")) == ("AA", "held")
    assert await state(house, status("P")) == ("AA", "held")
    assert await state(house, status("F")) == ("AA", "held")
    assert "REPORT-WITHDRAWN" in house.codes()
    assert house.deliveries() == {}


async def test_an_original_behind_its_correction_does_not_undo_it(house: House) -> None:
    await house.take(status("C", NEW_WORDS, ("20210108111700+0100", "20210108150000+0100"), control="RO"))
    assert await state(house, status("F")) == ("AA", "held")
    assert "REPORT-LATE" in house.codes()
    report = house.queries.report("1")
    assert report is not None and len(report["versions"]) == 1
    assert house.report(1).sections[-1].text == "Nodule de 3 mm."


# --- the volet: T04, and the ORU that says the same


def deletion(message: str) -> str:
    """MDM^T04 of a document, which is still in it (§1.2)."""
    event = with_field("MSH", 9, "MDM^T04^MDM_T02", with_field("ORC", 1, "CA", message))
    old = "||||||C\rPRT" if "||||||C\rPRT" in event else "||||||F\rPRT"
    return changed((old, "||||||D\rPRT"), message=event)


@pytest.mark.req("REQ-29", "REQ-33")
async def test_a_received_document_is_recalled_by_its_third_version(house: House) -> None:
    for number, replaced in ((1, None), (2, 1), (3, 2)):
        assert await house.take(document(number, replaced)) == "AA"
    assert await state(house, deletion(document(3, 2))) == ("AA", "accepted")
    assert states(house) == {"cancelled"}


async def test_a_received_document_that_left_stays(house: House) -> None:
    await house.take(document(1))
    await sent(house, Destination.DMP)
    assert await state(house, deletion(document(1))) == ("AE", "rejected")


async def test_an_original_document_behind_its_replacement_does_not_undo_it(house: House) -> None:
    assert await house.take(document(2, replaces=1)) == "AA"
    assert await state(house, document(1)) == ("AA", "held")
    assert "REPORT-LATE" in house.codes()
