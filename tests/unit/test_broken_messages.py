"""What a stranger reads of a broken message: segment, field, class of value and remedy (ERR and `check`)."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from gateway import hl7v2
from gateway.cli.main import app
from gateway.mapping import sites
from gateway.pipeline import offline
from tests.unit.mapping_messages import ORU, changed, with_field, with_observations
from tests.unit.test_mapping_cda_message import MDM

NOW = datetime(2021, 1, 8, 12, tzinfo=UTC)


class Broken(NamedTuple):
    """`place` as a person writes it, `erl` as ERR-2; `said` of the value, `remedy` of what to send."""

    message: str
    code: str
    place: str
    erl: str
    said: str
    remedy: str


CASES = {
    "no patient segment": Broken(
        "\r".join(line for line in ORU.split("\r") if not line.startswith("PID")),
        *("HL7-SEGMENT-MISSING", "PID", "PID^1", "A segment that every report needs", "PID for the patient"),
    ),
    "broken Base64": Broken(
        with_observations("OBX|1|ED|18748-4^CR^LN||^application^pdf^Base64^JVBERi0$$||||||F"),
        *("HL7-BASE64", "OBX-5.5", "OBX^1^5^1^5", "outside the Base64 alphabet", "Encode OBX-5.5 in Base64"),
    ),
    "a Word file as PDF": Broken(
        with_observations("OBX|1|ED|18748-4^CR^LN||^application^pdf^Base64^UEsDBBQABgAIAAAA||||||F"),
        *("PDF-INVALID", "OBX-5.5", "OBX^1^5^1^5", "no PDF mark", "Send a PDF"),
    ),
    "wrong key of the INS": Broken(
        changed(("279035121518989^", "279035121518980^")),
        *(
            "INS-KEY",
            "PID-3.1",
            "PID^1^3^1^1",
            "15 characters, key does not fit",
            "15 characters, key included",
        ),
    ),
    "INS without its key": Broken(
        changed(("279035121518989^", "2790351215189^")),
        *("INS-KEY", "PID-3.1", "PID^1^3^1^1", "13 characters", "15 characters, key included"),
    ),
    "real INS at a test gateway": Broken(
        changed(("1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.8")),
        *("INS-ENV", "PID-3.1", "PID^1^3^1^1", "root .8 in test", "1.2.250.1.213.1.4.10 or .11 in test"),
    ),
    "radiologist by a local number": Broken(
        with_field("OBR", 32, "DR12&BIDEAULT&Jacques"),
        *(
            "RPPS-MISSING",
            "OBR-32.1",
            "OBR^1^32^1^1",
            "a name without national number",
            "Send the RPPS (OBR-32",
        ),
    ),
    "nobody asked for it": Broken(
        with_field("OBR", 16, ""),
        *("REQUESTER-MISSING", "OBR-16", "OBR^1^16^1", "does not name who asked", "Send OBR-16, ORC-12"),
    ),
    "validation time in words": Broken(
        with_field("OBR", 22, "hier"),
        *("HL7-DATATYPE", "OBR-22", "OBR^1^22^1", "not a date and time", "YYYYMMDDHHMMSS+ZZZZ"),
    ),
    "unknown status": Broken(
        with_field("OBR", 25, "Z"),
        *("STATUS-UNKNOWN", "OBR-25", "OBR^1^25^1", "code Z", "Send P, F, C, X"),
    ),
    "report without words": Broken(
        with_observations("OBX|1|TX|19005-8^Conclusion^LN||||||||F"),
        *("REPORT-EMPTY", "OBX-5", "OBX^1^5^1", "neither text nor document", "OBX TX or FT"),
    ),
    "laboratory": Broken(
        with_field("OBR", 24, "LAB"),
        *("NOT-IMAGING", "OBR-24", "OBR^1^24^1", "service LAB", "Send imaging only"),
    ),
    "another message type": Broken(
        with_field("MSH", 9, "BAR^P01"),
        *("HL7-TYPE-UNSUPPORTED", "MSH-9.1", "MSH^1^9^1^1", "BAR", "ORU^R01 or MDM^T02"),
    ),
    "event, ORC-1 and OBX-11 disagree": Broken(
        with_field("ORC", 1, "CA", MDM),
        *("HL7-ACTION-MISMATCH", "ORC-1", "ORC^1^1^1", "MSH-9.2 T02, OBX-11 F, ORC-1 CA", "Send T02/NW/F"),
    ),
    "mail to a patient who may not see it": Broken(
        changed(("Destinataire Patient^MetaDMPMSS||N", "Destinataire Patient^MetaDMPMSS||Y"), message=MDM),
        *("INVISIBLE-TO-PATIENT-MAIL", "OBX(9)-5", "OBX^9^5^1", "may not see", "Send DESTMSSANTEPAT = N"),
    ),
    "radiologist by ten digits": Broken(
        changed(("801234560801&", "8012345608&")),
        *("RPPS-FORM", "OBR-32.1", "OBR^1^32^1^1", "10 characters", "Send 11 digits, or 12"),
    ),
    "a flag in words": Broken(
        changed(("Masqué aux professionnels de Santé^MetaDMPMSS||N", "Masqué^MetaDMPMSS||NON"), message=MDM),
        *("HL7-DATATYPE", "OBX(2)-5", "OBX^2^5^1", "neither Y nor N", "flags: Y or N"),
    ),
    "an event that no report has": Broken(
        with_field("MSH", 9, "ORU^R03^ORU_R01"),
        *("HL7-EVENT-UNSUPPORTED", "MSH-9.2", "MSH^1^9^1^2", "ORU", "Send R01 for ORU"),
    ),
    "no number to name the report by": Broken(
        with_field("OBR", 3, "", with_field("ORC", 3, "", with_field("OBR", 18, ""))),
        *("REPORT-SET-MISSING", "OBR-3", "OBR^1^3^1", "cannot be named", "Send OBR-3, OBR-18"),
    ),
}


@pytest.mark.req("REQ-02")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_acknowledgement_says_where_what_and_what_to_do(case: Broken) -> None:
    (judged, *_) = offline.judge(case.message.encode(), sites.load(), environment="test", now=NOW)
    answer = hl7v2.acknowledge(
        hl7v2.reply_to(hl7v2.read(case.message.encode())),
        hl7v2.AckCode.AE,
        findings=judged.decision.findings,
        now=NOW,
        control_id="1",
    )
    errors = hl7v2.read(answer).all("ERR")
    assert len(errors) == 1, "one cause, one error"
    (error,) = errors
    assert error.verbatim(2) == case.erl
    assert case.code in error.verbatim(5)
    assert case.said in f"{error.text(7)} {error.text(8)}"
    assert case.remedy in error.text(8)


@pytest.mark.req("REQ-02")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_check_says_the_same(case: Broken, tmp_path: Path) -> None:
    file = tmp_path / "message.er7"
    file.write_bytes(case.message.encode())
    done = CliRunner().invoke(app, ["check", str(file)])
    assert done.exit_code == 1
    assert "would be refused" in done.output
    lines = done.output.splitlines()
    place = next(number for number, line in enumerate(lines) if f"{case.code} {case.place}: " in line)
    assert lines[place].lstrip().startswith("error")
    assert case.said in lines[place]
    assert case.remedy in lines[place + 1]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_no_identity_stands_in_an_error(case: Broken) -> None:
    (judged, *_) = offline.judge(case.message.encode(), sites.load(), environment="test", now=NOW)
    for found in judged.decision.findings:
        assert not {"PAT-TROIS", "DOMINIQUE", "27903512151898", "BIDEAULT"} & set(found.detail.split())


@pytest.mark.parametrize(
    ("segment", "field", "value"), [("PID", 7, "1979-03-28"), ("OBR", 22, "2021-01-08 11:17:00")]
)
def test_a_date_with_hyphens_is_taken_and_not_in_silence(segment: str, field: int, value: str) -> None:
    message = with_field(segment, field, value)
    (judged,) = offline.judge(message.encode(), sites.load(), environment="test", now=NOW)
    assert judged.version is not None
    said = {(one.code, one.location, one.severity.value) for one in judged.decision.findings}
    assert ("HL7-DATATYPE", f"{segment}-{field}", "warning") in said


# --- the second verdict


@pytest.mark.parametrize(
    ("message", "status", "processable", "conforms"),
    [
        (ORU, 0, "would be taken and delivered", "; conforms"),
        (with_field("MSH", 12, "9.9"), 0, "would be taken and delivered", "does not conform (1 deviation)"),
        (CASES["unknown status"].message, 1, "would be refused", "does not conform (1 deviation)"),
    ],
)
def test_a_message_gets_two_verdicts(
    tmp_path: Path, message: str, status: int, processable: str, conforms: str
) -> None:
    file = tmp_path / "message.er7"
    file.write_bytes(message.encode())
    done = CliRunner().invoke(app, ["check", str(file)])
    assert done.exit_code == status
    head = done.output.splitlines()[0]
    assert processable in head and head.endswith(conforms)
    rows = CliRunner().invoke(app, ["check", "--json", str(file)]).output
    assert f'"conformant": {str(conforms == "; conforms").lower()}' in rows
