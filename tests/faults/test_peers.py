"""Peers that answer late, never, twice, with 500, with half an answer, or take and then cut the line."""

from collections import Counter
from itertools import cycle

import pytest

from conformance.demo.stage import Stage
from tests.faults.support import LONG, Account, compare, control, drained, message, run, send

DMP_MODES = ("500", "busy", "lost", "drop", "half", "twice", "never", "slow")


@pytest.mark.req("REQ-43", "REQ-78")
def test_a_dmp_that_misbehaves_gets_every_document_once(stage: Stage) -> None:
    """A resend of the same uniqueId and hash is safe: the registry keeps one document (decision 10)."""
    account = Account()
    rounds = 10 * len(DMP_MODES) if LONG else len(DMP_MODES)
    for number, mode in zip(range(rounds), cycle(DMP_MODES), strict=False):
        control(stage, "dmp", mode, 1)
        run(send(stage, account, [message(number)]))
        if mode in ("never", "slow") or number % 3 == 2:
            drained(stage)
    states = Counter(row["state"] for row in drained(stage))
    assert set(states) == {"delivered"}, states
    result = compare(stage, account)
    assert result.problems == (), str(result)
    assert account.codes() == {"AA"}


def test_a_mail_operator_that_cuts_the_line_never_gets_a_mail_twice(stage: Stage) -> None:
    """SMTP cannot be asked: a lost answer after the data is ambiguous and waits for a person."""
    account = Account()
    modes = ("450", "drop", "lost", "450") * (5 if LONG else 1)
    for number, mode in enumerate(modes):
        control(stage, "mssante", mode, 1)
        run(send(stage, account, [message(number)]))
        drained(stage)
    result = compare(stage, account)
    assert result.problems == (), str(result)
    states = Counter(row["state"] for row in drained(stage))
    assert states["ambiguous"] == sum(mode in ("drop", "lost") for mode in modes)
    assert set(states) == {"delivered", "ambiguous"}


def test_a_peer_that_is_down_is_probed_and_the_queue_drains_when_it_is_back(stage: Stage) -> None:
    account = Account()
    control(stage, "dmp", "500")
    run(send(stage, account, [message(number) for number in range(30 if LONG else 12)]))
    assert account.codes() == {"AA"}
    found = stage.api("/readyz")["destinations"]
    assert found.get("dmp") in (None, "open", "probing")
    control(stage, "dmp", "ok")
    assert {row["state"] for row in drained(stage)} == {"delivered"}
    result = compare(stage, account)
    assert result.problems == (), str(result)


def test_versions_that_come_while_the_peer_is_down_end_with_the_newest(stage: Stage) -> None:
    account = Account()
    control(stage, "dmp", "500")
    run(send(stage, account, [message(1, version) for version in (1, 2, 3)]))
    control(stage, "dmp", "ok")
    states = Counter((row["destination"], row["state"]) for row in drained(stage))
    assert states[("dmp", "delivered")] >= 1
    assert states[("dmp", "failed")] == 0
    newest = max(drained(stage), key=lambda row: (row["destination"] == "dmp", row["version"]))
    assert (newest["version"], newest["state"]) == (3, "delivered")
    result = compare(stage, account)
    assert result.problems == (), str(result)
