"""PS_IdNat and Struct_IdNat: type digits made, forms checked (spec dmp-mss.md §1.2; REQ-19, REQ-20)."""

import pytest

from gateway.model.findings import Severity
from gateway.rules.professional import check_professional, check_structure, ps_idnat, struct_idnat


@pytest.mark.req("REQ-19")
@pytest.mark.parametrize(
    ("value", "kind", "made"),
    [
        ("01234560801", "RPPS", "801234560801"),
        ("01234560801", "", "801234560801"),
        ("01234560801", "IDNPS", "801234560801"),
        ("801234560801", "IDNPS", "801234560801"),
        ("801234560801", "", "801234560801"),
        ("801234560801 ", "RPPS", "801234560801"),
        ("921234567", "ADELI", "0921234567"),
        ("2A1234567", "ADELI", "02A1234567"),
        ("3750100125/1453", "IDNPS", "3750100125/1453"),
        ("12345", "", "12345"),
        ("", "", ""),
    ],
)
def test_ps_idnat(value: str, kind: str, made: str) -> None:
    assert ps_idnat(value, kind) == made


@pytest.mark.req("REQ-20")
@pytest.mark.parametrize(
    ("value", "kind", "made"),
    [
        ("920008059", "FINEG", "1920008059"),
        ("920008059", "FINEJ", "1920008059"),
        ("920008059", "", "1920008059"),
        ("2A0000014", "FINEG", "12A0000014"),
        ("1920008059", "IDNST", "1920008059"),
        ("1920008059", "FINEG", "1920008059"),
        ("1920008059", "", "1920008059"),
        ("300017985                  ", "FINEG", "1300017985"),  # trailing blanks of official messages
        ("12345678901234", "SIRET", "312345678901234"),
        ("12345678901234", "", "312345678901234"),
        ("312345678901234", "IDNST", "312345678901234"),
        ("123456789", "SIREN", "2123456789"),
        ("1012345678911", "RPPSRG", "41012345678911"),
        ("1012345678911", "INTRN", "41012345678911"),
        ("41012345678911", "IDNST", "41012345678911"),  # 14 characters, yet no SIRET: the type says so
        ("X1", "", "X1"),
    ],
)
def test_struct_idnat(value: str, kind: str, made: str) -> None:
    assert struct_idnat(value, kind) == made


@pytest.mark.req("REQ-19")
@pytest.mark.parametrize(
    ("value", "code", "severity"),
    [
        ("", "RPPS-MISSING", Severity.ERROR),
        ("8012345608", "RPPS-FORM", Severity.ERROR),
        ("80123456080A", "RPPS-FORM", Severity.ERROR),
        ("901234560801", "RPPS-FORM", Severity.ERROR),
        ("3750100125/1453", "RPPS-FORM", Severity.WARNING),  # a PS_IdNat, of a person without RPPS
        ("0921234567", "RPPS-FORM", Severity.WARNING),
    ],
)
def test_a_professional_needs_a_national_number(value: str, code: str, severity: Severity) -> None:
    (found,) = check_professional(value, "OBR-32.1")
    assert (found.code, found.severity, found.location) == (code, severity, "OBR-32.1")


def test_an_rpps_is_fine() -> None:
    assert check_professional("801234560801", "") == ()


@pytest.mark.req("REQ-20")
@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ("1920008059", []),
        ("312345678901234", []),
        ("41012345678911", []),
        ("2123456789", []),
        ("920008059", ["STRUCTURE-ID-FORM"]),
        ("", ["STRUCTURE-MISSING"]),
    ],
)
def test_a_structure_needs_a_typed_number(value: str, codes: list[str]) -> None:
    assert [one.code for one in check_structure(value, "performer.id")] == codes
