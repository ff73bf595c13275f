"""Numbers, times, status, acts and studies of a classic ORU; messages of several groups."""

from datetime import datetime

import pytest

from gateway.model.findings import Severity, errors
from gateway.model.report import ReportStatus
from gateway.model.submission import Action
from gateway.model.terms import Identifier
from tests.support import FIXTURES
from tests.unit.mapping_messages import (
    ORU,
    all_mapped,
    changed,
    codes,
    mapped,
    places,
    report,
    with_field,
    with_observations,
)

ROOT = "1.2.250.1.925.994044785528"


def fixture(name: str) -> str:
    return (FIXTURES / "hl7v2" / f"{name}.er7").read_bytes().decode("utf-8")


# --- numbers and times


def test_a_number_without_authority_stands_under_the_profiles_oid() -> None:
    made = report(
        changed(
            (f"CR-2021-000042^^{ROOT}.30^ISO", "CR-2021-000042"), (f"105234751^^{ROOT}.27^ISO", "105234751")
        )
    )
    assert made.report_set == Identifier(value="CR-2021-000042", system=f"{ROOT}.30")
    assert made.acts[0].accession == Identifier(value="105234751", system=f"{ROOT}.27")


def test_the_filler_number_as_accession_is_said() -> None:
    made = mapped(with_field("OBR", 18, ""))
    assert made.report is not None
    assert made.report.orders[0].accession == Identifier(value="CR-2021-000042", system=f"{ROOT}.30")
    assert ("ACCESSION-GUESSED", "OBR-3.1") in places(made)


def test_without_filler_the_accession_names_the_report_set() -> None:
    message = with_field("OBR", 3, "", with_field("ORC", 3, ""))
    assert report(message).report_set == Identifier(value="105234751", system=f"{ROOT}.27")


def test_a_report_that_nothing_names_is_refused() -> None:
    message = with_field("OBR", 3, "", with_field("ORC", 3, "", with_field("OBR", 18, "")))
    made = mapped(message)
    assert made.report is None
    assert [(found.code, found.location) for found in errors(made.findings)] == [
        ("REPORT-SET-MISSING", "OBR-3")
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("20210108111700", "2021-01-08T11:17:00+01:00"), ("20210708111700", "2021-07-08T11:17:00+02:00")],
)
def test_a_time_without_offset_is_that_of_the_site_at_its_own_date(value: str, expected: str) -> None:
    made = mapped(with_field("OBR", 22, value))
    assert made.report is not None
    assert made.report.validated_at == datetime.fromisoformat(expected)
    assert str(made.report.validated_at.tzinfo) == f"UTC{expected[-6:]}"
    assert ("TIMEZONE-ASSUMED", "OBR-22") in places(made)


def test_a_time_in_another_zone_is_brought_to_that_of_the_site() -> None:
    validated = report(with_field("OBR", 22, "20210108101700+0000")).validated_at
    assert validated is not None
    assert validated.isoformat() == "2021-01-08T11:17:00+01:00"


def test_a_guessed_validation_time_is_said() -> None:
    made = mapped(with_field("OBR", 22, ""))
    assert made.report is not None
    assert made.report.validated_at == datetime.fromisoformat("2021-01-08T11:17:05+01:00")
    assert ("VALIDATION-TIME-GUESSED", "MSH-7") in places(made)


def test_a_validation_time_that_is_none_is_an_error() -> None:
    made = mapped(with_field("OBR", 22, "hier"))
    assert [(found.code, found.location) for found in errors(made.findings)] == [("HL7-DATATYPE", "OBR-22")]


def test_a_request_later_than_the_exam_is_no_request_time() -> None:
    assert report(with_field("ORC", 9, "20210108111700+0100")).orders[0].requested_at is None


def test_a_guessed_exam_time_is_said() -> None:
    made = mapped(with_field("OBR", 6, "20210108100000+0100", with_field("OBR", 7, "")))
    assert made.report is not None
    assert made.report.acts[0].start == datetime.fromisoformat("2021-01-08T10:00:00+01:00")
    assert ("EXAM-TIME-GUESSED", "OBR-6") in places(made)


# --- status


@pytest.mark.parametrize(
    ("obr", "obx", "expected"),
    [
        ("F", "P", ReportStatus.FINAL),
        ("P", "F", ReportStatus.PRELIMINARY),
        ("", "F", ReportStatus.FINAL),
        ("", "C", ReportStatus.CORRECTED),
        ("", "R", ReportStatus.PRELIMINARY),
        ("X", "F", ReportStatus.CANCELLED),
    ],
)
def test_obr_25_wins_over_obx_11(obr: str, obx: str, expected: ReportStatus) -> None:
    assert report(with_field("OBR", 25, obr, changed(("||||||F\r", f"||||||{obx}\r")))).status is expected


def test_without_obr_25_the_least_final_line_decides() -> None:
    message = changed(("décelable.||||||F", "décelable.||||||P"), message=with_field("OBR", 25, ""))
    assert report(message).status is ReportStatus.PRELIMINARY


def test_a_withdrawn_line_beside_others_is_left_out_and_decides_nothing() -> None:
    message = changed(("décelable.||||||F", "décelable.||||||D"), message=with_field("OBR", 25, ""))
    made = report(message)
    assert made.status is ReportStatus.FINAL
    assert [section.kind.name for section in made.sections] == ["PROCEDURE", "FINDINGS"]


@pytest.mark.parametrize(("value", "place"), [("Y", "OBR-25"), ("Z", "OBR-25"), ("", "OBR-25")])
def test_a_status_that_is_unknown_or_missing_is_refused(value: str, place: str) -> None:
    made = mapped(with_field("OBR", 25, value, changed(("||||||F\r", "||||||\r"))))
    assert made.report is None
    assert ("STATUS-UNKNOWN", place) in places(made)


