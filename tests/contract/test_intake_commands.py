"""Commands about a kept report: each is stored, makes a version, and sends what is owed."""

import json
from typing import Any

import pytest

from gateway.model.command import Command, Verb
from gateway.model.delivery import Destination, NotAnnouncedError, Outcome, OutcomeKind
from gateway.ports import Settlement
from tests.contract.test_intake_life import document, status, versions
from tests.contract.test_intake_withdrawal import produced
from tests.intake_house import House
from tests.store_support import NOW

pytestmark = pytest.mark.usefixtures("engine")


def flag(code: str, value: str) -> str:
    return f"OBX|90|CE|{code}^^MetaDMPMSS||{value}^^expandedYes-NoIndicator||||||F\r"


HIDDEN = flag("INVISIBLE_PATIENT", "Y") + flag("DESTMSSANTEPAT", "N")


async def order(house: House, verb: Verb, name: str = "", *, mail: bool = True) -> tuple[int, dict[str, Any]]:
    """(HTTP status, answer) of a command about the first report."""
    row = house.queries.report("1")
    assert row is not None
    command = Command(
        verb=verb,
        report_id=1,
        site=row["site"],
        set_key=row["set_key"],
        actor="cli radiologue",
        flag=name,
        mail=mail,
    )
    answer = await house.intake.command(command)
    return answer.status, json.loads(answer.body)


async def all_arrive(house: House) -> list[str]:
    """Everything that may go is sent; its destinations."""
    tasks = await produced(house)
    arrived = Outcome(kind=OutcomeKind.DELIVERED)
    await house.store.settle(
        tuple(
            Settlement(delivery_id=one.id, outcome=arrived, attempt=1, started_at=NOW, ended_at=NOW)
            for one in tasks
        )
    )
    return sorted(str(one.destination) for one in tasks)


def codes(answer: dict[str, Any]) -> list[str]:
    return [one["code"] for one in answer["findings"]]


def rows(house: House, destination: str) -> list[tuple[int, str, str, str]]:
    """(version, action, state, reason) of a destination's deliveries, oldest first."""
    return [
        (row["version"], row["action"], row["state"], row["reason"])
        for row in sorted(house.queries.deliveries(limit=100), key=lambda row: row["id"])
        if row["destination"] == destination
    ]


@pytest.mark.req("REQ-38")
async def test_hidden_first_then_announced_by_command(house: House) -> None:
    assert await house.take(status("F") + HIDDEN) == "AA"
    assert await all_arrive(house) == ["dmp", "folder", "mssante-ps"]
    assert rows(house, "mssante-patient") == [(1, "create", "withheld", "AWAITING-ANNOUNCEMENT")]
    assert versions(house)[0]["masks"] == ["INVISIBLE_PATIENT"]

    assert (await order(house, Verb.ANNOUNCE))[0] == 200
    assert versions(house)[1]["masks"] == []
    assert await all_arrive(house) == ["dmp", "folder", "mssante-patient"], "nobody gets a second mail"
    assert rows(house, "dmp")[1] == (2, "replace", "delivered", "")
    assert rows(house, "mssante-patient") == [
        (1, "create", "cancelled", "SUPERSEDED"),
        (2, "create", "delivered", ""),
    ], "the patient's first mail replaces nothing"


@pytest.mark.req("REQ-38")
async def test_announced_before_anything_left(house: House) -> None:
    """The mail to the doctor goes as well, with the announced document; the DMP gets a creation."""
    await house.take(status("F") + HIDDEN)
    await order(house, Verb.ANNOUNCE)
    assert await all_arrive(house) == ["dmp", "folder", "mssante-patient", "mssante-ps"]
    assert rows(house, "dmp")[1][1] == "create"


@pytest.mark.req("REQ-38")
async def test_a_second_announcement_changes_nothing(house: House) -> None:
    await house.take(status("F") + HIDDEN)
    assert (await order(house, Verb.ANNOUNCE))[1]["version"] == 2
    status_code, again = await order(house, Verb.ANNOUNCE)
    assert (status_code, again["version"], codes(again)) == (200, None, ["CONTENT-UNCHANGED"])
    assert len(versions(house)) == 2
    assert house.queries.balanced()
    assert [row["state"] for row in house.queries.messages(limit=3)] == ["accepted"] * 3


