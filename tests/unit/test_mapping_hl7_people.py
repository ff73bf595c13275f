"""Identity and professionals of a classic ORU: PID, OBR-16, OBR-32, ORC-21."""

import pytest

from gateway.model.people import IdentityStatus
from gateway.model.terms import Identifier
from tests.support import FIXTURES
from tests.unit.mapping_messages import (
    changed,
    codes,
    mapped,
    places,
    report,
    with_field,
)

ROOT = "1.2.250.1.925.994044785528"


def fixture(name: str) -> str:
    return (FIXTURES / "hl7v2" / f"{name}.er7").read_bytes().decode("utf-8")


# --- identity


@pytest.mark.req("REQ-11", "REQ-16")
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("VALI", IdentityStatus.QUALIFIEE),
        ("QUAL", IdentityStatus.QUALIFIEE),
        ("PROV", IdentityStatus.PROVISOIRE),
        ("", IdentityStatus.PROVISOIRE),
        ("VALI~DOUT", IdentityStatus.PROVISOIRE),
        ("VALI~FICT", IdentityStatus.PROVISOIRE),
    ],
)
def test_the_identity_status_follows_pid_32_and_its_flags(status: str, expected: IdentityStatus) -> None:
    assert report(with_field("PID", 32, status)).patient.identity_status is expected


@pytest.mark.req("REQ-11")
def test_without_the_birth_place_the_identity_is_not_qualified() -> None:
    patient = report(changed(("~^^DOMPREMY^^^^BDL^^51215", ""))).patient
    assert patient.identity_status is IdentityStatus.VALIDEE


def test_a_matricule_is_known_by_its_root_or_by_its_type() -> None:
    only_root = report(changed(("&1.2.250.1.213.1.4.10&ISO^INS~", "&1.2.250.1.213.1.4.10&ISO^NH~"))).patient
    only_type = report(changed(("ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO", "INSI"))).patient
    assert only_root.ins == Identifier(value="279035121518989", system="1.2.250.1.213.1.4.10")
    assert only_type.ins == Identifier(value="279035121518989", system="")


def test_a_name_without_type_is_the_birth_name_which_is_said() -> None:
    made = mapped(changed(("MARIE-LOUISE^^^^L", "MARIE-LOUISE")))
    assert made.report is not None
    assert made.report.patient.birth_family == "PAT-TROIS"
    assert ("NAME-TYPE-MISSING", "PID-5.1") in places(made)


def test_a_used_name_stands_beside_the_birth_name() -> None:
    patient = report(changed(("MARIE-LOUISE^^^^L", "MARIE-LOUISE^^^^L~MARTIN^LOUISE^^^^^D"))).patient
    assert (patient.birth_family, patient.used_family, patient.used_given) == (
        "PAT-TROIS",
        "MARTIN",
        "LOUISE",
    )


def test_middle_names_elsewhere_than_in_france_are_joined_to_the_first() -> None:
    patient = report(changed(("^DOMINIQUE^DOMINIQUE MARIE-LOUISE^", "^DOMINIQUE^MARIE^"))).patient
    assert patient.birth_given_names == "DOMINIQUE MARIE"


@pytest.mark.parametrize(
    ("value", "date"), [("1979", "1979"), ("19790300", "1979-03"), ("197903281200", "1979-03-28")]
)
def test_a_partial_birth_date_stays_partial(value: str, date: str) -> None:
    assert report(with_field("PID", 7, value)).patient.birth_date == date


def test_a_birth_date_that_is_none_is_left_out_and_said() -> None:
    made = mapped(with_field("PID", 7, "28/03/1979"))
    assert made.report is not None
    assert made.report.patient.birth_date == ""
    assert ("HL7-DATATYPE", "PID-7") in places(made)
    assert "28/03" not in str(made.findings), "no identity in a finding"


# --- professionals


@pytest.mark.req("REQ-19")
@pytest.mark.parametrize(
    "value",
    [
        "801234560801&BIDEAULT&Jacques",
        "01234560801&BIDEAULT&Jacques",
        "01234560801^BIDEAULT ^Jacques^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^L^^^RPPS ",
        "JB7^BIDEAULT^Jacques^^^^^^RIS&1.2.3&ISO^L~01234560801^BIDEAULT^Jacques^^^^^^&1.2.250.1.71.4.2.1&ISO",
    ],
)
def test_the_validator_is_read_as_ndl_or_xcn_with_the_national_number(value: str) -> None:
    validator = report(with_field("OBR", 32, value)).legal_authenticator
    assert validator is not None
    assert (validator.id, validator.family, validator.given) == ("801234560801", "BIDEAULT", "Jacques")


@pytest.mark.parametrize("number", ["JB7", "01234560801"])
def test_a_local_number_is_no_national_identifier(number: str) -> None:
    value = f"{number}^BIDEAULT^Jacques^^^^^^RIS&1.2.3&ISO^L"
    validator = report(with_field("OBR", 32, value)).legal_authenticator
    assert validator is not None
    assert (validator.id, validator.family) == ("", "BIDEAULT")


def test_an_assistant_with_a_national_number_is_a_further_author() -> None:
    message = with_field("OBR", 33, "01234560802&INTERNE&Anne")
    made = report(message)
    assert [author.family for author in made.authors] == ["INTERNE", "BIDEAULT"]
    assert made.legal_authenticator == made.authors[1]


def test_titles_become_codes_and_unknown_ones_are_left_out() -> None:
    made = mapped(
        changed(("DUPONT^Alain^^^DR^", "DUPONT^Alain^^^Colonel^"), ("Jacques&&&DR&", "Jacques&&&Pr.&"))
    )
    assert made.report is not None
    assert made.report.requester is not None and made.report.legal_authenticator is not None
    assert (made.report.requester.prefix, made.report.requester.suffix) == ("", "")
    assert made.report.legal_authenticator.suffix == "PR"
    assert codes(made) == {"CODE-UNKNOWN"}


@pytest.mark.req("REQ-26")
def test_without_validator_or_requester_nobody_is_invented() -> None:
    made = report(with_field("OBR", 32, "", with_field("OBR", 16, "")))
    assert (made.legal_authenticator, made.requester, made.authors) == (None, None, ())


@pytest.mark.req("REQ-20")
@pytest.mark.parametrize(
    ("kind", "number", "expected"),
    [
        ("FINEG", "750000001", "1750000001"),
        ("SIRET", "12345678900017", "312345678900017"),
        ("IDNST", "1750000001", "1750000001"),
    ],
)
def test_the_structure_of_the_message_wins_over_the_profile(kind: str, number: str, expected: str) -> None:
    message = with_field("ORC", 21, f"Imagerie du Nord^^^^^AUT&1.2.250.1.71.4.2.2&ISO^{kind}^^^{number}")
    performer = report(message).performer
    assert performer is not None
    assert (performer.id, performer.name, performer.facility_type) == (expected, "Imagerie du Nord", None)
