"""The technical acknowledgement, compared as a whole with what volet Transmission 2.1 §1.7 asks for."""

from datetime import UTC, datetime

import pytest

from gateway import hl7v2
from gateway.hl7v2 import AckCode, acknowledge, read_ack, reply_to
from gateway.model.findings import CATALOGUE, Finding, finding

NOW = datetime(2021, 1, 8, 10, 17, 31, tzinfo=UTC)
MDM = hl7v2.read(
    b"MSH|^~\\&|RIS^1.2.3^ISO|AMBROISE|GATEWAY|PFI|20210108||MDM^T10^MDM_T02|015|T|2.6"
    b"|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2\rPID|1\r"
)


def lines(answer: bytes, charset: str = "utf-8") -> list[str]:
    assert answer.endswith(b"\r")
    return answer.decode(charset).split("\r")[:-1]


def ack(
    message: hl7v2.Message | None, code: AckCode = AckCode.AE, findings: tuple[Finding, ...] = ()
) -> bytes:
    return acknowledge(reply_to(message), code, findings=findings, now=NOW, control_id="ACK-1")


@pytest.mark.req("REQ-01")
def test_acceptance_swaps_the_parties_and_gives_back_the_control_id() -> None:
    assert lines(ack(MDM, AckCode.AA, (finding("TIMEZONE-ASSUMED"),))) == [
        "MSH|^~\\&|GATEWAY|PFI|RIS^1.2.3^ISO|AMBROISE|20210108101731+0000||ACK^T10^ACK|ACK-1|T|2.6"
        "|||||FRA|UNICODE UTF-8",
        "MSA|AA|015",
    ]


@pytest.mark.req("REQ-02")
def test_refusal_tells_place_code_severity_and_remedy() -> None:
    findings = (
        finding("TIMEZONE-ASSUMED", "OBR-7"),  # no error: not told
        finding("INS-KEY", "PID-3[2].1", "14 digits"),
        finding("RPPS-MISSING", "OBR(2)-32"),
        finding("HL7-SEGMENT-MISSING", "PID"),
    )
    assert lines(ack(MDM, AckCode.AE, findings))[1:] == [
        "MSA|AE|015",
        "ERR||PID^1^3^2^1|207^Application error^messageErrorCondition|E"
        "|905^INS incomplete^applicationErrorCondition"
        "^INS-KEY^The INS matricule is wrong^L"
        "||14 digits"
        "|The INS matricule is wrong. "
        "Send the 15 characters, key included, as INSi gave them (key = 97 − first 13 mod 97)",
        "ERR||OBR^2^32^1|101^Required field missing^messageErrorCondition|E"
        "|RPPS-MISSING^The validating physician has no national identifier^L"
        "|||The validating physician has no national identifier. "
        "Send the RPPS (OBR-32, authority 1.2.250.1.71.4.2.1; Practitioner.identifier)",
        "ERR||PID^1|100^Segment sequence error^messageErrorCondition|E"
        "|HL7-SEGMENT-MISSING^A segment that every report needs is missing^L"
        "|||A segment that every report needs is missing. Send the segment named in the location: "
        "PID for the patient, OBR and OBX for the report",
    ]


def test_place_in_a_document_is_told_in_words() -> None:
    error = lines(ack(MDM, AckCode.AE, (finding("CDA-INVALID", "/ClinicalDocument/id", "no root"),)))[2]
    assert error.split("|")[2] == ""
    assert error.split("|")[7] == "/ClinicalDocument/id: no root"


def test_the_field_that_holds_the_document_is_the_place_of_what_is_inside_it() -> None:
    found = finding("CDA-INVALID", "OBX(2)-5.5/ClinicalDocument/id", "no root")
    error = lines(ack(MDM, AckCode.AE, (found,)))[2].split("|")
    assert (error[2], error[7]) == ("OBX^2^5^1^5", "ClinicalDocument/id: no root")


@pytest.mark.parametrize(
    ("findings", "told"),
    [
        ((), "ERR|||207^Application error^messageErrorCondition|E"),
        ((finding("MSS-MATRIX"),), "ERR|||207^Application error^messageErrorCondition|W|MSS-MATRIX^"),
    ],
)
def test_refusal_always_has_its_reason(findings: tuple[Finding, ...], told: str) -> None:
    answer = lines(ack(MDM, AckCode.AR, findings))
    assert len(answer) == 3
    assert answer[2].startswith(told)