@pytest.mark.req("REQ-38")
async def test_an_announcement_without_the_patient_s_mail(house: House) -> None:
    await house.take(status("F") + HIDDEN)
    await order(house, Verb.ANNOUNCE, mail=False)
    assert rows(house, "mssante-patient") == [(1, "create", "cancelled", "SUPERSEDED")]
    assert await all_arrive(house) == ["dmp", "folder", "mssante-ps"]


@pytest.mark.req("REQ-38")
@pytest.mark.parametrize(("wanted", "mails"), [("Y", 1), ("N", 0)])
async def test_an_announcement_by_message_takes_the_waiting_mail_along(
    house: House, wanted: str, mails: int
) -> None:
    await house.take(status("F") + HIDDEN)
    announced = flag("INVISIBLE_PATIENT", "N") + flag("MODIF_CONF_CODE", "Y") + flag("DESTMSSANTEPAT", wanted)
    assert await house.take(status("C", control="RO") + announced) == "AA"
    assert rows(house, "mssante-patient")[0][2:] == ("cancelled", "SUPERSEDED")
    assert (await all_arrive(house)).count("mssante-patient") == mails


@pytest.mark.req("REQ-38", "REQ-49")
async def test_a_mail_that_waits_for_the_announcement_is_not_released_by_hand(house: House) -> None:
    await house.take(status("F") + HIDDEN)
    (waits,) = house.queries.deliveries(state="withheld")
    with pytest.raises(NotAnnouncedError):
        await house.store.release(waits["id"], actor="test")


@pytest.mark.req("REQ-39")
@pytest.mark.parametrize("name", ["MASQUE_PS", "INVISIBLE_REPRESENTANTS_LEGAUX"])
async def test_a_mask_is_a_new_version_for_the_dmp_and_no_mail(house: House, name: str) -> None:
    await house.take(status("F"))
    assert len(await all_arrive(house)) == 4
    assert (await order(house, Verb.MASK, name))[1]["version"] == 2
    assert versions(house)[1]["masks"] == [name]
    assert await all_arrive(house) == ["dmp", "folder"]
    assert rows(house, "dmp")[1][:2] == (2, "replace")
    assert (await order(house, Verb.UNMASK, name))[1]["version"] == 3
    assert versions(house)[2]["masks"] == []


@pytest.mark.req("REQ-39", "REQ-49")
async def test_a_report_hidden_from_the_patient_in_time_is_not_mailed(house: House) -> None:
    await house.take(status("F") + flag("DESTMSSANTEPAT", "Y"))
    assert (await order(house, Verb.MASK, "INVISIBLE_PATIENT"))[0] == 200
    assert "mssante-patient" not in await all_arrive(house)
    assert rows(house, "mssante-patient")[1][2:] == ("withheld", "AWAITING-ANNOUNCEMENT")
    await order(house, Verb.ANNOUNCE)
    assert "mssante-patient" in await all_arrive(house)


@pytest.mark.req("REQ-39")
async def test_the_dmp_gets_the_versions_one_after_the_other(house: House) -> None:
    await house.take(status("F"))
    tasks = await produced(house)
    (under_way,) = [one for one in tasks if one.destination is Destination.DMP]
    assert (await order(house, Verb.MASK, "MASQUE_PS"))[0] == 200
    assert Destination.DMP not in {one.destination for one in await produced(house)}
    arrived = Outcome(kind=OutcomeKind.DELIVERED)
    await house.store.settle(
        (Settlement(delivery_id=under_way.id, outcome=arrived, attempt=1, started_at=NOW, ended_at=NOW),)
    )
    assert Destination.DMP in {one.destination for one in await house.store.claim(50)}
    assert rows(house, "dmp")[1][1] == "replace"


