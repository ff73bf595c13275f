"""Orders and identities through the intake and its store: what is kept, joined, merged, stopped, released."""

import pytest

from gateway.hl7v2 import read_ack
from gateway.model.base import replace
from gateway.model.delivery import Destination, OutcomeKind
from gateway.model.terms import Identifier
from gateway.pipeline.intake import Intake
from gateway.ports import Task
from tests.contract.test_intake_withdrawal import produced, settle
from tests.intake_house import INS, IPP, RIS, House, fixture
from tests.order_cases import ORDER
from tests.rule_cases import ALL
from tests.unit.mapping_messages import with_field
from tests.unit.test_mapping_cda_order import message as order_document

BARE = (
    ("|984375862^^1.2.250.1.748.12345678.12^ISO|", "||"),
    ("801234567897^DUPONT^Alain^^^DR^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^L^^^IDNPS", ""),
    ("105234751^^1.2.250.1.925.994044785528.27^ISO", ""),
    ("^Céphalées persistantes", ""),
    ("OBX|1|ST|113014^DICOM Study^DCM||1.2.250.1.925.994044.27.123.1876360||||||F\r", ""),
)
"""The canonical exam without placer number, requester, justification, accession number and study."""


async def test_a_store_of_orders_and_identities_is_sound(house: House) -> None:
    """What `gateway doctor`, `db check` and `db restore` ask: orders and identities lead to no report."""
    feed = ("adt_a08_qualified", "adt_a24_link", "adt_a31_opposed", "adt_a40_merge")
    asked = ("orm_zds", "omg_o19", "omi_ipc", "tlr_1_request", "tlr_3_answer", "tlr_4_done")
    for name in (*feed, *asked, "oru_report"):
        assert await house.take(fixture(name)) == "AA", name
    assert house.queries.problems() == []


# --- orders


@pytest.mark.req("REQ-64")
async def test_an_order_is_accepted_after_its_commit_and_fills_what_the_report_lacks(house: House) -> None:
    assert await house.take(fixture("orm_zds")) == "AA"
    assert house.last()["state"] == "accepted"
    assert await house.take(fixture("oru_report", *BARE)) == "AA"
    report = house.report()
    assert report.requester is not None
    assert report.requester.id == "801234567897"
    (order,) = report.orders
    assert order.placer is not None
    assert order.accession is not None
    assert (order.placer.value, order.accession.value) == ("984375862", "105234751")
    assert order.reason == "Céphalées persistantes"
    assert report.acts[0].study_uid == "1.2.250.1.925.994044.27.123.1876360"
    assert [copy.family for copy in report.copies_to] == ["BIDEAULT"]
    assert not {"REQUESTER-MISSING", "ACCESSION-GUESSED"} & house.codes()


async def test_without_its_order_the_same_report_is_refused(house: House) -> None:
    assert await house.take(fixture("oru_report", *BARE)) == "AE"
    assert {"REQUESTER-MISSING", "ACCESSION-GUESSED"} <= house.codes()


async def test_what_the_report_says_itself_stays(house: House) -> None:
    other = fixture("orm_zds", ("DUPONT", "MARTIN"), ("Céphalées persistantes", "Vertiges"))
    await house.take(other)
    await house.take(fixture("oru_report"))
    report = house.report()
    assert report.requester is not None
    assert report.requester.family == "DUPONT"
    assert report.orders[0].reason == "Céphalées persistantes"


async def test_a_cancelled_order_is_kept_as_such_and_tells_a_report_nothing(house: House) -> None:
    await house.take(fixture("orm_zds"))
    assert await house.take(fixture("orm_zds", ("ORC|NW|", "ORC|CA|"), ("||SC||", "||CA||"))) == "AA"
    (row,) = house.queries.orders(site="default", status="", cursor=0, limit=10)
    assert (row["status"], row["version"], row["placer"]) == (
        "cancelled",
        2,
        "984375862^1.2.250.1.748.12345678.12",
    )
    whole = house.queries.order(row["id"])
    assert whole is not None
    assert [(one["control"], one["status"]) for one in whole["messages"]] == [
        ("NW", "scheduled"),
        ("CA", "cancelled"),
    ]
    assert whole["order"]["requester"]["family"] == "DUPONT"
    assert await house.take(fixture("oru_report", *BARE)) == "AE"


