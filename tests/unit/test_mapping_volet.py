"""Volet Transmission, odd senders: ORC-1 SC, two CDAs, identities that disagree, MSH-11."""

from base64 import b64encode

import pytest

from gateway.hl7v2 import read
from gateway.mapping import hl7
from gateway.model.findings import Severity, errors
from gateway.model.submission import Action, Mapped
from tests.rule_cases import codes as decided_codes
from tests.rule_cases import decided
from tests.rule_cases import message as a_report
from tests.unit.mapping_messages import changed, mapped, places, profile, with_field
from tests.unit.test_mapping_cda_message import DOCUMENT, MDM, ROOT, edited, replacement

ORU = with_field("MSH", 9, "ORU^R01^ORU_R01", MDM)


def every(message: str) -> tuple[Mapped, ...]:
    return hl7.reports(read(message.encode()), profile())


# --- ORC-1 that names no action (official samples of V1.2 and V2.0)


@pytest.mark.req("REQ-32")
@pytest.mark.parametrize("control", ["SC", "RE"])
@pytest.mark.parametrize(
    ("message", "action"), [(MDM, Action.CREATE), (ORU, Action.CREATE), (replacement(), Action.REPLACE)]
)
def test_an_order_control_without_action_is_a_warning_where_the_rest_is_clear(
    message: str, action: Action, control: str
) -> None:
    made = mapped(with_field("ORC", 1, control, message))
    assert made.report is not None
    assert made.context.action is action
    (found,) = [one for one in made.findings if one.code == "HL7-ACTION-MISMATCH"]
    assert (found.severity, found.detail) == (Severity.WARNING, f"ORC-1 {control} names no action")


# --- N1 and N3 in one ORU (§1.1)


def two(second: bytes) -> str:
    """An ORU with two CDAs: the second one behind the participations of the first."""
    line = next(one for one in ORU.split("\r") if "^XML^Base64^" in one)
    other = line.replace(b64encode(DOCUMENT).decode(), b64encode(second).decode())
    return changed((line, f"{line}\r{other}"), message=ORU)


N3 = DOCUMENT.replace(f"{ROOT}.50.46.1".encode(), f"{ROOT}.50.47.1".encode()).replace(
    f"{ROOT}.51.46".encode(), f"{ROOT}.51.47".encode()
)


@pytest.mark.req("REQ-33")
def test_two_documents_with_a_set_each_are_two_reports_that_both_leave() -> None:
    first, second = every(two(N3))
    assert errors((*first.findings, *second.findings)) == ()
    assert [one.blobs[0].data for one in (first, second)] == [DOCUMENT, N3]
    assert first.report is not None and second.report is not None
    assert (first.report.report_set.value, second.report.report_set.value) == (
        f"{ROOT}.51.46",
        f"{ROOT}.51.47",
    )
    assert [len(one.report.attachments) for one in (first, second) if one.report] == [1, 1]
    assert first.context.recipients == second.context.recipients != ()
    assert first.context.flags == second.context.flags
    assert decided(first).verdict == decided(second).verdict == "accept"


@pytest.mark.req("REQ-33")
def test_two_documents_of_one_set_are_refused_with_the_reason() -> None:
    same_set = DOCUMENT.replace(f"{ROOT}.50.46.1".encode(), f"{ROOT}.50.47.1".encode())
    made = every(two(same_set))
    assert [one.code for one in errors(made[0].findings)] == ["CDA-SEVERAL"]


def test_one_document_twice_is_one_report() -> None:
    assert len(every(two(DOCUMENT))) == 1


def test_one_broken_document_of_two_refuses_the_message() -> None:
    made = every(two(DOCUMENT[:1000]))
    assert len(made) == 1
    assert {one.code for one in errors(made[0].findings)} == {"CDA-INVALID"}