@pytest.mark.req("REQ-29")
def test_a_correction_replaces() -> None:
    made = mapped(fixture("oru_corrected"))
    assert made.report is not None
    assert (made.report.status, made.context.action) == (ReportStatus.CORRECTED, Action.REPLACE)
    assert made.report.report_set == report(ORU).report_set


# --- acts and studies


def test_an_unknown_act_keeps_its_code_and_the_nearest_known_are_told() -> None:
    made = mapped(changed(("ACQH004^", "ACQH005^")))
    assert made.report is not None
    act = made.report.acts[0]
    assert (act.ccam and act.ccam.code, act.code) == ("ACQH005", None)
    (found,) = [one for one in made.findings if one.code == "CODE-UNKNOWN"]
    assert (found.location, found.severity) == ("OBR-4.1", Severity.WARNING)
    assert "ACQH004" in found.detail


@pytest.mark.parametrize(
    ("value", "ccam", "loinc", "local"),
    [
        ("ZBQK002^Thorax^CCAM", "ZBQK002", "30745-4", None),
        ("ZBQK002^Thorax", "ZBQK002", "30745-4", None),
        ("24727-0^CT^LN", None, "24727-0", None),
        ("TH2^Thorax^L^ZBQK002^Radiographie^CCAM", "ZBQK002", "30745-4", "TH2"),
        ("18748-4^CR d'imagerie médicale^LN^ZBQK002^Thorax^CCAM", "ZBQK002", "30745-4", None),
    ],
)
def test_act_codes_are_told_apart_by_system_or_form(
    value: str, ccam: str | None, loinc: str | None, local: str | None
) -> None:
    act = report(with_field("OBR", 4, value)).acts[0]
    read_codes = tuple(code.code if code else None for code in (act.ccam, act.code, act.local))
    assert read_codes == (ccam, loinc, local)


def test_the_modality_of_the_message_goes_through_the_map_else_the_act_tells_it() -> None:
    assert [m.code for m in report(with_field("OBR", 24, "TDM")).acts[0].modalities] == ["CT"]
    assert [m.code for m in report(with_field("OBR", 24, "RAD")).acts[0].modalities] == ["CT"]


@pytest.mark.parametrize(
    "observation",
    [
        "OBX|1|HD|^Study Instance UID||1.2.250.1.7||||||F",
        "OBX|1|RP|^Images||https://pacs.example/v?studyUID=1.2.250.1.7^^SD^DICOM||||||F",
        "ZDS|1.2.250.1.7^100^Application^DICOM",
        "ZDS|1.2.250.1.7",
        "IPC|A1|24590-2|1.2.250.1.7|S1",
    ],
)
def test_the_study_uid_is_found_where_senders_put_it(observation: str) -> None:
    made = report(with_observations(observation, "OBX|2|TX|19005-8^^LN||normal||||||F"))
    assert made.acts[0].study_uid == made.studies[0].uid == "1.2.250.1.7"


def test_the_filler_number_is_a_study_uid_only_as_a_last_resort() -> None:
    message = with_observations("OBX|2|TX|19005-8^^LN||normal||||||F")
    assert report(message).acts[0].study_uid == ""
    assert report(with_field("OBR", 3, "1.2.250.1.8", message)).acts[0].study_uid == "1.2.250.1.8"


@pytest.mark.parametrize("uid", ["1.02.3", "1.2", "studi", "1.2.3.", "1.2." + "3" * 61])
def test_a_uid_of_wrong_form_is_said_and_left_out(uid: str) -> None:
    made = mapped(changed(("1.2.250.1.925.994044.27.123.1876360", uid)))
    assert made.report is not None
    assert made.report.studies == ()
    assert "STUDY-UID-FORM" in codes(made)


def test_two_studies_for_one_act_are_said() -> None:
    made = mapped(ORU + "ZDS|1.2.250.1.7\r")
    assert made.report is not None
    assert made.report.acts[0].study_uid == "1.2.250.1.7"
    assert "STUDY-UID-CONFLICT" in codes(made)


# --- several groups


def second_group(filler: str, accession: str, *content: str) -> str:
    return "\r".join(
        (f"OBR|2||{filler}|ACQN001^IRM^CCAM|||20210108104500+0100" + "|" * 11 + accession, *content, "")
    )


def test_groups_that_share_a_number_are_one_report_with_several_acts() -> None:
    message = ORU + second_group(
        "OTHER", f"105234751^^{ROOT}.27^ISO", "OBX|1|TX|19005-8^^LN||IRM normale||||||F"
    )
    made = report(message)
    assert [act.ccam.code for act in made.acts if act.ccam] == ["ACQH004", "ACQN001"]
    assert {act.study_uid for act in made.acts} == {"1.2.250.1.925.994044.27.123.1876360"}
    assert made.sections[-1].text.endswith("IRM normale")
    assert len(made.orders) == 2


def test_groups_of_which_one_carries_the_content_are_one_report() -> None:
    made = report(ORU + second_group("CR-2", "ACC-2"))
    assert len(made.acts) == 2
    assert made.report_set.value == "CR-2021-000042"


def test_groups_with_content_and_numbers_of_their_own_are_several_reports() -> None:
    message = ORU + second_group("CR-2", "ACC-2", "OBX|1|TX|19005-8^^LN||IRM normale||||||F")
    every = all_mapped(message)
    assert [one.report.report_set.value for one in every if one.report] == ["CR-2021-000042", "CR-2"]
    assert every[0].coverage == every[1].coverage
