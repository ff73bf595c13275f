"""Senders go before results of workers; nobody waits for ever."""

from typing import NamedTuple

import pytest

from gateway.store.turns import GROUP_BYTES, GROUP_JOBS, PATIENCE, Turns


class Job(NamedTuple):
    name: str
    size: int = 10
    later: bool = False


def turns(*jobs: Job) -> Turns[Job]:
    made: Turns[Job] = Turns()
    for job in jobs:
        made.add(job)
    return made


def names(group: list[Job]) -> list[str]:
    return [job.name for job in group]


def test_a_sender_passes_what_was_there_before_it() -> None:
    waiting = turns(Job("settle", GROUP_BYTES, later=True), Job("intake"))
    assert names(waiting.group()) == ["intake"]
    assert names(waiting.group()) == ["settle"]
    assert not waiting
    assert waiting.group() == []


def test_both_share_a_group_where_they_fit_and_each_line_keeps_its_order() -> None:
    waiting = turns(Job("s1", later=True), Job("i1"), Job("s2", later=True), Job("i2"))
    assert names(waiting.group()) == ["i1", "i2", "s1", "s2"]


def test_a_large_job_goes_alone() -> None:
    waiting = turns(Job("small"), Job("large", 40 * GROUP_BYTES), Job("next"))
    assert [names(waiting.group()) for _ in range(3)] == [["small"], ["large"], ["next"]]


@pytest.mark.parametrize("size", [10, 40 * GROUP_BYTES])
def test_a_flood_of_senders_cannot_hold_results_for_ever(size: int) -> None:
    waiting = turns(Job("settle", size, later=True))
    for number in range(PATIENCE + 1):
        for one in range(GROUP_JOBS + 1):
            waiting.add(Job(f"{number}-{one}"))
        group = waiting.group()
        if "settle" in names(group):
            assert number == PATIENCE
            return
    raise AssertionError("never written")
