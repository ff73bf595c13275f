"""Logs of a whole run hold neither identity nor clinical text."""

import asyncio

import pytest

from conformance.demo.scenario import MESSAGES, STEPS
from conformance.demo.stage import Stage
from gateway.connectors.mllp import connect

SECRETS = ("279035121518989", "PAT-TROIS", "DOMINIQUE", "19790328", "1979-03-28", "phalées", "contraste")


async def begin(stage: Stage, part: bytes) -> None:
    """Half a frame, then it begins again: the server drops it, and says so in its log."""
    reader, writer = await asyncio.open_connection(*stage.mllp)
    writer.write(b"\x0b" + part + b"\x0bMSH|\x1c\r")
    await reader.readuntil(b"\x1c\r")
    writer.close()


@pytest.mark.req("REQ-70")
def test_no_identity_and_no_clinical_text_reaches_a_log(stage: Stage) -> None:
    async def send() -> None:
        async with connect(*stage.mllp) as client:
            for step in STEPS:
                data = (MESSAGES / step.file).read_bytes()
                if data.startswith(b"MSH"):
                    await client.exchange(data)
                    await client.exchange(data[: len(data) // 2])
                    await begin(stage, data[: len(data) // 2])
            await client.exchange("PAT-TROIS DOMINIQUE 279035121518989, céphalées".encode())

    asyncio.run(send())
    stage.stop()
    log = (stage.folder / "gateway.log").read_text()
    assert log.count("partial frame dropped") >= 2
    for secret in SECRETS:
        assert secret not in log
