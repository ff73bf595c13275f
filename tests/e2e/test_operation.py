"""The operator's verbs against a running server and a stopped one; backup; evidence."""

import hashlib
import json
import re
import time
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Gateway
from tests.support import FIXTURES, PATIENCE

MESSAGE = FIXTURES / "hl7v2" / "oru_report.er7"


def send(gateway: Gateway, path: Path = MESSAGE) -> None:
    assert gateway.run("send", path, "--to", gateway.mllp).returncode == 0


def wait_for(gateway: Gateway, state: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        rows = gateway.rows("deliveries")
        if rows and all(row["state"] == state for row in rows):
            return
    raise AssertionError(f"deliveries did not become {state}")


def test_a_paused_destination_waits_and_goes_on_when_it_is_resumed(gateway: Gateway) -> None:
    assert gateway.run("pause", "folder").stdout == "folder: paused\n"
    send(gateway)
    wait_for(gateway, "pending")
    assert httpx.get(f"{gateway.http}/readyz").json()["destinations"] == {"folder": "paused"}
    (told,) = [row["text"] for row in gateway.rows("doctor") if "gateway resume" in row["text"]]
    assert re.fullmatch(r"paused: .*; 1 deliveries wait, the oldest for \d+ (s|min)", told), told
    assert gateway.run("resume", "folder").stdout == "folder: working\n"
    wait_for(gateway, "delivered")
    assert gateway.process is not None
    gateway.process.stop()
    assert "outcomes recovered" not in (gateway.folder / "log").read_text(), "it was stopped, not killed"


def test_verbs_say_why_a_delivery_does_not_take_them(gateway: Gateway) -> None:
    gateway.run("pause", "folder")
    send(gateway)
    wait_for(gateway, "pending")
    refused = gateway.run("release", "1")
    assert (refused.returncode, refused.stdout) == (1, "1: delivery 1 is pending: release is for withheld\n")
    assert gateway.run("retry", "99").stdout == "99: no delivery 99\n"
    assert gateway.run("cancel", "1").stdout == "1: cancelled\n"
    assert gateway.run("pause", "nowhere").returncode == 2


def test_wrong_use_ends_with_2_and_a_sentence(gateway: Gateway, tmp_path: Path) -> None:
    """Never with a traceback: it is read at 3 a.m., and by scripts."""
    too_large = "9" * 20
    for wrong in (
        ("message", too_large),
        ("delivery", too_large),
        ("retry", too_large),
        ("announce", too_large),
        ("messages", "--limit", "-1"),
        ("deliveries", "--destination", "dpm"),
        ("evidence", too_large, "--out", tmp_path / "x.zip"),
    ):
        done = gateway.run(*wrong)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), (wrong, done.stderr)
    for refused in (("delivery", "99"), ("export", "--out", tmp_path / "no" / "x.zip")):
        done = gateway.run(*refused)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), (refused, done.stderr)


def test_a_delivery_is_shown_with_what_its_peer_said(gateway: Gateway) -> None:
    send(gateway)
    wait_for(gateway, "delivered")
    (row,) = gateway.rows("deliveries", "--destination", "folder")
    lines = gateway.run("delivery", str(row["id"])).stdout.splitlines()
    title, made = lines[lines.index("attempts") + 1 :]
    assert title.split() == ["number", "started_at", "ended_at", "kind", "detail"]
    assert made.split()[3:] == ["delivered", "written"]


def test_the_api_answers_409_and_404_and_wants_the_token(gateway: Gateway) -> None:
    gateway.run("pause", "folder")
    send(gateway)
    wait_for(gateway, "pending")
    token = (gateway.folder / "var" / "admin-token").read_text().strip()
    head = {"Authorization": f"Bearer {token}"}

    def status(path: str, **headers: str) -> int:
        return httpx.post(f"{gateway.http}{path}", headers=headers).status_code

    assert status("/api/deliveries/1/retry") == 401
    assert status("/api/deliveries/1/retry", **head) == 409
    assert status("/api/deliveries/9/retry", **head) == 404
    assert status("/api/deliveries/1/explode", **head) == 404
    assert status("/api/destinations/nowhere/pause", **head) == 404
    assert status("/api/deliveries/1/cancel", **head) == 200


