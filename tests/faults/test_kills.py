"""kill -9 at random moments under load: 0 lost, 0 twice, 0 out of order (REQ-78)."""

import asyncio
import random

import pytest

from conformance.demo.stage import Stage
from tests.faults.support import LONG, Account, compare, drained, message, send

ROUNDS = 200 if LONG else 3


@pytest.mark.req("REQ-78")
@pytest.mark.timeout(14400 if LONG else 600)
def test_random_kills_under_load(stage: Stage) -> None:
    account, draw = Account(), random.Random(78)  # moments, no secret

    async def load(round_: int) -> None:
        lanes = [
            [message(1000 * round_ + 100 * lane + number // 2, 1 + number % 2) for number in range(20)]
            for lane in range(3)
        ]
        sending = [asyncio.create_task(send(stage, account, lane)) for lane in lanes]
        await asyncio.sleep(draw.uniform(0.05, 1.5))
        assert stage.gateway is not None
        stage.gateway.kill()
        await asyncio.gather(*sending)

    for round_ in range(ROUNDS):
        asyncio.run(load(round_))
        stage.serve()
    found = drained(stage, 1800 if LONG else 240)
    assert {row["state"] for row in found} <= {"delivered", "cancelled", "ambiguous"}
    result = compare(stage, account)
    assert result.problems == (), str(result)
    assert result.figures["acknowledged"] > 0
