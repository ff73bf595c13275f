"""A report that went everywhere is taken back everywhere, by the installed commands and real sockets."""

import asyncio
import time
from typing import Any

import pytest

from conformance.demo.stage import Stage, settled
from conformance.reconcile import load, reconcile
from gateway.connectors.mllp import connect
from gateway.hl7v2 import read_ack
from tests.support import FIXTURES, PATIENCE

WHERE = {"dmp", "folder", "mssante-patient", "mssante-ps"}


def send(stage: Stage, name: str) -> None:
    data = (FIXTURES / "hl7v2" / f"{name}.er7").read_bytes()

    async def exchange() -> str:
        async with connect(*stage.mllp) as client:
            return read_ack((await client.exchange(data)).answer).code

    assert asyncio.run(exchange()) == "AA"


def at_rest(stage: Stage, count: int) -> list[dict[str, Any]]:
    """The deliveries, oldest first, once there are `count` and nothing more happens."""
    end = time.monotonic() + PATIENCE
    while True:
        rows = sorted(stage.api("/api/deliveries")["items"], key=lambda row: int(row["id"]))
        if len(rows) >= count and settled(rows):
            return rows
        assert time.monotonic() < end, rows
        time.sleep(0.1)


@pytest.mark.req("REQ-40", "REQ-42", "REQ-55", "REQ-78")
def test_what_went_everywhere_is_taken_back_everywhere(stage: Stage) -> None:
    send(stage, "oru_pdf")
    at_rest(stage, 4)
    send(stage, "oru_withdrawn")
    rows = at_rest(stage, 8)
    assert {row["state"] for row in rows} == {"delivered"}
    assert {row["destination"] for row in rows if row["action"] == "delete"} == WHERE
    assert stage.api("/api/reports/1")["status"] == "entered-in-error"

    fed, deleted = stage.ledger("dmp")
    assert (fed["result"], deleted["result"]) == ("Success", "Deleted")
    assert deleted["uniqueId"] == fed["uniqueId"]

    mails = stage.ledger("mssante")
    assert sorted(mail["action"] for mail in mails) == ["", "", "D", "D"]
    assert {mail["to"][0] for mail in mails[:2]} == {mail["to"][0] for mail in mails[2:]}, "the same people"
    assert {mail["result"] for mail in mails} == {"ok"}
    cancelled = (stage.folder / "mssante" / mails[-1]["files"][0]).read_bytes()
    assert b"est annul=C3=A9" in cancelled

    result = reconcile(
        {},
        stage.folder / "gateway" / "gateway.db",
        dmp=load(stage.folder / "dmp" / "ledger.jsonl"),
        mssante=load(stage.folder / "mssante" / "ledger.jsonl"),
        folder=stage.folder / "gateway" / "outbox",
    )
    assert result.problems == (), result
