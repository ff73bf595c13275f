"""The public samples 01 to 96, each with what the catalogue expects of it (spec fhir.md §8)."""

import re

import pytest

from gateway.fhir import FhirError, read
from gateway.mapping import fhir
from gateway.model.decision import Decision, KnownReport, PlannedDelivery
from gateway.model.delivery import Destination
from gateway.model.report import ReportStatus, SectionKind
from gateway.model.submission import Action, Mapped
from gateway.rules import decide
from tests.fhir_cases import profile
from tests.rule_cases import ALL, codes, rows
from tests.support import SAMPLES, needs_samples

pytestmark = [needs_samples, pytest.mark.samples]


def body(number: str) -> bytes:
    (found,) = (SAMPLES / "fhir").glob(f"{number}_*.json")
    return found.read_bytes()


def mapped(number: str, *changes: tuple[bytes, bytes]) -> Mapped:
    text = body(number)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (made,) = fhir.reports(read(text), profile())
    return made


def decided(
    made: Mapped, known: KnownReport | None = None, sent: tuple[PlannedDelivery, ...] = ()
) -> Decision:
    return decide(
        made,
        known,
        site=profile().site,
        environment="test",
        enabled=ALL,
        content_hash="of this content",
        sent=sent,
    )


SENT = KnownReport(
    report_id="r", status=ReportStatus.FINAL, version=1, content_hash="of 90", document_id="1.2.3"
)


@pytest.mark.parametrize(
    ("number", "errors"),
    [
        (
            "01",
            {"REF-DANGLING", "PATIENT-MISSING", "REPORT-SET-MISSING", "RPPS-MISSING", "REQUESTER-MISSING"},
        ),
        (
            "02",
            {
                "REF-DANGLING",
                "PATIENT-MISSING",
                "REPORT-SET-MISSING",
                "RPPS-MISSING",
                "REQUESTER-MISSING",
                "VALIDATION-TIME-MISSING",
            },
        ),
        (
            "13",
            {"REF-DANGLING", "PATIENT-MISSING", "REPORT-SET-MISSING", "RPPS-MISSING", "REQUESTER-MISSING"},
        ),
        (
            "20",
            {"REF-DANGLING", "PATIENT-MISSING", "REPORT-SET-MISSING", "RPPS-MISSING", "REQUESTER-MISSING"},
        ),
        (
            "25",
            {
                "REF-DANGLING",
                "PATIENT-MISSING",
                "RPPS-MISSING",
                "REQUESTER-MISSING",
                "VALIDATION-TIME-MISSING",
                "REPORT-EMPTY",
            },
        ),
        (
            "26",
            {
                "REF-DANGLING",
                "PATIENT-MISSING",
                "RPPS-MISSING",
                "REQUESTER-MISSING",
                "VALIDATION-TIME-MISSING",
            },
        ),
        ("96", {"RPPS-MISSING"}),
    ],
)
def test_rejected_with_every_fault(number: str, errors: set[str]) -> None:
    decision = decided(mapped(number))
    assert (decision.verdict, decision.plan, decision.number) == ("reject", (), 0)
    assert {one.code for one in decision.findings if one.severity == "error"} == errors


@pytest.mark.req("REQ-04")
def test_09_is_told_to_be_stu3() -> None:
    with pytest.raises(FhirError) as caught:
        read(body("09"))
    assert [(one.code, one.detail[:4]) for one in caught.value.findings] == [("FHIR-VERSION", "STU3")]


@pytest.mark.parametrize("number", ["14", "31"])
def test_a_study_or_a_patient_alone_is_no_report(number: str) -> None:
    with pytest.raises(FhirError) as caught:
        read(body(number))
    assert [one.code for one in caught.value.findings] == ["FHIR-NO-REPORT"]


def test_14_is_taken_inside_a_bundle_with_its_foreign_extensions() -> None:
    entry = (
        b'"entry": [{"fullUrl": "urn:uuid:0d0a7f0e-0000-4000-8000-0000000000aa", "resource": '
        + body("14")
        + b"},"
    )
    text = body("91").replace(b'"entry": [', entry, 1)
    (made,) = fhir.reports(read(text), profile())
    assert made.report is not None


def test_01_reads_its_xhtml_as_text_and_20_says_that_its_study_has_no_name() -> None:
    assert "ATTACHMENT-IGNORED" not in codes(decided(mapped("01")))
    assert any(one.detail == "no study is named" for one in mapped("20").findings)


@pytest.mark.req("REQ-05")
def test_25_gives_accession_and_study_uid_by_logical_identifiers() -> None:
    report = mapped("25").report
    assert report is not None
    assert [one.accession.value for one in report.orders if one.accession] == ["ACC-123456789"]
    assert [one.uid for one in report.studies] == ["1.2.840.113619.2.55.3.604688123.783.1704067200.1"]


