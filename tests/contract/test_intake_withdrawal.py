"""Withdrawals through the intake (T04, D, X): what never left is recalled, what left is deleted (§4.4)."""

from datetime import datetime

import pytest

from gateway.model.delivery import Destination, Outcome, OutcomeKind
from gateway.ports import Produced, Settlement, Task
from tests.contract.test_intake_life import NEW_WORDS, document, state, status
from tests.intake_house import House, fixture
from tests.store_support import NOW
from tests.store_support import document as made
from tests.unit.mapping_messages import changed, with_field

LATER = ("20210108111700+0100", "20310108113000+0100")
"""OBR-22 of the canonical exam, and the same report validated again."""


async def produced(house: House) -> tuple[Task, ...]:
    """The deliveries that wait for a worker, with the documents of their versions."""
    first = await house.store.claim(50)
    versions = [task.id for task in first if task.kind == "produce"]
    await house.store.settle(tuple(Produced(version_id=one, documents=(made(),)) for one in versions))
    return tuple(task for task in (*first, *await house.store.claim(50)) if task.kind == "deliver")


async def sent(house: House, destination: Destination) -> None:
    tasks = await produced(house)
    (task,) = [one for one in tasks if one.destination is destination]
    await house.store.surrender(tuple(one for one in tasks if one is not task))
    arrived = Outcome(kind=OutcomeKind.DELIVERED)
    await house.store.settle(
        (Settlement(delivery_id=task.id, outcome=arrived, attempt=1, started_at=NOW, ended_at=NOW),)
    )