@pytest.mark.req("REQ-64")
async def test_an_order_sent_before_its_cancellation_and_taken_after_it_stays_cancelled(house: House) -> None:
    cancelled = (("ORC|NW|", "ORC|CA|"), ("||SC||", "||CA||"), ("20210106094000", "20210106101500"))
    await house.take(fixture("orm_zds", *cancelled))
    assert await house.take(fixture("orm_zds")) == "AA"
    assert "ORDER-LATE" in house.codes()
    (row,) = house.queries.orders(site="default", status="", cursor=0, limit=10)
    assert row["status"] == "cancelled"


async def test_an_order_of_another_patient_is_not_joined(house: House) -> None:
    await house.take(fixture("orm_zds", ("19790328", "19610101")))
    assert await house.take(fixture("oru_report", *BARE)) == "AE"
    assert "ORDER-PATIENT-MISMATCH" in house.codes()


async def test_the_dialogue_of_teleradiology_is_one_order(house: House) -> None:
    for name in ("tlr_1_request", "tlr_3_answer", "tlr_4_done"):
        assert await house.take(fixture(name)) == "AA", name
    (row,) = house.queries.orders(site="default", status="", cursor=0, limit=10)
    assert (row["status"], row["version"]) == ("completed", 3)
    whole = house.queries.order(row["id"])
    assert whole is not None
    order = whole["order"]
    assert order["requester"]["family"] == "DUPONT", "who answers is not who asked"
    assert order["protocol"] == "Séquences T1, T2 et FLAIR"
    assert order["question"] == "Recherche d'une lésion"
    assert order["accession"]["value"] == "ACN101"
    assert house.queries.messages(state="held") == [], "an answer is no report"


async def test_an_order_without_any_number_is_refused(house: House) -> None:
    nameless = fixture(
        "orm_zds",
        ("984375862^^1.2.250.1.748.12345678.12^ISO", ""),
        ("CR-2021-000042^^1.2.250.1.925.994044785528.30^ISO", ""),
        ("105234751^^1.2.250.1.925.994044785528.27^ISO", ""),
        ("ZDS|1.2.250.1.925.994044.27.123.1876360", "ZDS|"),
    )
    assert await house.take(nameless) == "AE"
    assert "ORDER-NUMBER-MISSING" in house.codes()
    assert house.queries.orders(site="default", status="", cursor=0, limit=10) == []


@pytest.mark.req("REQ-64")
async def test_an_order_as_a_document_is_joined_like_any_other_and_never_leaves(house: House) -> None:
    same = replace(ORDER, placer=Identifier(value="984375862", system="1.2.250.1.748.12345678.12"))
    assert await house.take(order_document(same)) == "AA"
    assert house.deliveries() == {}
    (row,) = house.queries.orders(site="default", status="", cursor=0, limit=10)
    assert (row["status"], row["placer"]) == ("requested", "984375862^1.2.250.1.748.12345678.12")
    report = fixture("oru_report", *BARE[1:2], ("^Céphalées persistantes", ""))
    assert await house.take(report) == "AA"
    found = house.report()
    assert found.requester is not None
    assert found.requester.id == "801234567897"
    assert "Gonalgie" in found.orders[0].reason
    assert await house.take(order_document(same, event="T04")) == "AA"
    (row,) = house.queries.orders(site="default", status="", cursor=0, limit=10)
    assert row["status"] == "cancelled"


# --- identities


@pytest.mark.req("REQ-12")
async def test_a_report_blocked_for_its_identity_is_released_by_a_qualified_one(house: House) -> None:
    assert await house.take(fixture("oru_unqualified", (INS, ""))) == "AA"
    assert house.deliveries()["dmp"] == ("create", "blocked", "INS-NOT-QUALIFIED")

    assert await house.take(fixture("adt_a08_qualified")) == "AA"
    assert house.last()["state"] == "accepted"
    assert "IDENTITY-RELEASED" in house.codes()
    now = house.deliveries()
    assert now["dmp"] == ("create", "planned", "")
    assert now["mssante-patient"] == ("create", "planned", "")
    report = house.report(2)
    assert report.patient.qualified
    assert report.patient.ins is not None
    assert report.patient.ins.value == "279035121518989"
    assert report.sections == house.report(1).sections
    rows = house.queries.deliveries(state="blocked", destination="", cursor=0, limit=10)
    assert rows == [], "the older version gives way"


