"""What a validated report may not lack, one change a case (REQ-19, REQ-26)."""

from datetime import datetime

import pytest

from gateway.model.base import replace
from gateway.model.findings import Severity
from gateway.model.people import Organization, Patient, Practitioner
from gateway.model.report import Section, SectionKind
from gateway.model.submission import Mapped, Provenance, Trace
from gateway.rules import completeness
from gateway.rules.places import locate
from tests.reports import BIDEAULT, CONTEXT, PATIENT, REPORT


def lacks(**changes: object) -> list[tuple[str, str]]:
    found = completeness.check(Mapped(report=replace(REPORT, **changes), context=CONTEXT))
    return [(one.code, one.location) for one in found]


def test_a_complete_report_lacks_nothing() -> None:
    assert lacks() == []


@pytest.mark.req("REQ-26")
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"validated_at": None}, ("VALIDATION-TIME-MISSING", "validated_at")),
        ({"validated_at": datetime(2021, 1, 8, 11, 17)}, ("VALIDATION-TIME-MISSING", "validated_at")),  # noqa: DTZ001  # the fault under test
        ({"legal_authenticator": None}, ("RPPS-MISSING", "legal_authenticator")),
        ({"legal_authenticator": replace(BIDEAULT, id="")}, ("RPPS-MISSING", "legal_authenticator.id")),
        ({"legal_authenticator": replace(BIDEAULT, id="80123")}, ("RPPS-FORM", "legal_authenticator.id")),
        ({"requester": None}, ("REQUESTER-MISSING", "requester")),
        ({"requester": Practitioner(given="Alain")}, ("REQUESTER-MISSING", "requester")),
        ({"performer": None, "custodian": None}, ("STRUCTURE-MISSING", "performer")),
        ({"performer": Organization(id="920008059")}, ("STRUCTURE-ID-FORM", "performer.id")),
        ({"patient": Patient()}, ("PATIENT-MISSING", "patient.birth_family")),
        ({"patient": replace(PATIENT, ins=None, identifiers=())}, ("PATIENT-MISSING", "patient.identifiers")),
        ({"sections": ()}, ("REPORT-EMPTY", "sections")),
        ({"sections": (Section(kind=SectionKind.CONCLUSION, text=" \n"),)}, ("REPORT-EMPTY", "sections")),
    ],
)
def test_each_lack_is_named(changes: dict[str, object], found: tuple[str, str]) -> None:
    assert lacks(**changes) == [found]


def test_every_lack_is_told_at_once() -> None:
    found = lacks(validated_at=None, legal_authenticator=None, requester=None, sections=())
    assert [code for code, _ in found] == [
        "VALIDATION-TIME-MISSING",
        "RPPS-MISSING",
        "REQUESTER-MISSING",
        "REPORT-EMPTY",
    ]


def test_a_requester_without_number_but_with_a_name_will_do() -> None:
    assert lacks(requester=Practitioner(family="DUPONT")) == []


@pytest.mark.req("REQ-33")
def test_a_received_cda_may_name_no_requester_and_needs_no_text_of_ours() -> None:
    context = replace(CONTEXT, received_document="ab" * 32)
    found = completeness.check(Mapped(report=replace(REPORT, requester=None, sections=()), context=context))
    assert [(one.code, one.severity) for one in found] == [("REQUESTER-MISSING", Severity.WARNING)]


def test_a_finding_points_into_the_message_where_provenance_knows_it() -> None:
    provenance = (Provenance(path="legal_authenticator", source="OBR-32"),)
    report = replace(REPORT, legal_authenticator=replace(BIDEAULT, id=""))
    (found,) = completeness.check(Mapped(report=report, context=CONTEXT, trace=Trace(provenance=provenance)))
    assert found.location == "OBR-32"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("patient.ins", "PID-3[1].1"),
        ("patient", "PID-3[1].1"),  # a value inside it
        ("requester.id", "OBR-16"),  # what it is a part of
        ("performer", "performer"),  # a profile constant has no place in the message
        ("custodian", "custodian"),
    ],
)
def test_locate(path: str, place: str) -> None:
    provenance = (
        Provenance(path="patient.ins", source="PID-3[1].1"),
        Provenance(path="requester", source="OBR-16"),
        Provenance(path="performer", rule="default.toml:structure"),
    )
    assert locate(provenance, path) == place
