"""kill -9 at random moments under load: 0 lost, 0 twice, 0 out of order (REQ-78).

Every other round strikes while documents are being delivered, every fourth takes the workers along.
"""

import asyncio
import os
import random
import signal
import time
from contextlib import suppress

import pytest

from bench.system import family
from conformance.demo.stage import Stage
from tests.faults.support import LONG, Account, compare, drained, message, send
from tests.support import PATIENCE

ROUNDS, EACH = (200, 20) if LONG else (4, 8)
"""EACH: messages of one sender in a round, two versions of each report."""


@pytest.mark.req("REQ-43", "REQ-78")
@pytest.mark.timeout(14400 if LONG else 600)
def test_random_kills_under_load(stage: Stage) -> None:
    account, draw = Account(), random.Random(78)  # moments, no secret

    async def load(round_: int) -> None:
        lanes = [
            [message(1000 * round_ + 100 * lane + number // 2, 1 + number % 2) for number in range(EACH)]
            for lane in range(3)
        ]
        before = arrived(stage)
        sending = [asyncio.create_task(send(stage, account, lane)) for lane in lanes]
        if round_ % 2:
            end = time.monotonic() + PATIENCE
            while arrived(stage) == before:
                assert time.monotonic() < end, "nothing is delivered"
                await asyncio.sleep(0.05)
        await asyncio.sleep(draw.uniform(0.05, 1.5))
        kill(stage, workers_too=round_ % 4 == 3)
        await asyncio.gather(*sending)

    for round_ in range(ROUNDS):
        asyncio.run(load(round_))
        stage.serve()
    found = drained(stage, 3600 if LONG else 240)
    assert {row["state"] for row in found} <= {"delivered", "cancelled", "ambiguous", "pending"}
    result = compare(stage, account)
    print(result)  # -s shows the figures
    assert result.problems == (), str(result)
    assert result.figures["acknowledged"] > 0
    assert result.figures["delivered"] > 0


def arrived(stage: Stage) -> int:
    """Bytes of the peers' ledgers: they grow with everything that comes."""
    ledgers = (stage.folder / kind / "ledger.jsonl" for kind in ("dmp", "mssante"))
    return sum(ledger.stat().st_size for ledger in ledgers if ledger.exists())


def kill(stage: Stage, *, workers_too: bool) -> None:
    """kill -9 of the gateway; a power cut takes its workers and mappers along."""
    assert stage.gateway is not None
    rest = family(stage.gateway.pid)[1:] if workers_too else ()
    stage.gateway.kill()
    for process in rest:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