@pytest.mark.req("REQ-02")
def test_unreadable_message_is_answered_with_an_empty_control_id() -> None:
    answer = lines(ack(None, AckCode.AR, (finding("HL7-NOT-HL7", detail="no MSH at the start"),)))
    assert answer[:2] == [
        "MSH|^~\\&|||||20210108101731+0000||ACK|ACK-1|P|2.5|||||FRA|UNICODE UTF-8",
        "MSA|AR",
    ]
    assert answer[2].startswith("ERR|||100^")
    assert "no MSH at the start" in answer[2]


def test_control_id_goes_back_verbatim() -> None:
    message = hl7v2.read("MSH|^~\\&|||||||ORU^R01| A^B\\T\\~é |P|2.5||||||UNICODE UTF-8\r".encode())
    assert lines(ack(message, AckCode.AA))[1] == "MSA|AA| A^B\\T\\~é "


def test_answer_is_in_the_character_set_of_the_message() -> None:
    sent = "MSH|^~\\&|Hôpital €||||||ORU^R01|1|P|2.5||||||8859/15\r".encode("iso8859-15")
    answer = ack(hl7v2.read(sent), AckCode.AE, (finding("INS-KEY"),))
    header, _, error = lines(answer, "iso8859-15")
    assert header.endswith("|8859/15")
    assert header.split("|")[4] == "Hôpital €"
    assert "key = 97 - first" in error  # 8859/15 has no minus sign


def test_parties_of_a_message_with_other_delimiters_are_written_anew() -> None:
    message = hl7v2.read(b"MSH^~|\\&^RIS~1.2.3&x^SITE^^^^^ORU~R01^A!B^P^2.3\r")
    assert lines(ack(message, AckCode.AA))[0].split("|")[4] == "RIS^1.2.3&x"


def test_unknown_version_and_missing_event_leave_a_readable_answer() -> None:
    answer = hl7v2.read(ack(hl7v2.read(b"MSH|^~\\&\r"), AckCode.AR))
    assert (answer.version, answer.message_code, answer.trigger_event) == ("2.5", "ACK", "")
    assert answer.processing_id == "P"


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_finding_of_the_catalogue_can_be_answered(code: str) -> None:
    answer = hl7v2.read(ack(MDM, AckCode.AE, (finding(code, "PID-3.1", "x"),)))
    assert answer.findings == ()
    assert answer.value("ERR", 3, component=3) == "messageErrorCondition"
    assert code in (answer.value("ERR", 5), answer.value("ERR", 5, component=4))


class TestReadAck:
    def test_gives_code_control_id_and_reasons(self) -> None:
        read = read_ack(ack(MDM, AckCode.AE, (finding("INS-KEY", "PID-3[2].1", "14 digits"),)))
        assert (read.code, read.control_id, read.accepted) == (AckCode.AE, "015", False)
        (reason,) = read.errors
        assert reason.startswith(
            "PID-3[2].1: 207 Application error, 905, INS-KEY: 14 digits: The INS matricule"
        )

    def test_gives_no_reason_for_an_acceptance(self) -> None:
        assert read_ack(ack(MDM, AckCode.AA)) == hl7v2.Ack(code=AckCode.AA, control_id="015")

    @pytest.mark.parametrize(
        ("segments", "reason"),
        [
            ("MSA|AE|1|unknown patient", "unknown patient"),
            ("MSA|AE|1\rERR|PID^1^5^101&Required field missing&HL70357", "PID-5: 101 Required field missing"),
            (
                "MSA|AR|1\rERR||MSH^1^12|203^Unsupported version^messageErrorCondition|E",
                "MSH-12: 203 Unsupported version",
            ),
        ],
    )
    def test_understands_other_systems(self, segments: str, reason: str) -> None:
        assert read_ack(f"MSH|^~\\&|||||||ACK|1|P|2.5\r{segments}\r".encode()).errors == (reason,)

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (b"nonsense", "HL7-NOT-HL7"),
            (b"MSH|^~\\&|||||||ACK|1|P|2.5\r", "HL7-SEGMENT-MISSING"),
            (b"MSH|^~\\&|||||||ACK|1|P|2.5\rMSA|OK|1\r", "HL7-DATATYPE"),
        ],
    )
    def test_refuses_what_is_no_acknowledgement(self, answer: bytes, code: str) -> None:
        with pytest.raises(hl7v2.NotHl7Error) as refused:
            read_ack(answer)
        assert refused.value.finding.code == code
