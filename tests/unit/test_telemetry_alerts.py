"""Alerts open, are told once, close; a receiver that is down hears of them later."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.config import AlertSettings
from gateway.pipeline.watch import Certificate, Stuck, Waiting, Watch
from gateway.ports import Overdue, StoreUnavailableError
from gateway.telemetry import metrics
from gateway.telemetry.alerts import Alerts, Condition, Digest
from tests.store_support import NOW, TickingClock

DOWN = Condition("destination-down", "dmp", "it fails")
FULL = Condition("disk", "data", "full")


def test_an_alert_is_told_when_it_opens_and_when_it_closes_and_not_between() -> None:
    alerts = Alerts(repeat=1000)
    assert alerts.look([DOWN], 0) == Digest((DOWN,), (), ())
    assert not alerts.look([DOWN], 10)
    assert alerts.look([DOWN, FULL], 20) == Digest((FULL,), (), ())
    assert alerts.counts() == {"destination-down": 1, "disk": 1}
    assert alerts.look([FULL], 30) == Digest((), (DOWN,), ())
    assert alerts.look([DOWN], 40) == Digest((DOWN,), (FULL,), ())


def test_what_stays_open_is_told_again_after_a_long_time() -> None:
    alerts = Alerts(repeat=1000)
    alerts.look([DOWN], 0)
    assert not alerts.look([DOWN], 999)
    assert alerts.look([DOWN], 1000).still == (DOWN,)
    assert not alerts.look([DOWN], 1999)


def test_a_digest_that_nobody_got_is_told_again() -> None:
    alerts = Alerts(repeat=1000)
    first = alerts.look([DOWN], 0)
    alerts.untell(first, 0)
    assert alerts.look([DOWN], 1).opened == (DOWN,)
    closing = alerts.look([], 2)
    alerts.untell(closing, 2)
    assert alerts.look([], 3).closed == (DOWN,)


class World:
    """What a watch looks at."""

    def __init__(self) -> None:
        self.clock = TickingClock()
        self.queues: list[Waiting] = []
        self.state: dict[str, Any] = {
            "destinations": {},
            "circuits": {
                "dmp": {
                    "since": "2026-01-05T09:20:00Z",
                    "failures": 7,
                    "last": "ConnectError",
                    "next_probe": "2026-01-05T09:30:20Z",
                }
            },
            "disk_full": False,
            "free_bytes": 10,
            "alive": 1,
        }
        self.certificates: list[Certificate] = []
        self.balanced = True
        self.overdue: list[Overdue] = []
        self.stuck: list[Stuck] = []
        self.told: list[Digest] = []

    def watch(self, **settings: float) -> Watch:
        async def tell(digest: Digest) -> bool:
            self.told.append(digest)
            return True

        return Watch(
            AlertSettings(**{"queue_age": 60.0, "certificate_days": 30, **settings}),
            self.clock,
            queues=lambda: self.queues,
            condition=lambda: self.state,
            certificates=lambda: self.certificates,
            tell=tell,
            balanced=lambda: self.balanced,
            overdue=lambda before: [one for one in self.overdue if one.since < before],
            stuck=lambda: self.stuck,
            enabled=lambda: ("folder",),
        )


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda w: w.queues.append(Waiting("dmp", 3, NOW - timedelta(seconds=61))), "queue-age"),
        (lambda w: w.state["destinations"].update(dmp="open"), "destination-down"),
        (lambda w: w.state.update(disk_full=True), "disk"),
        (lambda w: w.state.update(alive=0), "workers"),
        (lambda w: w.stuck.append(Stuck("dmp", "failed", 2)), "failed"),
        (lambda w: w.stuck.append(Stuck("mssante-ps", "ambiguous", 1)), "ambiguous"),
        (lambda w: w.certificates.append(Certificate("dmp", NOW + timedelta(days=29))), "certificate"),
        (lambda w: w.certificates.append(Certificate("dmp", None)), "certificate"),
    ],
)
def test_what_opens_an_alert(change: Any, kind: str) -> None:
    world = World()
    watch = world.watch()
    assert not asyncio.run(watch.look())
    change(world)
    assert [one.kind for one in asyncio.run(watch.look()).opened] == [kind]
    assert [[one.kind for one in digest.opened] for digest in world.told] == [[kind]]


def test_the_alert_of_a_destination_says_since_when_why_and_what_will_happen() -> None:
    world = World()
    world.state["destinations"]["dmp"] = "open"
    (opened,) = asyncio.run(world.watch().look()).opened
    assert opened.text == (
        "down since 2026-01-05T09:20:00Z: 7 failures in a row, the last ConnectError; probed again at "
        "2026-01-05T09:30:20Z, and what waits goes by itself when it is back"
    )


def test_a_gap_in_the_ledger_opens_an_alert_and_the_ledger_is_not_counted_at_every_look() -> None:
    world = World()
    world.balanced = False
    watch = world.watch()
    assert [one.kind for one in asyncio.run(watch.look()).opened] == ["ledger"]
    world.balanced = True
    assert not asyncio.run(watch.look()), "counted again after BALANCE_EVERY only"


@pytest.mark.req("REQ-30")
def test_a_report_that_waits_too_long_for_its_validation_is_told_with_its_radiologist(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    watch = world.watch(unvalidated_hours=48.0)
    world.overdue = [Overdue("801234560801", 3, NOW - timedelta(hours=47))]
    assert not asyncio.run(watch.look())
    world.overdue = [Overdue("801234560801", 3, NOW - timedelta(hours=50))]
    (opened,) = asyncio.run(watch.look()).opened
    assert opened == Condition(
        "unvalidated", "801234560801", "reports that wait for validation: 3, the oldest for 50 h"
    )
    assert all(getattr(one, "subject", "") == "" for one in caplog.records), "a person is not for the log"
    world.overdue = []
    assert [one.kind for one in asyncio.run(watch.look()).closed] == ["unvalidated"]


@pytest.mark.req("REQ-30")
def test_without_a_limit_nobody_is_told() -> None:
    world = World()
    world.overdue = [Overdue("801234560801", 3, NOW - timedelta(days=365))]
    assert not asyncio.run(world.watch().look())


def test_what_opens_none() -> None:
    world = World()
    world.queues.append(Waiting("dmp", 3, NOW - timedelta(seconds=59)))
    world.state["destinations"]["folder"] = "paused"
    world.certificates.append(Certificate("dmp", datetime(2026, 6, 1, tzinfo=UTC)))
    assert not asyncio.run(world.watch().look())


@pytest.mark.req("REQ-71")
def test_queues_and_gates_are_metrics() -> None:
    world = World()
    world.queues.append(Waiting("dmp", 3, NOW - timedelta(seconds=59)))
    world.state["destinations"]["dmp"] = "open"
    watch = world.watch()
    watch.observe()
    text = metrics.exposition().decode()
    assert 'gateway_queue{destination="dmp"} 3.0' in text
    assert 'gateway_queue{destination="folder"} 0.0' in text, "known before anything waits there"
    assert 'gateway_destination_state{destination="folder",state="working"} 1.0' in text
    assert 'gateway_queue_age_seconds{destination="dmp"} 59.0' in text
    assert 'gateway_destination_state{destination="dmp",state="open"} 1.0' in text
    world.queues.clear()
    watch.observe()
    assert 'gateway_queue{destination="dmp"} 0.0' in metrics.exposition().decode()


def test_a_store_that_does_not_answer_is_told() -> None:
    def down() -> Iterator[Waiting]:
        raise StoreUnavailableError("connection refused")
        yield

    world = World()
    watch = world.watch()
    watch._queues = down  # as the queries of a PostgreSQL do
    assert [one.kind for one in asyncio.run(watch.look()).opened] == ["store"]
