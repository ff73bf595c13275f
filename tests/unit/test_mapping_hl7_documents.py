"""Documents embedded in a classic ORU or MDM, and messages that are not served."""

import hashlib

import pytest

from gateway.model.findings import Severity, errors
from gateway.model.report import ReportStatus
from gateway.model.submission import Action
from gateway.model.terms import Identifier
from tests.support import FIXTURES
from tests.unit.mapping_messages import (
    ORU,
    changed,
    mapped,
    places,
    report,
    with_field,
    with_observations,
)

ROOT = "1.2.250.1.925.994044785528"


def fixture(name: str) -> str:
    return (FIXTURES / "hl7v2" / f"{name}.er7").read_bytes().decode("utf-8")


# --- documents


def test_a_pdf_is_kept_byte_for_byte_and_named_by_its_hash() -> None:
    made = mapped(fixture("oru_pdf"))
    assert made.report is not None and made.findings == ()
    (attachment,), (blob,) = made.report.attachments, made.blobs
    assert blob.data.startswith(b"%PDF-1.") and attachment.size == len(blob.data)
    assert attachment.sha256 == blob.sha256 == hashlib.sha256(blob.data).hexdigest()
    assert (attachment.media_type, made.report.sections) == ("application/pdf", ())


@pytest.mark.parametrize(
    "value",
    ["^TEXT^^Base64^{0}", "^application^x-whatever^Base64^{0}", "{0}", "^^^^{0}", "^AP^PDF^BASE64^{0}"],
)
def test_a_pdf_is_known_by_its_first_bytes_only(value: str) -> None:
    pdf = "JVBERi0xLjQKJSVFT0YK"
    message = with_observations("OBX|1|ED|PDF^CR||" + value.format(pdf) + "||||||F")
    assert [one.media_type for one in report(message).attachments] == ["application/pdf"]


@pytest.mark.parametrize(("text", "severity"), [("", Severity.ERROR), ("Normal.", Severity.WARNING)])
def test_another_document_is_an_error_only_when_it_is_all_there_is(text: str, severity: Severity) -> None:
    message = with_observations(
        "OBX|1|ED|RTF^CR||^TEXT^RTF^Base64^e1xydGYxfQ==||||||F", f"OBX|2|TX|19005-8^^LN||{text}||||||F"
    )
    (found,) = [one for one in mapped(message).findings if one.code == "PDF-INVALID"]
    assert (found.severity, found.location) == (severity, "OBX-5.5")


def test_broken_base64_is_an_error_at_its_place() -> None:
    assert ("HL7-BASE64", "OBX(2)-5.5") in places(mapped(fixture("broken_base64")))


def test_a_pointer_is_never_content() -> None:
    message = with_observations("OBX|1|RP|^Images||https://pacs.example/x.pdf^^SD^PDF||||||F")
    made = report(message)
    assert (made.sections, made.attachments) == ((), ())


# --- what is not served


@pytest.mark.parametrize(
    ("event", "code", "place"),
    [
        ("ADT^A08^ADT_A01", "HL7-TYPE-UNSUPPORTED", "MSH-9.1"),
        ("ORM^O01", "HL7-TYPE-UNSUPPORTED", "MSH-9.1"),
        ("", "HL7-TYPE-UNSUPPORTED", "MSH-9.1"),
        ("ORU^R30", "HL7-EVENT-UNSUPPORTED", "MSH-9.2"),
        ("MDM^T01^MDM_T01", "HL7-EVENT-UNSUPPORTED", "MSH-9.2"),
        ("MDM^T11^MDM_T01", "HL7-EVENT-UNSUPPORTED", "MSH-9.2"),
    ],
)
def test_other_messages_are_refused_by_name(event: str, code: str, place: str) -> None:
    made = mapped(with_field("MSH", 9, event))
    assert made.report is None
    assert [(found.code, found.location) for found in errors(made.findings)] == [(code, place)]


@pytest.mark.parametrize("volet", ["1.1^CISIS_CDA_HL7_LPS", "1.0^CISIS_TLR_HL7_V2"])
def test_volets_that_share_no_report_are_refused(volet: str) -> None:
    assert ("HL7-VOLET-UNSERVED", "MSH-21") in places(mapped(with_field("MSH", 21, volet)))


@pytest.mark.req("REQ-06")
@pytest.mark.parametrize(
    ("field", "value"), [(24, "LAB"), (24, "HM"), (4, "11502-2^CR d'examens biologiques^LN")]
)
def test_reports_of_other_services_are_refused(field: int, value: str) -> None:
    made = mapped(with_field("OBR", field, value))
    assert made.report is None
    assert ("NOT-IMAGING", f"OBR-{field}") in places(made)


def test_an_mdm_with_text_is_read_like_an_oru() -> None:
    message = with_field("OBR", 25, "", with_field("MSH", 9, "MDM^T10^MDM_T02"))
    message = changed(
        ("OBX|1|ST", "TXA|1|18748-4|TEXT|||||||||2.25.2|2.25.1||||LA\rOBX|1|ST"), message=message
    )
    made = mapped(message)
    assert made.report is not None
    assert (made.report.status, made.context.action) == (ReportStatus.FINAL, Action.REPLACE)
    assert made.report.replaces == Identifier(value="2.25.1")


@pytest.mark.parametrize(("name", "code", "place"), [("broken_no_pid", "HL7-SEGMENT-MISSING", "PID")])
def test_a_message_without_its_patient_is_refused(name: str, code: str, place: str) -> None:
    made = mapped(fixture(name))
    assert made.report is None
    assert places(made) == {(code, place)}


def test_a_message_without_any_order_or_observation_is_refused() -> None:
    message = "\r".join(line for line in ORU.split("\r") if line[:3] in ("MSH", "PID")) + "\r"
    assert ("HL7-SEGMENT-MISSING", "OBR") in places(mapped(message))
