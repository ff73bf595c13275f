"""Qualification by code system, INS, traits and flags (fhir.md §2, hl7v2.md §1.5; REQ-11)."""

import pytest

from gateway.model.base import replace
from gateway.model.people import IdentityStatus, Patient
from gateway.rules import identity
from tests.reports import PATIENT

FRC = "https://hl7.fr/ig/fhir/core/CodeSystem/"
V2 = identity.HL7_0445
V2_0445, FIABILITE, RNIV = (
    FRC + "fr-core-v2-0445",
    FRC + "fr-core-cs-fiabilite-identite",
    FRC + "fr-core-cs-identity-status",
)


def status(code: str, system: str, *flags: str, ins: bool = True, traits: bool = True) -> str:
    return identity.status(code=code, system=system, has_ins=ins, traits_complete=traits, flags=flags).value


@pytest.mark.req("REQ-11")
@pytest.mark.parametrize(
    ("system", "code", "with_ins", "without_ins"),
    [
        (V2, "VALI", "qualifiee", "validee"),
        (V2, "QUAL", "qualifiee", "validee"),
        (V2, "PROV", "provisoire", "provisoire"),
        (V2, "RECUP", "recuperee", "provisoire"),
        (V2, "", "provisoire", "provisoire"),
        (V2_0445, "VALI", "qualifiee", "validee"),
        (FIABILITE, "VALI", "qualifiee", "validee"),
        (FIABILITE, "QUAL", "qualifiee", "validee"),
        (RNIV, "VALI", "validee", "validee"),  # here VALI means *not* qualified
        (RNIV, "QUAL", "qualifiee", "validee"),
        (RNIV, "RECUP", "recuperee", "provisoire"),
        (RNIV, "PROV", "provisoire", "provisoire"),
        ("", "VALI", "provisoire", "provisoire"),  # a code proves nothing without its system
        ("http://example.org/own", "QUAL", "provisoire", "provisoire"),
    ],
)
def test_the_code_system_decides_how_a_code_is_read(
    system: str, code: str, with_ins: str, without_ins: str
) -> None:
    assert status(code, system) == with_ins
    assert status(code, system, ins=False) == without_ins


@pytest.mark.req("REQ-16")
@pytest.mark.parametrize("flag", ["DOUT", "FICT"])
@pytest.mark.parametrize(("system", "code"), [(V2, "VALI"), (V2, "QUAL"), (RNIV, "QUAL")])
def test_doubtful_or_fictive_can_only_be_provisoire(flag: str, system: str, code: str) -> None:
    assert status(code, system, flag) == "provisoire"
    assert status(flag, system, code) == "provisoire"


@pytest.mark.parametrize("flag", sorted(identity.CONTESTED))
def test_a_contested_identity_is_not_qualified(flag: str) -> None:
    assert status("VALI", V2, flag) == "validee"


def test_a_homonym_stays_qualified() -> None:
    assert status("VALI", V2, "HOMD") == "qualifiee"


@pytest.mark.req("REQ-11")
@pytest.mark.parametrize(("system", "code"), [(V2, "VALI"), (RNIV, "QUAL")])
def test_without_the_five_traits_nobody_is_qualified(system: str, code: str) -> None:
    assert status(code, system, traits=False) == "validee"


@pytest.mark.req("REQ-15")
@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({}, ()),
        ({"birth_family": ""}, ("birth_family",)),
        ({"birth_given_names": ""}, ()),  # the first one stands for the list
        ({"birth_given_names": "", "birth_given": ""}, ("birth_given_names",)),
        ({"birth_date": ""}, ("birth_date",)),
        ({"sex": None}, ("sex",)),
        ({"birth_place_code": ""}, ("birth_place_code",)),
    ],
)
def test_traits_names_what_is_missing(change: dict[str, object], missing: tuple[str, ...]) -> None:
    assert identity.traits(replace(PATIENT, **change)) == missing


def test_an_empty_patient_lacks_all_five_traits() -> None:
    assert identity.traits(Patient()) == identity.TRAITS
    assert Patient().identity_status is IdentityStatus.PROVISOIRE