async def test_the_same_report_sent_again_after_its_release_changes_nothing(house: House) -> None:
    await house.take(fixture("oru_unqualified", (INS, "")))
    await house.take(fixture("adt_a08_qualified"))
    assert await house.take(fixture("oru_unqualified", (INS, ""))) == "AA"
    assert "CONTENT-UNCHANGED" in house.codes()


async def test_an_identity_that_is_no_better_makes_no_version(house: House) -> None:
    await house.take(fixture("oru_unqualified", (INS, "")))
    await house.take(fixture("adt_a08_qualified", ("|VALI", "|PROV")))
    assert len(house.queries.deliveries(state="", destination="dmp", cursor=0, limit=10)) == 1
    assert house.deliveries()["dmp"][1:] == ("blocked", "INS-NOT-QUALIFIED")


async def test_an_identity_that_changes_the_header_but_frees_nothing_makes_no_version(house: House) -> None:
    await house.take(fixture("oru_unqualified", (INS, ""), ("^^DOMPREMY^^^^BDL^^51215", "")))
    await house.take(fixture("adt_a08_qualified", ("|VALI", "|PROV"), (INS, "")))
    assert len(house.queries.deliveries(state="", destination="folder", cursor=0, limit=10)) == 1


@pytest.mark.req("REQ-16")
@pytest.mark.parametrize("mark", ["DOUT", "FICT"])
async def test_a_doubtful_identity_of_the_feed_is_provisional_for_every_report(
    house: House, mark: str
) -> None:
    await house.take(fixture("adt_a08_qualified", ("|VALI", f"|VALI~{mark}")))
    await house.take(fixture("oru_report"))
    assert house.report().patient.identity_status == "provisoire"
    assert house.deliveries()["dmp"][1:] == ("blocked", "INS-NOT-QUALIFIED")


async def test_an_identity_known_before_the_report_is_used_at_once(house: House) -> None:
    await house.take(fixture("adt_a08_qualified"))
    await house.take(fixture("oru_unqualified", (INS, "")))
    assert house.deliveries()["dmp"] == ("create", "planned", "")


async def test_a_number_shared_by_two_persons_stops_all_but_the_folder(house: House) -> None:
    await house.take(fixture("adt_a08_qualified", ("19790328", "19610101"), ("PAT-TROIS", "PAT-UN")))
    assert await house.take(fixture("oru_unqualified", (INS, ""))) == "AA"
    assert "IDENTITY-CONFLICT" in house.codes()
    assert {destination: row[1] for destination, row in house.deliveries().items()} == {
        "folder": "planned",
        "dmp": "blocked",
        "mssante-ps": "blocked",
        "mssante-patient": "blocked",
    }
    assert not house.report().patient.qualified, "nothing of another person is taken"


async def test_a_conflict_that_the_feed_corrects_is_released(house: House) -> None:
    await house.take(fixture("adt_a08_qualified", ("19790328", "19610101"), (INS, "")))
    await house.take(fixture("oru_report"))
    assert house.deliveries()["mssante-ps"][1:] == ("blocked", "IDENTITY-CONFLICT")
    await house.take(fixture("adt_a08_qualified"))
    assert {row[1] for row in house.deliveries().values()} == {"planned"}


@pytest.mark.req("REQ-17")
async def test_a_report_under_a_merged_number_goes_out_under_the_survivor(house: House) -> None:
    assert await house.take(fixture("adt_a40_merge")) == "AA"
    await house.take(fixture("oru_unqualified", (INS, "")))
    patient = house.report().patient
    assert [one.value for one in patient.identifiers] == ["000007"]
    assert patient.qualified
    assert house.deliveries()["dmp"] == ("create", "planned", "")


@pytest.mark.req("REQ-17")
async def test_a_merge_releases_what_waited_under_the_old_number(house: House) -> None:
    await house.take(fixture("oru_unqualified", (INS, "")))
    await house.take(fixture("adt_a40_merge"))
    assert [one.value for one in house.report(2).patient.identifiers] == ["000007"]
    assert house.deliveries()["dmp"] == ("create", "planned", "")