async def settle(
    house: House,
    tasks: tuple[Task, ...],
    kind: OutcomeKind,
    destination: Destination | None = None,
    *,
    at: datetime = NOW,
) -> None:
    """These attempts ended so; of `destination` only."""
    await house.store.settle(
        tuple(
            Settlement(
                delivery_id=task.id,
                outcome=Outcome(kind=kind),
                attempt=task.attempt,
                started_at=at,
                ended_at=at,
            )
            for task in tasks
            if destination in (None, task.destination)
        )
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


@pytest.mark.req("REQ-40", "REQ-29")
async def test_what_left_is_deleted_and_the_rest_recalled(house: House) -> None:
    await house.take(status("F"))
    await sent(house, Destination.FOLDER)
    assert await state(house, status("D")) == ("AA", "accepted")
    assert "REPORT-TAKEN-BACK" in house.codes()
    newest = house.deliveries()
    assert newest["folder"] == ("delete", "pending", "")
    assert newest["dmp"] == ("create", "cancelled", "REPORT-RECALLED")
    report = house.queries.report("1")
    assert report is not None
    assert (report["status"], report["version"]) == ("entered-in-error", 2)
    assert house.report(2).sections == house.report(1).sections, "the version names what it takes back"
    assert house.queries.balanced() and not house.queries.problems()


@pytest.mark.req("REQ-40")
async def test_a_second_withdrawal_deletes_nothing_twice(house: House) -> None:
    await house.take(status("F"))
    await sent(house, Destination.FOLDER)
    await house.take(status("D"))
    before = house.queries.deliveries(limit=100)
    assert await state(house, status("X")) == ("AA", "accepted")
    assert "REPORT-WITHDRAWN-BEFORE" in house.codes()
    assert house.queries.deliveries(limit=100) == before


@pytest.mark.req("REQ-40", "REQ-44")
async def test_a_deletion_waits_for_what_is_being_sent(house: House) -> None:
    await house.take(status("F"))
    tasks = await produced(house)
    assert await state(house, status("D")) == ("AA", "accepted")
    assert await house.store.claim(50) == (), "every lane is busy"
    await settle(house, tasks, OutcomeKind.DELIVERED)
    assert {house.action(task) for task in await house.store.claim(50)} == {"delete"}


async def test_what_did_not_arrive_after_all_needs_no_deletion(house: House) -> None:
    await house.take(status("F"))
    tasks = await produced(house)
    await house.take(status("D"))
    await settle(house, tasks, OutcomeKind.PERMANENT)
    assert await house.store.claim(50) == ()
    assert states(house) == {"cancelled"}


async def test_a_deletion_behind_a_mail_of_unknown_end_waits_for_a_person(house: House) -> None:
    await house.take(status("F"))
    tasks = await produced(house)
    await settle(house, tasks, OutcomeKind.AMBIGUOUS, Destination.MSSANTE_PS)
    await house.store.surrender(tuple(one for one in tasks if one.destination != Destination.MSSANTE_PS))
    assert await state(house, status("D")) == ("AA", "accepted")
    assert house.deliveries()["mssante-ps"] == ("delete", "pending", "")
    assert await house.store.claim(50) == ()
    (unknown,) = house.queries.deliveries(state="ambiguous", limit=10)
    await house.store.cancel(unknown["id"])
    (task,) = await house.store.claim(50)
    assert house.action(task) == "delete", "it may have arrived"


async def test_the_job_of_a_deletion_is_about_the_document_that_left(house: House) -> None:
    await house.take(status("F"))
    await sent(house, Destination.DMP)
    await house.take(status("D", control="CA"))
    (task,) = await house.store.claim(50)
    job = house.reader().job(task.id, 1)
    first = house.reader().version(1)[0]
    assert job.action == "delete"
    assert job.version.report == first.report
    assert job.version.identity.document_id == first.identity.document_id
    assert job.version.identity.number == 2
    assert [one.sha256 for one in job.documents] == [made().sha256]
    assert job.version.context.message_type == "ORU^R01" and job.version.context.action == "delete"


@pytest.mark.req("REQ-40", "REQ-49")
async def test_the_patient_hears_that_a_report_is_wrong_also_when_it_was_hidden_since(house: House) -> None:
    """What the patient got was visible, and is described so; what is hidden goes to no patient."""
    hidden = "OBX|90|CE|INVISIBLE_PATIENT^^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F\r"
    await house.take(status("F"))
    await sent(house, Destination.MSSANTE_PATIENT)
    assert await state(house, status("D") + hidden) == ("AA", "accepted")
    (task,) = await house.store.claim(50)
    job = house.reader().job(task.id, 1)
    assert (job.destination, job.action) == (Destination.MSSANTE_PATIENT, "delete")
    assert not job.version.context.flags.invisible_patient
    withdrawing = house.reader().version(job.version.version_id)[0]
    assert withdrawing.context.flags.invisible_patient, "the withdrawal itself says so"


@pytest.mark.req("REQ-29")
async def test_after_a_deletion_the_report_validated_again_is_new_everywhere(house: House) -> None:
    await house.take(status("F"))
    await sent(house, Destination.DMP)
    await house.take(status("X"))
    (task,) = await house.store.claim(50)
    await settle(house, (task,), OutcomeKind.DELIVERED)
    assert await state(house, status("F", LATER)) == ("AA", "accepted")
    assert house.deliveries()["dmp"] == ("create", "planned", "")


async def test_before_its_deletion_the_report_validated_again_replaces(house: House) -> None:
    """The deletion that did not begin makes way: at that place the report is replaced, as it stands there."""
    await house.take(status("F"))
    await sent(house, Destination.DMP)
    await house.take(status("X"))
    assert await state(house, status("F", LATER)) == ("AA", "accepted")
    assert house.deliveries()["dmp"] == ("replace", "planned", "")
    rows = house.queries.deliveries(destination="dmp", limit=10)
    assert [(row["action"], row["state"]) for row in reversed(rows)] == [
        ("create", "delivered"),
        ("delete", "cancelled"),
        ("replace", "planned"),
    ]


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


@pytest.mark.req("REQ-40")
async def test_a_received_document_that_left_is_deleted(house: House) -> None:
    await house.take(document(1))
    await sent(house, Destination.DMP)
    assert await state(house, deletion(document(1))) == ("AA", "accepted")
    assert house.deliveries()["dmp"] == ("delete", "pending", "")


@pytest.mark.req("REQ-40")
async def test_a_deletion_of_a_version_that_was_replaced_is_refused(house: House) -> None:
    """A deletion holds the latest version (volet §1.2; table 0533: 900)."""
    await house.take(document(1))
    await house.take(document(2, 1))
    await sent(house, Destination.DMP)
    before = house.deliveries()
    assert await state(house, deletion(document(1))) == ("AE", "rejected")
    assert "WITHDRAWAL-OUTDATED" in house.codes()
    assert house.deliveries() == before
    assert await state(house, deletion(document(2, 1))) == ("AA", "accepted")


async def test_a_deletion_that_comes_before_its_document_holds_it_back(house: House) -> None:
    assert await state(house, deletion(document(1))) == ("AA", "held")
    assert await state(house, document(1)) == ("AA", "held")
    assert "REPORT-WITHDRAWN" in house.codes()


@pytest.mark.req("REQ-40")
async def test_nor_while_a_newer_version_waits_behind_it(house: House) -> None:
    await house.take(status("F"))
    await sent(house, Destination.DMP)
    await house.take(status("X"))
    (in_hand,) = await house.store.claim(50)
    await house.take(status("F", LATER))
    await house.store.surrender((in_hand,))
    assert await house.take(fixture("adt_a31_opposed")) == "AA"
    rows = house.queries.deliveries(destination="dmp", limit=10)
    assert [(row["action"], row["state"], row["reason"]) for row in reversed(rows)] == [
        ("create", "delivered", ""),
        ("delete", "pending", ""),
        ("create", "blocked", "DMP-OPPOSED"),
    ]


@pytest.mark.req("REQ-40")
async def test_the_identity_feed_does_not_hold_a_deletion_back(house: House) -> None:
    """A wrong identity may be the very reason for it."""
    await house.take(status("F"))
    await sent(house, Destination.DMP)
    await house.take(status("D"))
    assert await house.take(fixture("adt_a31_opposed")) == "AA"
    assert house.deliveries()["dmp"] == ("delete", "pending", "")


async def test_an_original_document_behind_its_replacement_does_not_undo_it(house: House) -> None:
    assert await house.take(document(2, replaces=1)) == "AA"
    assert await state(house, document(1)) == ("AA", "held")
    assert "REPORT-LATE" in house.codes()
