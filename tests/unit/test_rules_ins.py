"""The matricule: form, key, Corsica, and the root that its environment takes (REQ-13, REQ-14)."""

import pytest

from gateway.model.terms import Identifier
from gateway.rules import ins

TEST_ROOT = "1.2.250.1.213.1.4.10"


def codes(value: str, system: str = TEST_ROOT, environment: str = "test") -> list[str]:
    return [one.code for one in ins.check(Identifier(value=value, system=system), environment)]


@pytest.mark.req("REQ-13")
@pytest.mark.parametrize(
    ("nir13", "key"),
    [
        ("2790351215189", 89),  # spec requirements.md REQ-13
        ("1550299999999", 97 - 1550299999999 % 97),
        ("2A", None),
    ],
)
def test_the_key_is_97_minus_the_number_modulo_97(nir13: str, key: int | None) -> None:
    if key is None:
        with pytest.raises(ValueError, match="13 characters"):
            ins.key(nir13)
    else:
        assert ins.key(nir13) == key


@pytest.mark.req("REQ-13")
@pytest.mark.parametrize(("department", "digits"), [("2A", "19"), ("2B", "18")])
def test_corsica_counts_as_digits_in_the_key(department: str, digits: str) -> None:
    matricule = f"18503{department}004012"
    assert ins.key(matricule) == ins.key(f"18503{digits}004012")
    assert codes(f"{matricule}{ins.key(matricule):02d}") == []


@pytest.mark.req("REQ-13")
@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("279035121518988", "15 characters, key does not fit"),
        ("27903512151898", "14 characters"),
        ("2790351215189890", "16 characters"),
        ("27903512151898X", "characters other than digits"),
        ("2790X2A215189890"[:15], "characters other than digits"),
        ("", "0 characters"),
    ],
)
def test_a_wrong_matricule_is_ins_key_and_never_quoted(value: str, detail: str) -> None:
    (found,) = ins.check(Identifier(value=value, system=TEST_ROOT), "test", "PID-3[1].1")
    assert (found.code, found.detail, found.location) == ("INS-KEY", detail, "PID-3[1].1")
    assert not value or value not in str(found)


@pytest.mark.req("REQ-14")
@pytest.mark.parametrize(
    ("root", "environment", "taken"),
    [
        (".8", "test", False),
        (".9", "test", False),
        (".10", "test", True),
        (".11", "test", True),
        (".8", "production", True),
        (".9", "production", True),
        (".10", "production", False),
        (".11", "production", False),
    ],
)
def test_each_environment_takes_its_own_roots(root: str, environment: str, taken: bool) -> None:
    found = codes("279035121518989", f"1.2.250.1.213.1.4{root}", environment)
    assert found == ([] if taken else ["INS-ENV"])


@pytest.mark.parametrize("system", ["", "1.2.250.1.213.1.4.5", "1.2.250.1.213.1.4.2", "http://ameli.fr/nir"])
def test_an_unknown_root_is_ins_system(system: str) -> None:
    assert codes("279035121518989", system) == ["INS-SYSTEM"]


def test_root_and_key_are_told_together() -> None:
    assert codes("279035121518900", "1.2.250.1.213.1.4.8") == ["INS-ENV", "INS-KEY"]