async def test_what_waits_under_a_merged_number_is_released_through_the_survivor(house: House) -> None:
    await house.take(fixture("oru_unqualified", (INS, "")))
    await house.take(fixture("adt_a40_merge", ("|VALI", "|PROV"), (INS, "")))
    assert house.deliveries()["dmp"][1] == "blocked"
    await house.take(fixture("adt_a08_qualified", ("000003^", "000007^")))
    assert house.deliveries()["dmp"] == ("create", "planned", "")
    assert [one.value for one in house.report(2).patient.identifiers] == ["000007"]


async def test_a_link_can_be_taken_back(house: House) -> None:
    link = fixture("adt_a24_link")
    await house.take(link)
    await house.take(link.replace("A24", "A37"))
    await house.take(fixture("oru_unqualified", (INS, "")))
    assert [one.value for one in house.report().patient.identifiers] == ["000003"]
    assert house.deliveries()["dmp"][1] == "blocked"


async def test_an_opposed_patient_gets_nothing_into_the_dmp_until_he_agrees(house: House) -> None:
    await house.take(fixture("adt_a31_opposed"))
    assert await house.take(fixture("oru_report")) == "AA"
    assert "DMP-OPPOSED" in house.codes()
    assert house.deliveries()["dmp"][1:] == ("blocked", "DMP-OPPOSED")
    assert house.deliveries()["mssante-ps"][1] == "planned"
    await house.take(fixture("adt_a31_opposed", ("|IO|", "|INO|")))
    assert house.deliveries()["dmp"] == ("create", "planned", "")
    assert len(house.queries.deliveries(state="", destination="dmp", cursor=0, limit=10)) == 1, (
        "the document is the same: no new version"
    )


async def test_an_opposition_that_comes_before_the_sending_stops_it(house: House) -> None:
    await house.take(fixture("oru_report"))
    assert house.deliveries()["dmp"][1] == "planned"
    await house.take(fixture("adt_a31_opposed"))
    assert house.deliveries()["dmp"][1:] == ("blocked", "DMP-OPPOSED")
    assert house.deliveries()["mssante-patient"][1] == "planned"


@pytest.mark.parametrize("outcome", [OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT])
async def test_what_was_in_hand_when_the_patient_opposed_is_not_tried_again(
    house: House, outcome: OutcomeKind
) -> None:
    await house.take(fixture("oru_report"))
    tasks = await produced(house)
    await house.take(fixture("adt_a31_opposed"))
    assert house.deliveries()["dmp"][1:] == ("pending", "DMP-OPPOSED"), "it is being sent: it may arrive"
    await settle(house, tasks, outcome, Destination.DMP)
    assert house.deliveries()["dmp"][1:] == ("blocked", "DMP-OPPOSED")
    await house.take(fixture("adt_a31_opposed", ("|IO|", "|INO|"), ("20210108120000", "20210109120000")))
    assert house.deliveries()["dmp"][1:] == ("pending", "")


async def test_an_opposition_counts_under_whatever_number_it_was_told(house: House) -> None:
    """The report names the number of the survivor, the opposition the one that was merged into it; both the
    matricule."""
    await house.take(fixture("adt_a40_merge"))
    await house.take(fixture("oru_report"))
    assert house.deliveries()["dmp"][1:] == ("planned", "")
    later = ("20210108120000", "20210109120000")
    await house.take(fixture("adt_a31_opposed", later))
    assert house.deliveries()["dmp"][1:] == ("blocked", "DMP-OPPOSED")
    await house.take(fixture("adt_a31_opposed", ("|IO|", "|INO|"), ("20210108120000", "20210110120000")))
    assert house.deliveries()["dmp"][1:] == ("planned", "")


async def test_what_arrived_while_the_patient_opposed_stands_as_delivered(house: House) -> None:
    await house.take(fixture("oru_report"))
    tasks = await produced(house)
    await house.take(fixture("adt_a31_opposed"))
    await settle(house, tasks, OutcomeKind.DELIVERED, Destination.DMP)
    assert house.deliveries()["dmp"][1:] == ("delivered", "")


async def test_what_was_in_hand_and_lost_is_handed_out_to_be_stopped(house: House) -> None:
    """Its worker died: nobody may send it, and whoever gets it next says so."""
    await house.take(fixture("oru_report"))
    await house.store.surrender(await opposed_meanwhile(house))
    assert await stopped(house) == "DMP-OPPOSED"


