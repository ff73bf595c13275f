"""Orders of HL7 v2 → canonical orders: each message type, téléradiologie, statuses, what is refused."""

from pathlib import Path

import pytest

from gateway.hl7v2 import read
from gateway.mapping import sites
from gateway.mapping.hl7_order import is_order, orders
from gateway.mapping.hl7_order_parts import CONTROLS, STATES
from gateway.mapping.sites import Profile
from gateway.model.order import ImagingOrder, MappedOrder, OrderStatus, order_keys
from tests.support import FIXTURES, SAMPLES, needs_samples
from tests.unit.mapping_messages import changed

HL7 = FIXTURES / "hl7v2"
PLACER = "984375862^^1.2.250.1.748.12345678.12^ISO"
FILLER = "CR-2021-000042^^1.2.250.1.925.994044785528.30^ISO"
STUDY = "1.2.250.1.925.994044.27.123.1876360"


def text(name: str, *pairs: tuple[str, str]) -> str:
    return changed(*pairs, message=(HL7 / f"{name}.er7").read_bytes().decode())


def mapped(message: str, profile: Profile | None = None) -> tuple[MappedOrder, ...]:
    return orders(read(message.encode()), profile or sites.load().default)


def order(message: str) -> ImagingOrder:
    (one,) = mapped(message)
    assert one.order is not None, one.findings
    return one.order


def codes(found: tuple[MappedOrder, ...]) -> set[str]:
    return {note.code for one in found for note in one.findings}


def test_an_orm_of_2_3_1_with_its_zds() -> None:
    found = order(text("orm_zds"))
    assert found.status is OrderStatus.SCHEDULED
    assert order_keys(found) == (
        "accession:105234751^1.2.250.1.925.994044785528.27",
        "placer:984375862^1.2.250.1.748.12345678.12",
        "filler:CR-2021-000042^1.2.250.1.925.994044785528.30",
        f"study:{STUDY}",
    )
    assert found.requester is not None
    assert (found.requester.id, found.requester.family) == ("801234567897", "DUPONT")
    assert found.requester.organization is not None
    assert found.requester.organization.id == "1750000001"
    assert [copy.family for copy in found.copies_to] == ["BIDEAULT"]
    assert (found.reason, found.priority) == ("Céphalées persistantes", "R")
    (act,) = found.acts
    assert act.ccam is not None
    assert act.ccam.code == "ACQH004"
    assert [code.code for code in act.modalities] == ["CT"]
    assert act.start is not None
    assert act.start.isoformat() == "2021-01-08T10:25:00+01:00"


def test_an_omg_with_its_timing_segment() -> None:
    found = order(text("omg_o19"))
    assert found.status is OrderStatus.REQUESTED
    assert (found.priority, found.reason) == ("S", "Céphalées persistantes")
    assert found.acts[0].start is not None
    assert found.filler is None
    assert found.accession is None


def test_an_omi_takes_accession_and_study_from_ipc() -> None:
    found = order(text("omi_ipc"))
    assert found.status is OrderStatus.COMPLETED
    assert found.accession is not None
    assert found.accession.value == "105234751"
    assert found.study_uids == (STUDY,)


def test_a_request_of_teleradiology_with_all_that_it_says() -> None:
    found = order(text("tlr_1_request"))
    assert found.placer is not None
    assert found.placer.value == "OPN101"
    assert (found.reason, found.question) == ("Céphalées persistantes", "Recherche d'une lésion")
    assert found.history == "Hypertension\nDiabète"
    assert found.height is not None
    assert found.weight is not None
    assert (found.height.value, found.height.unit, found.weight.value) == ("170", "cm", "68.5")
    assert found.pregnancy is not None
    assert found.pregnancy.code == "60001007"
    (act,) = found.acts
    assert act.laterality is not None
    assert ([one.code for one in act.modalities], [one.code for one in act.regions], act.laterality.code) == (
        ["MR"],
        ["774007"],
        "24028007",
    )
    assert act.local is None, "the step of the dialogue is no act"
    assert "CODE-UNKNOWN" not in codes(mapped(text("tlr_1_request")))


def test_a_cancellation_of_teleradiology_says_why() -> None:
    found = order(text("tlr_2_cancel"))
    assert (found.status, found.cancellation) == (OrderStatus.CANCELLED, "Patient reparti")
    assert found.acts == ()


def test_an_answer_of_teleradiology_is_an_order_and_not_a_report() -> None:
    message = read(text("tlr_3_answer").encode())
    assert is_order(message)
    found = order(text("tlr_3_answer"))
    assert (found.status, found.protocol) == (OrderStatus.ACCEPTED, "Séquences T1, T2 et FLAIR")
    assert found.requester is None
    assert found.performer is not None
    assert found.performer.id == "1920008067"


def test_what_follows_the_exam_names_the_act_and_the_study() -> None:
    found = order(text("tlr_4_done"))
    assert found.status is OrderStatus.COMPLETED
    (act,) = found.acts
    assert act.code is not None
    assert (act.code.code, act.study_uid) == ("24590-2", STUDY)
    assert act.start is not None


