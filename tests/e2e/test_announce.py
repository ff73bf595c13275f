"""Announcement and masks over sockets, as the simulated DMP and the patient's mailbox see them."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from conformance.demo.stage import Stage
from gateway import hl7v2
from gateway.connectors.mllp import connect
from tests.e2e.conftest import Gateway
from tests.stage_support import deliveries
from tests.support import FIXTURES, PATIENCE

REPORT = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes()
HIDDEN = REPORT + b"OBX|90|CE|INVISIBLE_PATIENT^^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F\r"


def send(stage: Stage, message: bytes) -> str:
    async def exchange() -> str:
        async with connect(*stage.mllp, timeout=10) as client:
            return hl7v2.read_ack((await client.exchange(message)).answer).code

    return asyncio.run(exchange())


def patients(stage: Stage) -> list[str]:
    """Mails to the patient, by the address that they went to."""
    addresses = (address for mail in stage.ledger("mssante") for address in mail["to"])
    return [address for address in addresses if address.endswith("@patient.mssante.fr")]


def masks(stage: Stage, number: int) -> list[str]:
    """Of the n-th document that the DMP got, as its metadata say them."""
    request = (stage.folder / "dmp" / "requests" / f"{number:06d}" / "request.mime").read_bytes()
    known = ("MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX")
    return [name for name in known if f'nodeRepresentation="{name}"'.encode() in request]


def command(stage: Stage, path: str) -> dict[str, Any]:
    answer = httpx.post(
        f"{stage.http}/api/reports/1/{path}",
        headers={"Authorization": f"Bearer {stage.token}", "X-Actor": "radiologue"},
    )
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


@pytest.mark.req("REQ-38", "REQ-39", "REQ-49")
def test_the_patient_sees_the_document_and_gets_the_mail_after_the_announcement(stage: Stage) -> None:
    assert send(stage, HIDDEN) == "AA"
    first = deliveries(stage, 5)
    assert masks(stage, 1) == ["INVISIBLE_PATIENT"]
    assert patients(stage) == []

    assert command(stage, "announce")["version"] == 2
    announced = deliveries(stage, len(first) + 3)
    assert len(announced) == len(first) + 3, "DMP, folder, patient: nobody else is mailed again"
    assert masks(stage, 2) == []
    assert patients(stage) == ["279035121518989@patient.mssante.fr"]
    one, two = stage.ledger("dmp")
    assert (one["errors"], two["errors"]) == ([], [])
    assert command(stage, "announce")["version"] is None

    assert command(stage, "mask?flag=MASQUE_PS")["version"] == 3
    deliveries(stage, len(announced) + 2)
    assert masks(stage, 3) == ["MASQUE_PS"]
    assert len(patients(stage)) == 1
    assert {mail["result"] for mail in stage.ledger("mssante")} == {"ok"}


@pytest.mark.req("REQ-38", "REQ-39")
def test_the_verbs_work_with_and_without_a_server(gateway: Gateway) -> None:
    path = gateway.folder / "hidden.er7"
    path.write_bytes(HIDDEN)
    assert gateway.run("send", path, "--to", gateway.mllp).returncode == 0
    assert gateway.run("announce", "1").stdout == "1: version 2 is made\n"
    again = gateway.run("announce", "1", "--json")
    assert (again.returncode, json.loads(again.stdout)["done"]) == (0, True)
    assert "equals the version already taken" in again.stdout
    refused = gateway.run("mask", "1", "--flag", "DESTDMP")
    assert (refused.returncode, refused.stdout) == (
        1,
        "1: This is not a mask of the DMP. Name MASQUE_PS, INVISIBLE_PATIENT or "
        "INVISIBLE_REPRESENTANTS_LEGAUX.\n",
    )
    assert gateway.run("announce", "99").stdout == "99: no report 99\n"
    assert gateway.process is not None
    gateway.process.kill()
    assert gateway.run("mask", "1", "--flag", "MASQUE_PS").stdout == "1: version 3 is made\n"
    assert gateway.run("mask", "1", "--flag", "MASQUE_PS", "--off").stdout == "1: version 4 is made\n"
    assert gateway.run("announce", "99").stdout == "99: no report 99\n"
    assert gateway.run("doctor").returncode == 0


@pytest.mark.req("REQ-40")
def test_a_report_is_withdrawn_with_and_without_a_server(gateway: Gateway) -> None:
    for number in ("1", "2"):
        path = gateway.folder / f"{number}.er7"
        path.write_bytes(REPORT.replace(b"000042", b"00004" + number.encode()))
        assert gateway.run("send", path, "--to", gateway.mllp).returncode == 0
    end = time.monotonic() + PATIENCE
    while len(gateway.rows("deliveries", "--state", "delivered")) < 2:
        assert time.monotonic() < end
        time.sleep(0.2)
    done = gateway.run("withdraw", "1")
    assert (done.returncode, "withdrawn wherever it had arrived" in done.stdout) == (0, True), done.stdout
    while len(list(gateway.outbox.glob("[!.]*_v2/summary.json"))) < 1:
        assert time.monotonic() < end
        time.sleep(0.2)
    assert gateway.process is not None
    gateway.process.kill()
    assert gateway.run("withdraw", "2").returncode == 0
    assert "withdrawn before" in gateway.run("withdraw", "2").stdout
    assert gateway.run("withdraw", "99").returncode == 1
    deletions = [row for row in gateway.rows("deliveries") if row["action"] == "delete"]
    assert sorted(row["state"] for row in deletions) == ["delivered", "pending"]
    assert gateway.run("doctor").returncode == 0