@pytest.mark.req("REQ-04")
def test_26_gives_sections_by_loinc_two_studies_and_a_radiologist() -> None:
    report = mapped("26").report
    assert report is not None
    assert [one.kind for one in report.sections] == [SectionKind.FINDINGS, SectionKind.CONCLUSION]
    assert report.sections[0].text.startswith("Linker Fuß:")
    assert report.sections[0].text.count("Plantarfaszie") == 2
    assert [(one.uid, one.modalities) for one in report.studies] == [
        ("1.2.276.2000010.784732", ("MR",)),
        ("1.2.276.2000010.784733", ("MR",)),
    ]
    assert len(report.authors) == 1


@pytest.mark.req("REQ-11")
def test_31_is_a_qualified_patient_in_a_test_environment() -> None:
    made = mapped("90", *_swap_patient())
    assert made.report is not None
    patient = made.report.patient
    assert patient.qualified
    assert (patient.birth_family, patient.birth_place_code) == ("PAT-TROIS", "51215")
    assert decided(made).verdict == "accept"


def _swap_patient() -> list[tuple[bytes, bytes]]:
    """The Patient of 90 replaced by the published resource 31, which has the same id."""
    text = body("90")
    start = text.index(b'"resource": {') + len(b'"resource": ')
    end = text.index(b'"request": {', start)
    return [(text[start:end].rstrip().rstrip(b","), body("31"))]


@pytest.mark.req("REQ-10", "REQ-11", "REQ-35")
def test_90_is_accepted_and_goes_everywhere() -> None:
    decision = decided(mapped("90"))
    assert (decision.verdict, decision.number, codes(decision)) == ("accept", 1, ["ENCOUNTER-CLASS-GUESSED"])
    assert rows(decision) == [
        ("folder", "planned", ""),
        ("dmp", "planned", ""),
        ("mssante-ps", "planned", ""),
        ("mssante-patient", "planned", ""),
    ]
    report = mapped("90").report
    assert report is not None
    assert (len(report.attachments), len(report.sections), report.acts[0].study_uid) == (
        1,
        2,
        "1.2.250.1.925.994044.27.123.1876360",
    )


@pytest.mark.req("REQ-12", "REQ-49")
def test_91_waits_for_its_identity() -> None:
    decision = decided(mapped("91"))
    assert (decision.verdict, decision.number) == ("block", 1)
    assert rows(decision) == [
        ("folder", "planned", ""),
        ("dmp", "blocked", "INS-NOT-QUALIFIED"),
        ("mssante-ps", "planned", ""),
        ("mssante-patient", "blocked", "INS-NOT-QUALIFIED"),
    ]


@pytest.mark.req("REQ-30")
def test_93_is_held() -> None:
    decision = decided(mapped("93"))
    assert (decision.verdict, decision.number, decision.plan) == ("hold", 0, ())


def test_94_replaces_90_or_is_taken_as_new() -> None:
    after = decided(mapped("94"), SENT)
    assert (after.verdict, after.number, {row.action for row in after.plan}) == (
        "accept",
        2,
        {Action.REPLACE},
    )
    alone = decided(mapped("94"))
    assert (alone.verdict, alone.number, "ORIGINAL-UNKNOWN" in codes(alone)) == ("accept", 1, True)


def test_95_is_never_acknowledged_where_what_was_sent_cannot_be_taken_back() -> None:
    """The contents of 90 are gone: nobody could be told what to delete."""
    sent = PlannedDelivery(destination=Destination.DMP, action=Action.DELETE)
    assert decided(mapped("95"), SENT, (sent,)).verdict == "reject"
    recalled = decided(mapped("95"), SENT)
    assert (recalled.verdict, recalled.recalls, recalled.plan) == ("accept", True, ())
    assert decided(mapped("95")).verdict == "hold"


@pytest.mark.req("REQ-11", "REQ-13", "REQ-14")
@pytest.mark.parametrize(
    ("change", "verdict", "code"),
    [
        ((b"279035121518989", b"279035121518988"), "reject", "INS-KEY"),
        ((b"urn:oid:1.2.250.1.213.1.4.10", b"urn:oid:1.2.250.1.213.1.4.8"), "reject", "INS-ENV"),
        (
            (b'"imagingStudy": [', b'"imagingStudy": [{"reference": "ImagingStudy/none"},'),
            "reject",
            "REF-DANGLING",
        ),
        ((b"fr-core-v2-0445", b"fr-core-cs-identity-status"), "block", "INS-NOT-QUALIFIED"),
    ],
)
def test_variants_of_90(change: tuple[bytes, bytes], verdict: str, code: str) -> None:
    decision = decided(mapped("90", change))
    assert decision.verdict == verdict
    assert code in codes(decision)


@pytest.mark.req("REQ-11")
def test_90_with_the_rniv_code_system_and_qual_is_accepted() -> None:
    text = re.sub(rb'"code": "VALI"', b'"code": "QUAL"', body("90"))
    text = text.replace(b"fr-core-v2-0445", b"fr-core-cs-identity-status")
    (made,) = fhir.reports(read(text), profile())
    assert decided(made).verdict == "accept"
