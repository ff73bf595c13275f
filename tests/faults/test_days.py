"""A steady load, then a burst, with every destination: what was acknowledged arrives, each once and in order.

The short form of `python -m bench days`, which also measures; here only numbers of messages count.
"""

import asyncio

import pytest

from bench.days import CONNECTIONS, LOADS
from bench.load import steady
from conformance.demo.stage import Stage
from tests.faults.support import LONG, Account, compare, drained, taken

SHARES = (0.1, 0.1) if LONG else (0.006, 0.02)
"""Of the lengths of the loads: 36 and 60 messages in the short form."""


@pytest.mark.req("REQ-77")
@pytest.mark.timeout(1200 if LONG else 300)
def test_a_steady_load_and_a_burst_lose_nothing(stage: Stage) -> None:
    sent = 0
    for (rate, seconds), share in zip(LOADS, SHARES, strict=True):
        load = steady(
            stage.mllp[1],
            connections=CONNECTIONS,
            seconds=seconds * share,
            rate=rate,
            prefix=f"d{rate:g}",
        )
        figures = asyncio.run(load)
        assert figures.refused == 0
        sent += figures.taken
    rows = drained(stage, 600 if LONG else 200)
    account = Account({one["control_id"]: "AA" for one in taken(stage)})
    assert len(account.told) == sent
    assert {row["destination"] for row in rows} >= {"dmp", "mssante-ps", "folder"}
    assert {row["state"] for row in rows} == {"delivered"}
    result = compare(stage, account)
    assert result.problems == (), str(result)
