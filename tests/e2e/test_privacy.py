"""Logs of a whole run hold neither identity nor clinical text."""

import asyncio

import pytest

from conformance.demo.scenario import MESSAGES, STEPS
from conformance.demo.stage import Stage
from gateway.connectors.mllp import connect

SECRETS = ("279035121518989", "PAT-TROIS", "DOMINIQUE", "19790328", "1979-03-28", "phalées", "contraste")


@pytest.mark.req("REQ-70")
def test_no_identity_and_no_clinical_text_reaches_a_log(stage: Stage) -> None:
    async def send() -> None:
        async with connect(*stage.mllp) as client:
            for step in STEPS:
                data = (MESSAGES / step.file).read_bytes()
                if data.startswith(b"MSH"):
                    await client.exchange(data)
                    await client.exchange(data[: len(data) // 2])  # broken: its refusal is logged, too
            await client.exchange("PAT-TROIS DOMINIQUE 279035121518989, céphalées".encode())

    asyncio.run(send())
    stage.stop()
    log = (stage.folder / "gateway.log").read_text()
    assert log.count("\n") > 2
    for secret in SECRETS:
        assert secret not in log
