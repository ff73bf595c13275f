"""The wall clock jumps; another process holds the store."""

import sqlite3
import time
from pathlib import Path

import pytest

from conformance.demo.stage import Stage
from tests.faults.points import clock
from tests.faults.support import LONG, Account, compare, control, drained, message, rows, run, send
from tests.support import PATIENCE

DAY = 86_400


def set_clock(stage: Stage, seconds: int) -> None:
    fresh = stage.folder / "clock.new"
    fresh.write_text(str(seconds))
    fresh.rename(stage.folder / "clock")


@pytest.mark.req("REQ-78")
@pytest.mark.parametrize(
    "jumps", [(2 * DAY, 0), (-2 * DAY, 0), (30, -30)] if LONG else [(2 * DAY, 0)], ids=str
)
def test_what_waits_is_delivered_once_and_in_order_over_jumps_of_the_clock(
    stage: Stage, jumps: tuple[int, int]
) -> None:
    """Each jump comes while deliveries wait for their next try. A DMP refuses who comes two days too early or
    too late, so that all is delivered when the clock is right again."""
    assert stage.gateway is not None
    stage.gateway.stop()
    stage.serve(**clock(stage.folder))
    account = Account()
    for number, jump in enumerate(jumps):
        control(stage, "dmp", "500")
        run(send(stage, account, [message(number)]))
        waits(stage)
        set_clock(stage, jump)
        run(send(stage, account, [message(number, 2), message(10 + number)]))
        control(stage, "dmp", "ok")
    assert account.codes() == {"AA"}
    assert {row["state"] for row in drained(stage)} <= {"delivered", "cancelled"}
    result = compare(stage, account)
    assert result.problems == (), str(result)


def waits(stage: Stage) -> None:
    """Until a delivery waits for its next try."""
    end = time.monotonic() + PATIENCE
    while not stage.api("/api/deliveries?state=waiting")["items"]:
        assert time.monotonic() < end, rows(stage)
        time.sleep(0.1)


@pytest.mark.req("REQ-78")
def test_while_another_process_holds_the_store_the_answer_is_ar_and_after_it_all_goes_on(
    stage: Stage,
) -> None:
    account = Account()
    run(send(stage, account, [message(1)]))
    database: Path = stage.folder / "gateway" / "gateway.db"
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    run(send(stage, account, [message(2)]))
    assert account.told["FAULT-2-1"] == "AR"
    other.execute("ROLLBACK")
    other.close()
    run(send(stage, account, [message(2)]))
    assert account.codes() == {"AA"}
    assert {row["state"] for row in drained(stage)} == {"delivered"}
    result = compare(stage, account)
    assert result.problems == (), str(result)
