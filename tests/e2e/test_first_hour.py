"""What a new user tries in the first hour, with the installed command and nothing configured."""

import base64
import re
import socket
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Gateway
from tests.support import FIXTURES, PATIENCE, SAMPLES, needs_samples
from tests.unit.pki_files import pki

HL7 = FIXTURES / "hl7v2"
OFFICIAL = SAMPLES / "hl7v2" / "ansforge__hl7V2-exemples"
V21 = (
    "Vague 2__Trans_Doc-CDA-HL7V2__TRANSMISSION_DOCS_CDA_EN_HL7V2_V2.1__MDM__Transmission initiale MDM__"
    "message_MDM_CR_Radio_INIT_N1_Base64.er7"
)
V20 = (
    "Volets__TRANS_DOC_CDA_HL7V2__V2.0__MDM__Transmission initiale MDM__"
    "message_MDM_CR_Radio_INIT_N1_Base64.er7"
)


def delivered(gateway: Gateway, count: int) -> list[dict[str, object]]:
    """Wait until `count` deliveries are delivered."""
    deadline = time.monotonic() + PATIENCE
    while True:
        rows = gateway.rows("deliveries")
        if sum(row["state"] == "delivered" for row in rows) >= count or time.monotonic() > deadline:
            return rows
        time.sleep(0.1)


@needs_samples
@pytest.mark.samples
@pytest.mark.req("REQ-01", "REQ-03", "REQ-33")
def test_the_official_mdm_is_taken_and_its_cda_leaves_byte_for_byte(gateway: Gateway) -> None:
    file = OFFICIAL / V21
    first = gateway.run("send", file, "--to", gateway.mllp)
    assert first.returncode == 0, first.stderr
    assert "AA 015" in first.stdout
    rows = delivered(gateway, 1)
    assert [row["state"] for row in rows] == ["delivered"]
    field = re.search(rb"\^text\^XML\^Base64\^([^|\n\r]+)", file.read_bytes())
    assert field is not None
    (written,) = gateway.outbox.glob("*/cda.xml")
    assert written.read_bytes() == base64.b64decode(field[1])

    again = gateway.run("send", file, "--to", gateway.mllp)
    assert again.stdout.split("(")[0] == first.stdout.split("(")[0]
    assert [row["state"] for row in gateway.rows("messages")] == ["duplicate", "accepted"]
    assert len(gateway.rows("deliveries")) == 1


@needs_samples
@pytest.mark.samples
@pytest.mark.req("REQ-14")
def test_a_production_identity_is_refused_in_the_test_environment(gateway: Gateway) -> None:
    done = gateway.run("send", OFFICIAL / V20, "--to", gateway.mllp)
    assert done.returncode == 1
    assert "AE" in done.stdout
    assert "INS-ENV" in done.stdout
    assert "OBX-5.5: " in done.stdout
    assert "ClinicalDocument/recordTarget/patientRole/id" in done.stdout
    assert gateway.rows("deliveries") == []


@pytest.mark.req("REQ-02", "REQ-08")
@pytest.mark.parametrize(
    ("broken", "code", "word"),
    [
        (b"MSH|^~", "AE|AR", "HL7-"),
        (b"hello, is this HL7?", "AR", "HL7-NOT-HL7"),
        (b"", "AR", "HL7-NOT-HL7"),
        (b"MSH|^~\\&|RIS|A|B|C|20210108||ADT^A99^ADT_A99|1|P|2.5\rPID|1\r", "AE", "UNSUPPORTED"),
        (b"MSH|^~\\&|RIS|A|B|C|20210108||MDM^T04^MDM_T02|2|P|2.6\rPID|1\r", "AE", "HL7-"),
    ],
)
def test_bad_input_gets_a_clear_answer_and_the_server_stays_up(
    gateway: Gateway, tmp_path: Path, broken: bytes, code: str, word: str
) -> None:
    file = tmp_path / "broken.er7"
    file.write_bytes(broken)
    done = gateway.run("send", file, "--to", gateway.mllp)
    assert done.returncode == 1
    assert re.search(rf": ({code}) ", done.stdout), done.stdout + done.stderr
    assert word in done.stdout
    assert "Traceback" not in done.stderr
    assert gateway.run("send", HL7 / "oru_report.er7", "--to", gateway.mllp).returncode == 0


