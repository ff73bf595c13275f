"""kill -9 on the way of a withdrawal: the report is deleted everywhere it went, once, whoever dies."""

import asyncio
from typing import Any

import pytest

from conformance.demo.stage import Stage
from tests.faults.points import WITHDRAWAL_POINTS, Point, arm, environment
from tests.faults.support import (
    LONG,
    TEMPLATE,
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


@pytest.mark.req("REQ-40", "REQ-43", "REQ-78")
@pytest.mark.timeout(3600 if LONG else 600)
def test_a_death_at_each_point_of_a_withdrawal_deletes_once(stage: Stage) -> None:
    account = Account()
    assert stage.gateway is not None
    stage.gateway.stop()
    stage.serve(**environment(stage.folder))
    deaths = [(point, who) for who in VICTIMS for point in WITHDRAWAL_POINTS if LONG or point.short]
    reports = [message(number) for number in range(len(deaths))]
    asyncio.run(send(stage, account, reports))
    drained(stage)
    for number, (point, everyone) in enumerate(deaths):
        die_at(stage, account, point, everyone=everyone, number=number)
        result = compare(stage, account)
        assert result.problems == (), f"{point.name}: {result}"
    rows = drained(stage)
    assert account.codes() == {"AA"}
    of_dmp = [row for row in rows if row["destination"] == "dmp"]
    assert {row["state"] for row in of_dmp} == {"delivered"}
    results = [one["result"] for one in stage.ledger("dmp")]
    assert (results.count("Success"), results.count("Deleted")) == (len(deaths), len(deaths))


def withdrawal(number: int) -> tuple[str, bytes]:
    """(control id, frame) of the message that takes `message(number)` back."""
    control_id, data = message(number)
    gone = f"{control_id}-D"
    assert b"ORC|NW|" in TEMPLATE
    frame = data.replace(control_id.encode(), gone.encode()).replace(b"ORC|NW|", b"ORC|CA|")
    frame = frame.replace(b"||||||F\r", b"||||||D\r").replace(b"||CT|F|", b"||CT|D|")
    return gone, frame


def die_at(stage: Stage, account: Account, point: Point, *, everyone: bool, number: int) -> None:
    """One withdrawal whose way ends at the point, the restart, and what a sender does: send again."""
    one = withdrawal(number)
    arm(stage.folder, point, everyone=everyone)
    asyncio.run(send(stage, account, [one]))
    struck(stage, account, point, one[0])
    if everyone or point.where.startswith("gateway.store."):
        served_again(stage)
    sent_until_taken(stage, account, point, one)
    rows = drained(stage)
    assert deletions(rows, number) <= {"delivered", "ambiguous"}, point.name


def deletions(rows: list[dict[str, Any]], number: int) -> set[str]:
    """States of the deletions of a report; reports are numbered in the order of their messages."""
    return {row["state"] for row in rows if row["action"] == "delete" and row["report_id"] == str(number + 1)}
