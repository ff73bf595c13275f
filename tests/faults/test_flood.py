"""Many large messages at the same moment: each is taken, and the intake does not grow with their number.

Sixteen of 25 MB need 400 MB for their bytes alone. They wait outside: the kernel's buffers, and the senders.
"""

import asyncio
import base64
import random
import re
from pathlib import Path

import pytest

from gateway.connectors.mllp_client import connect
from gateway.hl7v2 import read_ack
from tests.e2e.conftest import Gateway
from tests.faults.support import LONG
from tests.support import FIXTURES

SENDERS, SIZE, MOST = (16, 25_000_000, 300) if LONG else (12, 10_000_000, 230)
"""`MOST`: megabytes of the intake, as the kernel counts them (`VmHWM`)."""


def message(number: int) -> bytes:
    """A preliminary report with a PDF of SIZE: kept, and nothing is made of it."""
    noise = base64.b64encode(b"%PDF-1.4\n" + random.Random(number).randbytes(SIZE))
    raw = (FIXTURES / "hl7v2" / "oru_preliminary.er7").read_bytes().rstrip(b"\r\n")
    control = raw.split(b"|", 10)[9]
    raw = raw.replace(b"|" + control + b"|", b"|FLOOD%d|" % number, 1)
    return raw + b"\rOBX|90|ED|^^^||^application^pdf^Base64^" + noise + b"||||||P\r"


async def send(host: str, port: int, number: int) -> str:
    async with connect(host, port, timeout=250) as client:
        return read_ack((await client.exchange(message(number))).answer).code


async def all_at_once(host: str, port: int) -> list[str]:
    return list(await asyncio.gather(*(send(host, port, number) for number in range(SENDERS))))


def peak(process: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from Linux's /proc")
@pytest.mark.req("REQ-77")
@pytest.mark.timeout(400)
def test_large_messages_of_many_senders_wait_outside(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    gateway.serve()
    assert gateway.process is not None
    try:
        host, _, port = gateway.mllp.removeprefix("mllp://").rpartition(":")
        assert asyncio.run(all_at_once(host, int(port))) == ["AA"] * SENDERS
        assert peak(gateway.process.pid) < MOST
        assert {row["state"] for row in gateway.rows("messages")} == {"held"}
        assert "timed out" not in (gateway.folder / "log").read_text()
    finally:
        gateway.process.stop()