async def test_an_attempt_without_answer_stays_stopped_whoever_tries_again(house: House) -> None:
    await house.take(fixture("oru_report"))
    tasks = await opposed_meanwhile(house)
    await settle(house, tasks, OutcomeKind.AMBIGUOUS, Destination.DMP, at=house.clock.now())
    await house.store.surrender(tuple(one for one in tasks if one.destination is not Destination.DMP))
    (row,) = house.queries.deliveries(destination="dmp")
    assert (row["state"], row["reason"]) == ("ambiguous", "DMP-OPPOSED")
    await house.store.retry(row["id"])
    assert await stopped(house) == "DMP-OPPOSED"


async def test_a_failed_delivery_waits_for_a_patient_who_opposes(house: House) -> None:
    """Else the next retry by hand would send it."""
    await house.take(fixture("oru_report"))
    await settle(house, await produced(house), OutcomeKind.PERMANENT, Destination.DMP)
    await house.take(fixture("adt_a31_opposed"))
    assert house.deliveries()["dmp"][1:] == ("blocked", "DMP-OPPOSED")


async def opposed_meanwhile(house: House) -> tuple[Task, ...]:
    """What is in hand while the feed tells that the patient is opposed."""
    tasks = await produced(house)
    await house.take(fixture("adt_a31_opposed"))
    return tasks


async def stopped(house: House) -> str:
    """Why the delivery to the DMP that is handed out next may not leave."""
    (task,) = [one for one in await house.store.claim(50) if one.destination is Destination.DMP]
    return house.reader().job(task.id, task.attempt).forbidden


@pytest.mark.req("REQ-14")
async def test_an_identity_of_the_other_environment_is_refused_and_not_kept(house: House) -> None:
    real = fixture("adt_a08_qualified", ("1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.8"))
    assert await house.take(real) == "AE"
    assert "INS-ENV" in house.codes()
    assert house.queries.identities(site="default", cursor="", limit=10) == []


async def test_the_identity_as_it_is_known_can_be_asked_for(house: House) -> None:
    await house.take(fixture("adt_a40_merge"))
    rows = {row["key"]: row for row in house.queries.identities(site="default", cursor="", limit=10)}
    assert set(rows) == {
        f"000007^{RIS}",
        f"000003^{RIS}",
        "279035121518989^1.2.250.1.213.1.4.10",
    }
    assert rows[f"000007^{RIS}"]["status"] == "qualifiee"
    assert rows[f"000003^{RIS}"]["merged_into"] == f"000007^{RIS}"


async def test_events_that_name_nobody_are_refused(house: House) -> None:
    assert await house.take(fixture("adt_a08_qualified", (INS, ""), (IPP, ""))) == "AE"
    assert "IDENTITY-KEY-MISSING" in house.codes()
    assert await house.take(fixture("adt_a40_merge", ("MRG|", "ZRG|"))) == "AE"
    assert "IDENTITY-PRIOR-MISSING" in house.codes()
    assert await house.take(fixture("adt_a08_qualified", ("A08", "A60"))) == "AE"
    assert "HL7-EVENT-UNSUPPORTED" in house.codes()


# --- order of arrival, and feeds of another environment


@pytest.mark.req("REQ-17")
async def test_an_older_event_behind_a_newer_one_is_kept_and_changes_nothing(house: House) -> None:
    await house.take(fixture("adt_a08_qualified"))
    older = fixture("adt_a08_qualified", ("|VALI", "|PROV"), ("EVN||20210108120000", "EVN||20210108115959"))
    assert await house.take(older) == "AA"
    assert "IDENTITY-LATE" in house.codes()
    rows = house.queries.identities(site="default", limit=10)
    assert {row["status"] for row in rows} == {"qualifiee"}


@pytest.mark.req("REQ-14")
@pytest.mark.parametrize("name", ["adt_a08_qualified", "orm_zds"])
@pytest.mark.parametrize("said", ["T", "D"])
async def test_a_production_gateway_takes_no_feed_of_a_test(house: House, name: str, said: str) -> None:
    """A test must not qualify, merge or complete a real patient; official ADT samples say D."""
    production = Intake(house.store, house.profiles, house.clock, environment="production", enabled=ALL)
    message = with_field("MSH", 11, said, fixture(name)).encode()
    answer = read_ack(await production.take_hl7v2(message, peer="127.0.0.1:1"))
    assert answer.code == "AE"
    assert "HL7-PROCESSING-ID" in house.codes()