def test_an_unreadable_document_does_not_hide_that_the_action_disagrees_too() -> None:
    document = b64encode(DOCUMENT).decode()
    made = mapped(
        changed((document, b64encode(b"Bonjour").decode()), message=with_field("ORC", 1, "CA", MDM))
    )
    assert {one.code for one in errors(made.findings)} == {"CDA-INVALID", "HL7-ACTION-MISMATCH"}


# --- PID and CDA


@pytest.mark.req("REQ-32")
def test_another_ins_than_that_of_the_document_is_refused() -> None:
    made = mapped(changed(("PID|1||279035121518989^", "PID|1||279035121518988^"), message=MDM))
    assert [(one.code, one.location) for one in errors(made.findings)] == [("CDA-MISMATCH", "PID-3.1")]


@pytest.mark.req("REQ-32")
@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        (5, "PAT-QUATRE^DOMINIQUE^^^^^L", "PID-5.1"),
        (7, "19790329", "PID-7"),
        (8, "M", "PID-8"),
    ],
)
def test_one_trait_that_differs_is_a_warning(field: int, value: str, place: str) -> None:
    made = mapped(with_field("PID", field, value, MDM))
    assert ("CDA-MISMATCH", place) in places(made)
    assert errors(made.findings) == ()


@pytest.mark.req("REQ-32")
def test_two_traits_that_differ_are_another_person() -> None:
    made = mapped(with_field("PID", 7, "19540101", with_field("PID", 5, "MARTIN^CLAIRE^^^^^L", MDM)))
    assert {one.code for one in errors(made.findings)} == {"CDA-MISMATCH"}


@pytest.mark.parametrize(
    ("field", "value"), [(5, "Pat Trois^DOMINIQUE^^^^^L"), (7, "1979"), (7, "197903280000"), (8, "")]
)
def test_other_spellings_of_one_identity_agree(field: int, value: str) -> None:
    assert "CDA-MISMATCH" not in {one.code for one in mapped(with_field("PID", field, value, MDM)).findings}


def test_a_document_of_a_replaced_id_that_the_message_denies() -> None:
    related = (
        '<relatedDocument typeCode="RPLC"><parentDocument>'
        f'<id root="{ROOT}.50.46.0"/></parentDocument></relatedDocument><componentOf>'
    )
    message = with_field("TXA", 13, f"{ROOT}.50.46.9", replacement(edited("<componentOf>", related)))
    assert ("CDA-MISMATCH", "TXA-13") in places(mapped(message))


# --- volets and environments


@pytest.mark.parametrize(
    ("volet", "detail"),
    [
        ("1.1^CISIS_CDA_HL7_LPS", "profile CISIS_CDA_HL7_LPS"),
        ("1.0^CISIS_TLR_HL7_V2", "profile CISIS_TLR_HL7_V2"),
    ],
)
def test_the_refusal_of_another_volet_says_which_and_what_to_send(volet: str, detail: str) -> None:
    (found,) = errors(mapped(with_field("MSH", 21, volet, MDM)).findings)
    assert (found.code, found.location, found.detail) == ("HL7-VOLET-UNSERVED", "MSH-21", detail)
    assert "2.1^CISIS_CDA_HL7_V2" in found.remedy


@pytest.mark.req("REQ-14")
@pytest.mark.parametrize(
    ("environment", "processing", "refused"),
    [
        ("production", "P", False),
        ("production", "", False),
        ("production", "T", True),
        ("production", "D", True),
        ("test", "P", False),
        ("test", "T", False),
        ("test", "D", False),
        ("test", "X", True),
    ],
)
def test_the_processing_id_fits_the_environment(environment: str, processing: str, refused: bool) -> None:
    from gateway.rules import processing as rule

    made = mapped(with_field("MSH", 11, processing))
    found = rule.check(made.context.processing_id, environment)
    assert [one.location for one in found] == (["MSH-11"] if refused else [])


def test_the_processing_id_is_part_of_the_decision() -> None:
    assert "HL7-PROCESSING-ID" in decided_codes(decided(mapped(with_field("MSH", 11, "X"))))
    assert "HL7-PROCESSING-ID" not in decided_codes(decided(a_report()))