@pytest.mark.req("REQ-08")
def test_a_message_above_the_cap_is_refused_and_the_server_stays_up(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    gateway.serve(GATEWAY_LIMITS__MAX_BYTES="20000")
    try:
        file = tmp_path / "large.er7"
        file.write_bytes((HL7 / "oru_report.er7").read_bytes() + b"NTE|1||" + b"x" * 30_000 + b"\r")
        done = gateway.run("send", file, "--to", gateway.mllp)
        assert done.returncode == 1
        assert "HL7-TOO-LARGE" in done.stdout
        assert gateway.run("send", HL7 / "oru_report.er7", "--to", gateway.mllp).returncode == 0
    finally:
        assert gateway.process is not None
        gateway.process.stop()


@pytest.mark.req("REQ-30")
def test_a_preliminary_report_is_held_and_nothing_leaves(gateway: Gateway) -> None:
    assert gateway.run("send", HL7 / "oru_preliminary.er7", "--to", gateway.mllp).returncode == 0
    assert [row["state"] for row in gateway.rows("messages")] == ["held"]
    assert gateway.rows("deliveries") == []


@pytest.mark.req("REQ-10")
def test_the_same_exam_as_oru_and_as_fhir_differs_in_nothing_but_provenance(gateway: Gateway) -> None:
    import json

    made = [
        json.loads(gateway.run("convert", file, "--to", "canonical").stdout)
        for file in (HL7 / "oru_report.er7", FIXTURES / "fhir" / "report.json")
    ]
    for one in made:
        del one["provenance"]
    assert made[0] == made[1]
    assert made[0]["schema"] == "gateway.report/1"


@pytest.mark.parametrize("to", ["cda", "pdf", "metadata", "xdm", "mail"])
def test_converting_twice_gives_identical_bytes(gateway: Gateway, tmp_path: Path, to: str) -> None:
    now = "2021-01-08T11:17:00+01:00"
    made = []
    for name in ("one", "two"):
        out = tmp_path / name
        done = gateway.run("convert", HL7 / "oru_report.er7", "--to", to, "--now", now, "--out", out)
        assert done.returncode == 0, done.stderr
        made.append(out.read_bytes())
    assert made[0] == made[1]
    assert made[0]


def test_an_unvalidated_report_gives_no_document(gateway: Gateway) -> None:
    done = gateway.run("convert", HL7 / "oru_preliminary.er7", "--to", "cda")
    assert done.returncode == 1
    assert "NOT-VALIDATED" in done.stderr
    assert done.stdout == ""


def test_check_says_what_would_happen_without_side_effect(gateway: Gateway) -> None:
    good = gateway.run("check", HL7 / "oru_report.er7")
    assert good.returncode == 0, good.stdout
    unqualified = gateway.run("check", HL7 / "oru_unqualified.er7")
    assert unqualified.returncode == 0
    assert "INS-NOT-QUALIFIED" in unqualified.stdout
    assert gateway.rows("messages") == []


def test_the_received_bytes_can_be_had_again(gateway: Gateway) -> None:
    file = HL7 / "oru_report.er7"
    gateway.run("send", file, "--to", gateway.mllp)
    (row,) = gateway.rows("messages")
    raw = gateway.run("message", str(row["id"]), "--raw").stdout
    assert raw.encode().replace(b"\n", b"\r").rstrip() == file.read_bytes().replace(b"\n", b"\r").rstrip()


def test_doctor_finds_a_sound_installation_and_says_that_the_profile_is_fictive(gateway: Gateway) -> None:
    done = gateway.run("doctor")
    assert done.returncode == 0, done.stdout
    assert "fictive" in done.stdout
    assert "ledger" in done.stdout


def test_doctor_refuses_what_serve_refuses(gateway: Gateway, tmp_path: Path) -> None:
    """A key that is not there: every certificate alone looks sound."""
    gateway.environment["GATEWAY_MLLP__TLS_CERTIFICATE"] = str(pki().server.certificate)
    gateway.environment["GATEWAY_MLLP__TLS_KEY"] = str(tmp_path / "missing.key")
    asked, served = gateway.run("doctor"), gateway.run("serve")
    assert (asked.returncode, served.returncode) == (1, 1)
    assert "missing.key: no such file" in asked.stdout
    assert "missing.key: no such file" in served.stderr


def test_an_ipv6_gateway_is_operated_by_its_address(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    gateway = Gateway(tmp_path)
    gateway.serve(GATEWAY_HTTP__HOST="::1", GATEWAY_MLLP__HOST="::1")
    try:
        assert re.fullmatch(r"http://\[::1\]:\d+", gateway.http)
        assert gateway.run("send", HL7 / "oru_report.er7", "--to", gateway.mllp).returncode == 0
        assert gateway.run("pause", "folder").stdout == "folder: paused\n"
    finally:
        assert gateway.process is not None
        gateway.process.stop()


@pytest.mark.req("REQ-65")
def test_an_order_becomes_its_own_document_and_a_message_without_one_says_so(gateway: Gateway) -> None:
    order = gateway.run("convert", HL7 / "omi_ipc.er7", "--to", "cda")
    assert order.returncode == 0, order.stderr
    assert 'code="55115-0"' in order.stdout
    feed = gateway.run("convert", HL7 / "adt_a40_merge.er7", "--to", "cda")
    assert feed.returncode == 1
    assert "no such artefact" in feed.stderr
