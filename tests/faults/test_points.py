"""kill -9 at each named point (tests/faults/points.py), on SQLite: nothing is lost, nothing is sent twice."""

import asyncio
from collections import Counter
from contextlib import suppress

import pytest

from conformance.demo.processes import NotReadyError
from conformance.demo.stage import Stage
from tests.faults.points import POINTS, Point, arm, environment
from tests.faults.support import (
    LONG,
    Account,
    compare,
    drained,
    message,
    send,
    sent_until_taken,
    served_again,
    struck,
)

VICTIMS = (False, True) if LONG else (False,)
"""Who dies: the process that comes by, or gateway and workers together."""
WORKER = ("gateway.pipeline.worker_", "gateway.pipeline.journal:Journal")


@pytest.mark.req("REQ-43", "REQ-78")
@pytest.mark.timeout(3600 if LONG else 600)
def test_a_death_at_each_point_loses_and_repeats_nothing(stage: Stage) -> None:
    account = Account()
    assert stage.gateway is not None
    stage.gateway.stop()
    stage.serve(**environment(stage.folder))
    deaths = [(point, everyone) for everyone in VICTIMS for point in POINTS if LONG or point.short]
    for number, (point, everyone) in enumerate(deaths):
        die_at(stage, account, point, everyone=everyone, number=number)
        result = compare(stage, account)
        assert result.problems == (), f"{point.name}: {result}"
    states = Counter(row["state"] for row in drained(stage))
    assert set(states) <= {"delivered", "ambiguous"}, states
    assert account.codes() == {"AA"}


def die_at(stage: Stage, account: Account, point: Point, *, everyone: bool, number: int) -> None:
    """One message whose way ends at the point, then the restart, and what a sender does: send again."""
    one = message(number)
    before = ambiguous(stage)
    if point.where.endswith(":forget"):  # passed at a start only
        arm(stage.folder, point, everyone=everyone)
        assert stage.gateway is not None
        stage.gateway.kill()
        with suppress(NotReadyError):
            stage.serve(**environment(stage.folder))
    else:
        arm(stage.folder, point, everyone=everyone)
        asyncio.run(send(stage, account, [one]))
    struck(stage, account, point, one[0])
    if everyone or not point.where.startswith(WORKER):
        served_again(stage)
    sent_until_taken(stage, account, point, one)
    unknown = sum(row["state"] == "ambiguous" for row in drained(stage)) - before
    assert unknown <= (2 if point.mail_may_be_unknown else 0), point.name  # to the doctor, to the patient


def ambiguous(stage: Stage) -> int:
    return len(stage.api("/api/deliveries?state=ambiguous&limit=500")["items"])
