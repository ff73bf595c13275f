"""A peer that is gone while messages keep coming: the queue takes them, and drains when it is back."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.arrivals import drained
from bench.load import Figures, steady
from bench.system import family, resident, role
from conformance.demo.stage import Stage
from conformance.simulators.hold import Judge
from tests.faults.conftest import ImpatientStage
from tests.faults.support import LONG, Account, compare, rows, taken

SECONDS, RATE = (180.0, 50.0) if LONG else (5.0, 40.0)
MEMORY = 300.0
"""MB that one process of the gateway may take."""
DRAINING = 900.0 if LONG else 240.0
"""Seconds."""
ONE_PEER = {"GATEWAY_MSSANTE__HOST": "", "GATEWAY_FOLDER__ENABLED": "false"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Its peers judge when all has arrived: beside 10 800 reports they would take half of the cores."""
    one = ImpatientStage(tmp_path / "stage", judge=Judge.LATER)
    one.start()
    yield one
    one.stop()


@pytest.mark.req("REQ-43", "REQ-78")
@pytest.mark.timeout(1800 if LONG else 600)
def test_a_peer_that_is_gone_for_a_while_loses_nothing_and_harms_no_intake(stage: Stage) -> None:
    assert stage.gateway is not None
    stage.gateway.stop()
    stage.serve(**ONE_PEER)
    before = load(stage, "BEFORE", SECONDS / 5)
    drained(stage, DRAINING)
    stage.down("dmp")
    during = load(stage, "DURING", SECONDS)
    assert before.refused == during.refused == 0
    waiting = Counter(row["state"] for row in stage.api("/api/deliveries?limit=500")["items"])
    assert waiting["delivered"] < 500, "the peer is gone"
    assert stage.api("/readyz")["status"] == "ready"
    assert all(size < MEMORY for size in memory(stage).values()), memory(stage)
    stage.up("dmp")
    drained(stage, DRAINING)
    assert {row["state"] for row in rows(stage)} == {"delivered"}
    account = Account({one["control_id"]: "AA" for one in taken(stage)})
    assert len(account.told) == before.taken + during.taken
    result = compare(stage, account)
    assert result.problems == (), str(result)
    figures = {
        "p95 ms before": round(before.percentile(0.95), 1),
        "p95 ms while it is gone": round(during.percentile(0.95), 1),
        "messages": before.taken + during.taken,
        "MB": memory(stage),
    }
    print(json.dumps(figures))  # -s shows it: a figure, no verdict


def load(stage: Stage, prefix: str, seconds: float) -> Figures:
    return asyncio.run(steady(stage.mllp[1], connections=8, seconds=seconds, rate=RATE, prefix=prefix))


def memory(stage: Stage) -> dict[str, float]:
    """The most resident MB of each kind of process of the gateway."""
    assert stage.gateway is not None
    sizes: dict[str, float] = {}
    for pid in family(stage.gateway.pid):
        sizes[role(pid)] = max(sizes.get(role(pid), 0.0), round(resident(pid), 1))
    return sizes