@pytest.mark.req("REQ-43")
def test_without_a_server_the_verbs_work_on_the_store(gateway: Gateway) -> None:
    gateway.run("pause", "folder")
    send(gateway)
    wait_for(gateway, "pending")
    assert gateway.process is not None
    gateway.process.kill()
    assert gateway.run("cancel", "1").stdout == "1: cancelled\n"
    assert gateway.run("resume", "folder").stdout == "folder: working\n"
    assert gateway.run("doctor").returncode == 0


@pytest.mark.req("REQ-68")
def test_a_backup_beside_the_running_server_is_a_data_folder(gateway: Gateway, tmp_path: Path) -> None:
    gateway.run("pause", "folder")
    send(gateway)
    wait_for(gateway, "pending")
    copy = tmp_path / "copy"
    assert gateway.run("db", "backup", copy).returncode == 0
    assert gateway.run("db", "backup", copy).returncode == 1  # never over another
    assert gateway.process is not None
    gateway.process.kill()
    restored = Gateway(tmp_path / "restored")
    restored.environment["GATEWAY_DATA_DIR"] = str(copy)
    restored.serve()
    try:
        assert restored.run("resume", "folder").returncode == 0
        wait_for(restored, "delivered")
        assert restored.run("doctor").returncode == 0
    finally:
        assert restored.process is not None
        restored.process.stop()


@pytest.mark.req("REQ-69")
def test_evidence_holds_the_chain_and_every_file_has_its_hash(gateway: Gateway, tmp_path: Path) -> None:
    send(gateway)
    wait_for(gateway, "delivered")
    out = tmp_path / "proof.zip"
    done = gateway.run("evidence", "1", "--out", out)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(out) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    sums = dict(reversed(line.split("  ")) for line in content.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    assert content["messages/1/received"] == MESSAGE.read_bytes().rstrip(b"\n")
    facts = json.loads(content["evidence.json"])
    (version,) = facts["versions"]
    for document in version["documents"]:
        assert hashlib.sha256(content[document["file"]]).hexdigest() == document["sha256"]
    assert [one["outcome"]["kind"] for one in facts["deliveries"][0]["attempts_made"]] == ["delivered"]
    assert [row["action"] for row in facts["audit"]] == ["attempt"]
    assert "PAT-TROIS" in content["versions/1/report.json"].decode()


def test_a_document_that_our_own_checks_refuse_can_be_looked_at(gateway: Gateway, tmp_path: Path) -> None:
    """A structure that nobody described: its CDA has no practice setting, which the rules demand."""
    told = b"CLINIQUE FICTIVE^^^^^ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO^FINEG^^^750000001"
    line = next(one for one in MESSAGE.read_bytes().split(b"\r") if one.startswith(b"ORC"))
    fields = line.split(b"|") + [b""] * 22
    fields[21] = told
    message = tmp_path / "elsewhere.er7"
    message.write_bytes(MESSAGE.read_bytes().replace(line, b"|".join(fields[:22])))
    send(gateway, message)
    wait_for(gateway, "blocked")
    out = tmp_path / "proof.zip"
    assert gateway.run("evidence", "1", "--out", out).returncode == 0
    with zipfile.ZipFile(out) as archive:
        (version,) = json.loads(archive.read("evidence.json"))["versions"]
        refused = archive.read(version["judgement"]["file"])
    assert version["documents"] == []
    assert version["judgement"]["blocked"] == "STRUCTURE-MISSING"
    assert b"<ClinicalDocument" in refused
    assert hashlib.sha256(refused).hexdigest() == version["judgement"]["sha256"]


def test_redacted_evidence_names_nobody(gateway: Gateway, tmp_path: Path) -> None:
    send(gateway)
    wait_for(gateway, "delivered")
    out = tmp_path / "proof.zip"
    assert gateway.run("evidence", "1", "--out", out, "--redact").returncode == 0
    with zipfile.ZipFile(out) as archive:
        assert set(archive.namelist()) == {"evidence.json", "evidence.html", "SHA256SUMS"}
    assert out.stat().st_mode & 0o777 == 0o600
    again = gateway.run("evidence", "1", "--out", out)
    assert (again.returncode, again.stderr) == (1, f"gateway: {out} exists already\n")
    with zipfile.ZipFile(out) as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    for private in ("PAT-TROIS", "279035121518989", "CR-2021-000042", "RIS-2021-000042"):
        assert private not in text
