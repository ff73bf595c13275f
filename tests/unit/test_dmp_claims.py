"""Who the gateway says it is in the VIHF of a delivery."""

import pytest

from gateway.dmp import DmpError, claims_for
from gateway.model.base import replace
from gateway.model.people import IdentityStatus, Organization, Practitioner
from gateway.model.site import Software
from gateway.model.submission import Flags
from gateway.model.terms import Code
from gateway.model.version import DeliveryJob
from gateway.security.vihf import AUTOMATE
from tests.reports import VERSION, with_patient
from tests.unit.dmp_jobs import DMP_SITE, SENDER, job, with_context, with_site


def codes(made: DeliveryJob) -> list[tuple[str, str, str]]:
    return [(role.code, role.system, role.display) for role in claims_for(made).roles]


@pytest.mark.req("REQ-44")
def test_without_a_sender_the_automaton_of_the_site_speaks() -> None:
    claims = claims_for(job())
    assert claims.user_id == "1920008059/gateway"
    assert claims.structure_id == "1920008059"
    assert claims.roles == (AUTOMATE,)
    assert claims.subject_name == "Passerelle, 0.1, Centre de radiologie Ambroise"
    assert claims.sector == "SA08^1.2.250.1.71.4.2.4"
    assert claims.mode == "INDIRECTE"
    assert claims.patient == "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert claims.software == DMP_SITE.software
    assert not claims.secret_connection


@pytest.mark.req("REQ-44")
def test_a_sender_who_is_an_author_of_the_report_speaks_with_the_profession_known_there() -> None:
    claims = claims_for(with_context(sender=SENDER))
    assert claims.user_id == "801234560801"
    assert claims.subject_name == "BIDEAULT Jacques"
    assert codes(with_context(sender=SENDER)) == [
        ("10", "1.2.250.1.71.1.2.7", "Médecin"),
        ("SM44", "1.2.250.1.71.4.2.5", "Radio-diagnostic (SM)"),
    ]


def specialist(code: str, display: str) -> DeliveryJob:
    specialty = Code(code=code, system="1.2.250.1.213.1.1.4.5", display=display)
    return with_context(sender=Practitioner(id="801234560899", family="TEST", specialty=specialty))


@pytest.mark.parametrize(
    ("code", "display", "expected"),
    [
        ("G15_98", "Manipulateur ERM", ["98"]),
        ("G15_60/SI01", "Infirmier - Exercice infirmier en pratique avancée", ["60"]),
        ("G15_10/SM74", "Médecin - Radiologie et imagerie médicale (SM)", ["10", "SM74"]),
        ("G15_10", "Médecin", ["AUTOMATE"]),
        ("G15_21/G", "Pharmacien biologiste", ["AUTOMATE"]),
        ("SECRETARIAT_MEDICAL", "Secrétariat médical", ["AUTOMATE"]),
    ],
    ids=[
        "one role",
        "skill only for physicians",
        "physician",
        "physician without skill",
        "pharmacist",
        "no profession of health",
    ],
)
def test_roles_follow_from_the_specialty(code: str, display: str, expected: list[str]) -> None:
    assert [role.code for role in claims_for(specialist(code, display)).roles] == expected


def test_a_sender_of_unknown_profession_answers_for_the_automatic_processing() -> None:
    """Volet Transmission, « Mapping VIHF »: NameID is then who is responsible; the name is the software's."""
    claims = claims_for(with_context(sender=Practitioner(id="801234560899", family="TEST")))
    assert claims.user_id == "801234560899"
    assert claims.roles == (AUTOMATE,)
    assert claims.subject_name.startswith("Passerelle")


@pytest.mark.parametrize("place", ["sender_organization", "sender"])
def test_the_structure_is_that_of_the_sender_when_the_message_names_it(place: str) -> None:
    other = Organization(id="1750100125", name="Autre centre")
    value = other if place == "sender_organization" else replace(SENDER, organization=other)
    assert claims_for(with_context(**{place: value})).structure_id == "1750100125"


def test_the_secret_connection_flag_is_carried() -> None:
    assert claims_for(with_context(flags=Flags(secret_connection=True))).secret_connection
    assert not claims_for(with_context(flags=Flags(secret_connection=False))).secret_connection


def test_the_version_of_the_vihf_comes_from_the_site() -> None:
    assert claims_for(with_site(vihf_version="4.0")).version == "4.0"


@pytest.mark.parametrize(
    ("changes", "code", "location"),
    [
        ({"sector": ""}, "DMP-PROFILE-INCOMPLETE", "site.sector"),
        ({"automaton_id": ""}, "DMP-PROFILE-INCOMPLETE", "site.automaton_id"),
        (
            {"software": Software(name="", version="1", homologation="x")},
            "DMP-PROFILE-INCOMPLETE",
            "site.software.name",
        ),
        (
            {"software": Software(name="a", version="", homologation="x")},
            "DMP-PROFILE-INCOMPLETE",
            "site.software.version",
        ),
        (
            {"software": Software(name="a", version="1")},
            "DMP-PROFILE-INCOMPLETE",
            "site.software.homologation",
        ),
        ({"structure": Organization()}, "STRUCTURE-MISSING", "site.structure.id"),
    ],
)
def test_each_constant_that_the_profile_lacks_is_named(
    changes: dict[str, object], code: str, location: str
) -> None:
    with pytest.raises(DmpError) as refused:
        claims_for(with_site(**changes))
    assert [(found.code, found.location) for found in refused.value.findings] == [(code, location)]


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(DmpError) as refused:
        claims_for(with_site(sector="", software=Software(name="", version="")))
    assert len(refused.value.findings) == 4


@pytest.mark.req("REQ-14")
@pytest.mark.parametrize(
    "status", [status for status in IdentityStatus if status is not IdentityStatus.QUALIFIEE]
)
def test_nothing_is_said_to_the_dmp_of_a_patient_whose_identity_is_not_qualified(
    status: IdentityStatus,
) -> None:
    with pytest.raises(DmpError) as refused:
        claims_for(job(with_patient(identity_status=status)))
    assert [found.code for found in refused.value.findings] == ["DMP-NOT-QUALIFIED"]


def test_a_qualified_identity_without_ins_is_not_believed() -> None:
    with pytest.raises(DmpError) as refused:
        claims_for(job(with_patient(ins=None)))
    assert [found.code for found in refused.value.findings] == ["DMP-NOT-QUALIFIED"]


def test_a_refusal_names_no_identity() -> None:
    with pytest.raises(DmpError) as refused:
        claims_for(job(with_patient(identity_status=IdentityStatus.PROVISOIRE)))
    text = str(refused.value)
    assert "279035121518989" not in text
    assert VERSION.report.patient.birth_family not in text
