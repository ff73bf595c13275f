"""The canonical exam (tests/fixtures/EXAM.md) as an ORU: every value, its origin, its coverage."""

from datetime import datetime

import pytest

from gateway.hl7v2 import read
from gateway.mapping import hl7
from gateway.model.base import decode, encode
from gateway.model.people import IdentityStatus, Sex
from gateway.model.report import ImagingReport
from gateway.model.terms import CCAM, Address, Identifier, Telecom
from tests.support import FIXTURES
from tests.unit.mapping_messages import (
    ORU,
    mapped,
    profile,
    report,
    with_field,
)

ROOT = "1.2.250.1.925.994044785528"


def fixture(name: str) -> str:
    return (FIXTURES / "hl7v2" / f"{name}.er7").read_bytes().decode("utf-8")


@pytest.mark.req("REQ-10")
def test_the_canonical_exam_is_read_without_a_remark() -> None:
    made = mapped(ORU)
    assert made.findings == ()
    assert made.report is not None
    assert decode(encode(made.report), ImagingReport) == made.report


@pytest.mark.req("REQ-15")
def test_the_patient_with_ins_five_traits_and_contacts() -> None:
    patient = report(ORU).patient
    assert patient.ins == Identifier(value="279035121518989", system="1.2.250.1.213.1.4.10")
    assert patient.identifiers == (Identifier(value="000003", system=f"{ROOT}.1"),)
    assert (patient.birth_family, patient.birth_given, patient.birth_given_names) == (
        "PAT-TROIS",
        "DOMINIQUE",
        "DOMINIQUE MARIE-LOUISE",
    )
    assert (patient.birth_date, patient.sex) == ("1979-03-28", Sex.FEMALE)
    assert (patient.birth_place_code, patient.birth_place_name) == ("51215", "DOMPREMY")
    assert patient.identity_status is IdentityStatus.QUALIFIEE
    assert patient.address == Address(
        lines=("28 Avenue de Breteuil",), postal_code="75007", city="PARIS", country="FRA", use="H"
    )
    assert patient.telecoms == (
        Telecom(value="tel:0144534551", use="H"),
        Telecom(value="tel:0647151010", use="MC"),
        Telecom(value="mailto:279035121518989@patient.mssante.fr"),
    )


@pytest.mark.req("REQ-19", "REQ-26")
def test_validator_requester_and_structure() -> None:
    made = report(ORU)
    validator = made.legal_authenticator
    assert validator is not None and made.requester is not None and made.performer is not None
    assert (validator.id, validator.family, validator.given, validator.suffix) == (
        "801234560801",
        "BIDEAULT",
        "Jacques",
        "DR",
    )
    assert validator.specialty == profile().site.author_specialty
    assert validator.organization == made.performer == made.custodian == profile().site.structure
    assert made.authors == (validator,)
    assert (made.requester.id, made.requester.family, made.requester.organization) == (
        "801234567897",
        "DUPONT",
        None,
    )
    assert made.validated_at == datetime.fromisoformat("2021-01-08T11:17:00+01:00")


@pytest.mark.req("REQ-27")
def test_numbers_act_and_study() -> None:
    made = report(ORU)
    order, act, study = made.orders[0], made.acts[0], made.studies[0]
    assert made.report_set == order.filler == Identifier(value="CR-2021-000042", system=f"{ROOT}.30")
    assert order.placer == Identifier(value="984375862", system="1.2.250.1.748.12345678.12")
    assert order.accession == act.accession == study.accession
    assert order.accession == Identifier(value="105234751", system=f"{ROOT}.27")
    assert act.ccam is not None and act.code is not None
    assert (act.ccam.code, act.ccam.system, act.code.code) == ("ACQH004", CCAM, "24727-0")
    assert [code.code for code in (*act.modalities, *act.regions)] == ["CT", "774007"]
    assert act.study_uid == study.uid == "1.2.250.1.925.994044.27.123.1876360"
    assert act.start == study.started == datetime.fromisoformat("2021-01-08T10:25:00+01:00")


def test_every_value_says_where_it_came_from() -> None:
    trail = {(one.path, one.source or one.rule) for one in mapped(ORU).provenance}
    assert {
        ("patient.ins", "PID-3.1"),
        ("patient.birth_place_code", "PID-11[2].9"),
        ("status", "OBR-25"),
        ("acts[0].ccam", "OBR-4.1"),
        ("acts[0].code", "ccam.csv:ACQH004"),
        ("acts[0].modalities[0]", "OBR-24"),
        ("sections[1].text", "OBX(3)-5"),
        ("sections[1].text", "OBX(4)-5"),
        ("performer", "default.toml:structure"),
    } <= trail


def test_every_populated_field_is_mapped_kept_or_ignored_by_a_named_rule() -> None:
    message = read(with_field("PID", 19, "X").encode())
    coverage = hl7.reports(message, profile())[0].coverage
    seen = [*coverage.mapped, *coverage.kept, *(place for place, _ in coverage.ignored)]
    populated = [segment.location(field) for segment in message.segments for field in segment.populated()]
    assert sorted(seen) == sorted(populated)
    assert "PID-19" in coverage.kept
    assert ("OBX-1", "set-id") in coverage.ignored
