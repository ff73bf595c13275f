"""ADT and PAM.FR → events of the identity feed."""

from datetime import UTC, datetime

import pytest

from gateway.hl7v2 import read
from gateway.mapping import sites
from gateway.mapping.hl7_adt import EVENTS, identity, is_identity
from gateway.model.decision import Verdict
from gateway.model.identity import FeedAction, IdentityEvent, MappedIdentity
from gateway.model.people import IdentityStatus
from gateway.pipeline.offline import judge
from tests.support import FIXTURES, SAMPLES, needs_samples
from tests.unit.mapping_messages import changed

HL7 = FIXTURES / "hl7v2"
RIS = "1.2.250.1.925.994044785528.1"


def text(name: str, *pairs: tuple[str, str]) -> str:
    return changed(*pairs, message=(HL7 / f"{name}.er7").read_bytes().decode())


def mapped(message: str) -> MappedIdentity:
    read_ = read(message.encode())
    assert is_identity(read_)
    return identity(read_, sites.load().default)


def event(message: str) -> IdentityEvent:
    found = mapped(message)
    assert found.event is not None, found.findings
    return found.event


def test_an_update_carries_the_qualified_identity_with_its_numbers() -> None:
    found = event(text("adt_a08_qualified"))
    assert (found.action, found.marks, found.opposed) == (FeedAction.UPDATE, ("VALI",), False)
    assert found.patient.identity_status is IdentityStatus.QUALIFIEE
    assert found.patient.ins is not None
    assert [(one.value, one.system) for one in found.patient.identifiers] == [("000003", RIS)]
    assert found.prior == ()


@pytest.mark.parametrize("trigger", [name for name, kind in EVENTS.items() if kind is FeedAction.UPDATE])
def test_movements_and_updates_speak_of_the_identity(trigger: str) -> None:
    assert event(text("adt_a08_qualified", ("A08", trigger))).action is FeedAction.UPDATE


@pytest.mark.parametrize(
    ("code", "opposed"), [("IO", True), ("INO", False), ("NA", None), ("", None), ("XX", None)]
)
def test_the_opposition_to_the_dmp(code: str, opposed: bool | None) -> None:
    assert event(text("adt_a31_opposed", ("|IO|", f"|{code}|"))).opposed is opposed


def test_without_zfa_nobody_says_anything_of_an_opposition() -> None:
    assert event(text("adt_a40_merge")).opposed is None


@pytest.mark.parametrize(("trigger", "action"), [("A40", FeedAction.MERGE), ("A47", FeedAction.CHANGE)])
def test_a_merge_names_the_number_that_is_no_more(trigger: str, action: FeedAction) -> None:
    found = event(text("adt_a40_merge", ("A40", trigger)))
    assert found.action is action
    assert [one.value for one in found.patient.identifiers] == ["000007"]
    assert [(one.value, one.system) for one in found.prior] == [("000003", RIS)]


@pytest.mark.parametrize(("trigger", "action"), [("A24", FeedAction.LINK), ("A37", FeedAction.UNLINK)])
def test_a_link_names_the_second_patient(trigger: str, action: FeedAction) -> None:
    found = event(text("adt_a24_link", ("A24", trigger)))
    assert found.action is action
    assert [one.value for one in found.patient.identifiers] == ["000007"]
    assert [one.value for one in found.prior] == ["000003"]


def test_a_number_without_authority_stands_under_that_of_the_site() -> None:
    bare = ("000003^^^RIS-AMBROISE&1.2.250.1.925.994044785528.1&ISO^PI", "000003^^^^PI")
    assert event(text("adt_a08_qualified", bare)).patient.identifiers[0].system == RIS
    assert event(text("adt_a40_merge", bare)).prior[0].system == RIS


@pytest.mark.req("REQ-16")
@pytest.mark.parametrize("mark", ["DOUT", "FICT"])
def test_a_doubtful_identity_is_provisional(mark: str) -> None:
    found = event(text("adt_a08_qualified", ("|VALI", f"|VALI~{mark}")))
    assert found.marks == ("VALI", mark)
    assert found.patient.identity_status is IdentityStatus.PROVISOIRE


@pytest.mark.parametrize(
    ("name", "pairs", "code", "location"),
    [
        ("adt_a08_qualified", (("A08", "A60"),), "HL7-EVENT-UNSUPPORTED", "MSH-9.2"),
        ("adt_a08_qualified", (("PID|", "ZID|"),), "HL7-SEGMENT-MISSING", "PID"),
        ("adt_a40_merge", (("MRG|", "ZRG|"),), "IDENTITY-PRIOR-MISSING", "MRG-1"),
        ("adt_a40_merge", (("000007", "000003"),), "IDENTITY-PRIOR-MISSING", "MRG-1"),
        ("adt_a24_link", (("PID|2|", "ZID|2|"),), "IDENTITY-PRIOR-MISSING", "PID(2)-3"),
    ],
)
def test_what_cannot_be_an_event_is_refused_with_its_place(
    name: str, pairs: tuple[tuple[str, str], ...], code: str, location: str
) -> None:
    found = mapped(text(name, *pairs))
    assert found.event is None
    assert (code, location) in {(note.code, note.location) for note in found.findings}


def test_the_fields_of_pam_fr_that_are_read_are_mapped_and_the_rest_is_kept() -> None:
    covered = mapped(text("adt_a08_qualified")).coverage
    assert {"PID-3", "PID-5", "PID-32", "ZFA-9"} <= set(covered.mapped)
    assert {"ZBE-1", "ZFD-5", "ZFD-6"} <= set(covered.kept)


OFFICIAL = (
    ("NonConsentementConsultation_OppositionAlimentation", True),
    ("ConsentementConsultation_NonOppositionAlimentation", False),
    ("NonRecueillieConsentementConsultation_NonRecueillieOppositionAlimentation", None),
)


@needs_samples
@pytest.mark.samples
@pytest.mark.parametrize(("name", "opposed"), OFFICIAL)
def test_the_official_examples_of_consent(name: str, opposed: bool | None) -> None:
    folder = SAMPLES / "hl7v2" / "ansforge__hl7V2-exemples"
    data = (folder / f"Vague 2__Consentement_DMP_PAMFR__{name}.er7").read_bytes()
    found = identity(read(data), sites.load().default)
    assert found.event is not None
    assert found.event.opposed is opposed
    assert found.event.patient.qualified


@pytest.mark.parametrize("name", ["adt_a08_qualified", "orm_zds", "tlr_3_answer"])
def test_what_the_command_line_shows_is_what_the_intake_would_do(name: str) -> None:
    data = (HL7 / f"{name}.er7").read_bytes()
    now = datetime(2021, 1, 8, 11, 0, tzinfo=UTC)
    (found,) = judge(data, sites.load(), environment="test", now=now)
    assert (found.decision.verdict, found.version) == (Verdict.ACCEPT, None)
    (refused,) = judge(data, sites.load(), environment="production", now=now)
    assert refused.decision.verdict is Verdict.REJECT, "MSH-11 says T"