@pytest.mark.req("REQ-39", "REQ-38")
@pytest.mark.parametrize(
    ("verb", "name", "expected", "code"),
    [
        (Verb.MASK, "DESTDMP", 422, "MASK-UNKNOWN"),
        (Verb.UNMASK, "INVISIBLE_PATIENT", 409, "MASK-ANNOUNCED"),
    ],
)
async def test_a_refused_command_changes_nothing_and_is_kept(
    house: House, verb: Verb, name: str, expected: int, code: str
) -> None:
    await house.take(status("F") + HIDDEN)
    status_code, answer = await order(house, verb, name)
    assert (status_code, codes(answer), answer["state"]) == (expected, [code], "rejected")
    assert len(versions(house)) == 1
    assert house.last()["state"] == "rejected"


async def test_a_report_that_is_not_validated_takes_no_command(house: House) -> None:
    await house.take(status("P"))
    status_code, answer = await order(house, Verb.ANNOUNCE)
    assert (status_code, codes(answer)) == (409, ["COMMAND-IMPOSSIBLE"])


@pytest.mark.req("REQ-33")
async def test_a_received_document_is_not_ours_to_change(house: House) -> None:
    await house.take(document(1))
    status_code, answer = await order(house, Verb.MASK, "MASQUE_PS")
    assert (status_code, codes(answer)) == (409, ["COMMAND-NOT-OURS"])


@pytest.mark.req("REQ-70")
async def test_the_command_is_kept_as_given_and_stands_in_the_trail(house: House) -> None:
    await house.take(status("F") + HIDDEN)
    await order(house, Verb.ANNOUNCE)
    last = house.last()
    assert (last["protocol"], last["message_type"], last["peer"]) == ("command", "announce", "cli radiologue")
    raw = house.queries.raw(last["id"])
    assert raw is not None and json.loads(raw)["verb"] == "announce"
    told = house.engine.sql(
        f"SELECT action, actor, report_id, result FROM audit WHERE message_id = {last['id']}"
    )
    assert told == [("announce", "cli radiologue", 1, "accepted")]
    assert house.queries.problems() == []


# --- withdrawing


@pytest.mark.req("REQ-40")
async def test_a_person_takes_back_what_left(house: House) -> None:
    await house.take(status("F"))
    sent = await all_arrive(house)
    answer = await order(house, Verb.WITHDRAW)
    assert (answer[0], answer[1]["version"], codes(answer[1])[-1]) == (200, 2, "REPORT-TAKEN-BACK")
    assert await all_arrive(house) == sent, "everyone who got it"
    assert rows(house, "dmp")[1] == (2, "delete", "delivered", "")
    report = house.queries.report("1")
    assert report is not None and report["status"] == "entered-in-error"
    assert house.queries.balanced() and not house.queries.problems()
    again = await order(house, Verb.WITHDRAW)
    assert (again[0], again[1]["version"], codes(again[1])) == (200, None, ["REPORT-WITHDRAWN-BEFORE"])
    assert (await order(house, Verb.ANNOUNCE))[0] == 409, "nothing is announced any more"


@pytest.mark.req("REQ-40")
async def test_a_person_recalls_what_has_not_left(house: House) -> None:
    await house.take(status("F"))
    answer = await order(house, Verb.WITHDRAW)
    assert (answer[0], answer[1]["version"], codes(answer[1])[-1]) == (200, None, "REPORT-RECALLED")
    assert {row["state"] for row in house.queries.deliveries(limit=100)} == {"cancelled"}


@pytest.mark.req("REQ-33", "REQ-40")
async def test_a_received_cda_is_withdrawn_by_command_as_well(house: House) -> None:
    """Nothing in it changes: it is named, and deleted."""
    await house.take(document(1))
    await all_arrive(house)
    assert (await order(house, Verb.WITHDRAW))[1]["version"] == 2
    assert rows(house, "dmp")[1][1] == "delete"


@pytest.mark.req("REQ-40")
async def test_a_withdrawal_by_command_is_in_the_audit_trail_with_its_actor(house: House) -> None:
    await house.take(status("F"))
    await all_arrive(house)
    await order(house, Verb.WITHDRAW)
    assert house.last()["message_type"] == "withdraw"
    told = house.engine.sql("SELECT actor, report_id, result FROM audit WHERE action = 'withdraw'")
    assert [tuple(one) for one in told] == [("cli radiologue", 1, "accepted")]
