"""kill -9 of the server during load: what was acknowledged is delivered, once."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

import pytest

from conformance.demo.stage import Stage, settled
from gateway import hl7v2
from gateway.connectors.mllp import connect
from tests.support import FIXTURES

TEMPLATE = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes()


def variant(number: int) -> bytes:
    """The same exam under other numbers: control id, filler and accession."""
    return (
        TEMPLATE.replace(b"CR-2021-000042", b"CR-KILL-%06d" % number)
        .replace(b"105234751", b"7%08d" % number)
        .replace(b"|P|2.5", b"|P|2.5", 1)
    )


async def load(
    stage: Stage, numbers: range, taken: list[int], enough: asyncio.Event | None = None, mark: int = 0
) -> None:
    """Send until the server dies; remember what was acknowledged, and say when `mark` are."""
    with suppress(OSError, TimeoutError, ConnectionError):
        async with connect(*stage.mllp, timeout=10) as client:
            for number in numbers:
                answer = hl7v2.read_ack((await client.exchange(variant(number))).answer)
                assert answer.code == "AA", answer
                taken.append(number)
                if enough is not None and len(taken) >= mark:
                    enough.set()


@pytest.mark.req("REQ-43", "REQ-78")
def test_every_acknowledged_message_is_delivered_once_over_kills(stage: Stage) -> None:
    taken: list[int] = []

    async def lanes(base: int, enough: asyncio.Event | None = None, mark: int = 0) -> None:
        starts = (base + lane * 100 for lane in range(4))
        await asyncio.gather(
            *(load(stage, range(start, start + 20), taken, enough, mark) for start in starts)
        )

    async def killed_in_the_middle(base: int) -> None:
        enough = asyncio.Event()
        running = asyncio.create_task(lanes(base, enough, len(taken) + 25))
        await enough.wait()
        assert stage.gateway is not None
        stage.gateway.kill()
        await running

    for round_ in (1, 2, 3):
        asyncio.run(killed_in_the_middle(1000 * round_))
        stage.serve()
    asyncio.run(lanes(5000))

    rows: list[dict[str, object]] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        rows = stage.api("/api/deliveries?limit=500")["items"]
        if rows and settled(rows):
            break
        time.sleep(0.2)
    assert Counter(row["state"] for row in rows) == {"delivered": len(rows)}
    assert len(taken) >= 3 * 25 + 80

    stored = [
        document["uniqueId"]
        for entry in stage.ledger("dmp")
        if entry["result"] == "Success"
        for document in entry["documents"]
        if not document["duplicate"]
    ]
    mails = [entry["message_id"] for entry in stage.ledger("mssante")]
    assert len(stored) == len(set(stored)) >= len(taken)
    assert len(mails) == len(set(mails)) == 2 * len(stored)