def test_a_report_is_no_order() -> None:
    assert not is_order(read((HL7 / "oru_report.er7").read_bytes()))


@pytest.mark.parametrize("control", CONTROLS)
def test_every_order_control_has_its_status(control: str) -> None:
    found = order(text("omg_o19", ("ORC|NW|", f"ORC|{control}|")))
    assert found.status is CONTROLS[control]


@pytest.mark.parametrize("state", STATES)
def test_the_order_status_is_more_precise_than_the_control(state: str) -> None:
    assert order(text("orm_zds", ("||SC||", f"||{state}||"))).status is STATES[state]


def test_a_withdrawal_wins_over_an_older_order_status() -> None:
    assert order(text("orm_zds", ("ORC|NW|", "ORC|CA|"))).status is OrderStatus.CANCELLED


@pytest.mark.parametrize(("control", "code"), [("ZZ", "CODE-UNKNOWN"), ("", "ORDER-CONTROL-MISSING")])
def test_an_odd_order_control_is_said_and_taken_as_a_new_order(control: str, code: str) -> None:
    found = mapped(text("omg_o19", ("ORC|NW|", f"ORC|{control}|")))
    assert code in codes(found)
    assert found[0].order is not None
    assert found[0].order.status is OrderStatus.REQUESTED


def test_groups_of_other_placer_numbers_are_other_orders() -> None:
    message = text("orm_zds")
    group = message[message.index("ORC|") :].replace("984375862", "984375863").replace("000042", "000043")
    two = mapped(message + group)
    assert [one.order.placer.value for one in two if one.order and one.order.placer] == [
        "984375862",
        "984375863",
    ]
    acts = order(message + message[message.index("ORC|") :]).acts
    assert len(acts) == 2, "the same number twice is one order of two acts"


@pytest.mark.parametrize(
    ("pairs", "code", "location"),
    [
        ((("PID|1|", "ZID|1|"),), "HL7-SEGMENT-MISSING", "PID"),
        ((("ORC|", "ZRC|"),), "HL7-SEGMENT-MISSING", "ORC"),
        ((("|CT|", "|LAB|"),), "NOT-IMAGING", "OBR-24"),
        ((("ORM^O01", "ORM^O99"),), "HL7-EVENT-UNSUPPORTED", "MSH-9.2"),
        (
            ((PLACER, ""), (FILLER, ""), ("105234751^^1.2.250.1.925.994044785528.27^ISO", ""), (STUDY, "")),
            "ORDER-NUMBER-MISSING",
            "ORC-2",
        ),
    ],
)
def test_what_is_no_order_is_refused_with_its_place(
    pairs: tuple[tuple[str, str], ...], code: str, location: str
) -> None:
    (found,) = mapped(text("orm_zds", *pairs))
    assert found.order is None
    assert (code, location) in {(note.code, note.location) for note in found.findings}


def test_a_text_that_cannot_be_decoded_is_said_and_not_guessed() -> None:
    (found,) = mapped(text("tlr_3_answer", ("U8OpcXVlbmNlcyBUMSwgVDIgZXQgRkxBSVI=", "U8Op*")))
    assert "ORDER-TEXT-UNREADABLE" in codes((found,))
    assert found.order is not None
    assert found.order.protocol == ""


def test_another_house_reads_its_orders_by_its_own_locators(tmp_path: Path) -> None:
    (tmp_path / "north.toml").write_text(
        '[locators]\n"request.reason" = "ZOR-1|OBR-31.2"\n', encoding="utf-8"
    )
    north = sites.load(tmp_path).named("north")
    message = text("orm_zds").replace("OBR|1|", "ZOR|Vertiges\rOBR|1|")
    (own,), (default,) = mapped(message, north), mapped(message)
    assert own.order is not None
    assert default.order is not None
    assert (own.order.reason, default.order.reason) == ("Vertiges", "Céphalées persistantes")


def test_every_value_leaves_its_place_and_every_field_its_fate() -> None:
    (found,) = mapped(text("omi_ipc"))
    places = {one.path: one.source for one in found.provenance}
    assert places["accession"] == "IPC-1.1"
    assert places["acts[0].study_uid"] == "IPC-3.1"
    assert places["requester"] == "ORC-12"
    assert not any(path.startswith(("orders[", "report_set", "custodian")) for path in places)
    assert "IPC-1" in found.coverage.mapped
    assert "IPC-4" in found.coverage.kept


@needs_samples
@pytest.mark.samples
@pytest.mark.parametrize("flow", ["flux1", "flux2", "flux3", "flux4"])
def test_the_official_examples_of_teleradiology_are_orders(flow: str) -> None:
    folder = SAMPLES / "hl7v2" / "ansforge__interop-ig-hl7v2-teleradiologie"
    data = (folder / f"input__pagecontent__exemples.md.{flow}.hl7").read_bytes()
    (found,) = orders(read(data), sites.load().default)
    assert found.order is not None
    assert found.order.placer is not None
    assert (found.order.placer.value, found.order.placer.system) == ("OPN101", "1.2.250.1.748.12345678.12")
