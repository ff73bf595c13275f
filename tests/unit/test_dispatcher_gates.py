"""How much a destination may get: rate, circuit breaker, pause."""

from typing import Any

import pytest

from gateway.config import DestinationSettings
from gateway.model.delivery import Destination, Outcome, OutcomeKind
from gateway.pipeline.gates import JITTER, UNKNOWN, Down, Gate, Gates, GateState

K, DMP = OutcomeKind, Destination.DMP


def gate(destination: Destination = DMP, draw: float = 0.5, **settings: Any) -> Gate:
    return Gate(destination, DestinationSettings(**settings), 0.0, draw=lambda: draw)


def tell(one: Gate, kind: OutcomeKind, now: float, retry_after: float = 0.0) -> float | None:
    return one.result(Outcome(kind=kind, retry_after=retry_after), now)


def test_without_settings_a_working_destination_has_no_limit() -> None:
    assert gate().room(1000, 0.0) is None


def test_a_concurrency_counts_what_is_under_way() -> None:
    assert [gate(concurrency=3).room(under_way, 0.0) for under_way in (0, 2, 3, 5)] == [3, 1, 0, 0]


def test_a_rate_lets_a_burst_through_then_one_each_interval() -> None:
    """17 a second (Annuaire) after an idle time: the burst at once, then one each 1/17 s."""
    one = gate(rate=17.0, burst=5)
    assert one.room(0, 100.0) == 5
    one.handed_out(5, 100.0)
    assert one.room(0, 100.0) == 0
    assert one.wait(100.0) == pytest.approx(1 / 17)
    assert one.room(0, 100.0 + 1 / 17) == 1
    one.handed_out(1, 100.0 + 1 / 17)
    sent, now = 0, 101.0
    for step in range(1000):
        now = 101.0 + step / 100
        room = one.room(0, now) or 0
        one.handed_out(room, now)
        sent += room
    assert 17 * 10 <= sent <= 17 * 10 + 5


def test_nodes_that_share_a_peer_keep_its_rate_together_while_they_come_and_go() -> None:
    """Three nodes of one client of the Annuaire (17 a second), then two: each takes what it may."""
    rate, burst = 17.0, 6
    plan = [(3, 0.0), (2, 10.0), (3, 20.0)]
    members = [gate(rate=rate, burst=burst) for _ in range(3)]
    sent, passed = 0, 30.0
    for step in range(int(passed * 100)):
        now = step / 100
        nodes = next(count for count, since in reversed(plan) if now >= since)
        for one in members[:nodes]:
            one.share(nodes, now)
            room = one.room(0, now) or 0
            one.handed_out(room, now)
            sent += room
    assert 0.95 * rate * passed <= sent <= rate * passed + 2 * burst


def test_what_was_handed_out_but_not_sent_costs_no_rate() -> None:
    one = gate(rate=1.0)
    one.handed_out(1, 0.0)
    one.returned(1)
    assert one.room(0, 0.0) == 1


def test_failures_in_a_row_open_the_circuit_and_a_probe_closes_it() -> None:
    one = gate(breaker_failures=3, breaker_pause=10.0)
    for kind in (K.TRANSIENT, K.AMBIGUOUS):
        tell(one, kind, 0.0)
    assert one.room(0, 0.0) is None
    tell(one, K.TRANSIENT, 0.0)
    assert (one.state(0.0), one.room(0, 0.0), one.wait(4.0)) == (GateState.OPEN, 0, 6.0)
    assert (one.state(10.0), one.room(0, 10.0), one.room(1, 10.0)) == (GateState.PROBING, 1, 0)
    tell(one, K.DELIVERED, 11.0)
    assert (one.state(11.0), one.room(0, 11.0)) == (GateState.WORKING, None)


def test_each_probe_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    one = gate(breaker_failures=1, breaker_pause=10.0, breaker_longest=35.0)
    now, pauses = 0.0, []
    tell(one, K.TRANSIENT, now)
    for _ in range(4):
        wait = one.wait(now)
        assert wait is not None
        pauses.append(wait)
        now += wait
        tell(one, K.TRANSIENT, now)
    assert pauses == [10.0, 20.0, 35.0, 35.0]


def test_a_peer_that_is_back_is_noticed_after_half_a_minute_however_long_it_was_gone() -> None:
    one, now, pauses = gate(), 0.0, []
    for _ in range(5):
        tell(one, K.TRANSIENT, now)
    for _ in range(50):
        pauses.append(one.wait(now) or 0.0)
        now += pauses[-1]
        tell(one, K.TRANSIENT, now)
    assert pauses[:4] == [5.0, 10.0, 20.0, 30.0]
    assert max(pauses) == 30.0


@pytest.mark.parametrize(("draw", "pause"), [(0.0, 10 * (1 - JITTER)), (0.5, 10.0), (0.75, 11.0)])
def test_nodes_do_not_probe_in_step(draw: float, pause: float) -> None:
    one = gate(draw=draw, breaker_failures=1, breaker_pause=10.0)
    tell(one, K.TRANSIENT, 0.0)
    assert one.wait(0.0) == pytest.approx(pause)


def test_no_probe_goes_before_the_peer_asked_for_it() -> None:
    """RFC 9110 §10.2.3, whichever of the answers said it."""
    one = gate(breaker_failures=2, breaker_pause=10.0)
    tell(one, K.TRANSIENT, 0.0, retry_after=120.0)
    tell(one, K.TRANSIENT, 1.0)
    assert (one.wait(1.0), one.state(119.0), one.state(120.0)) == (119.0, GateState.OPEN, GateState.PROBING)


def test_a_peer_that_is_back_tells_since_when_what_waits_for_it_had_failed() -> None:
    one = gate(breaker_failures=2, breaker_pause=10.0)
    assert tell(one, K.DELIVERED, 1.0) == UNKNOWN, "nobody knows how the run before ended"
    assert tell(one, K.DELIVERED, 2.0) is None
    tell(one, K.TRANSIENT, 3.0)
    assert tell(one, K.DELIVERED, 4.0) is None, "one failure is that of a delivery, not of the peer"
    for now in (5.0, 6.0, 16.0):
        tell(one, K.TRANSIENT, now)
    assert tell(one, K.REFUSED, 36.0) == 5.0


def test_a_circuit_that_is_open_tells_since_when_and_why() -> None:
    one = gate(breaker_failures=2, breaker_pause=10.0)
    assert one.down() is None
    one.result(Outcome(kind=K.TRANSIENT, code="503"), 3.0)
    one.result(Outcome(kind=K.TRANSIENT, code="ConnectError"), 4.0)
    assert one.down() == Down(since=3.0, failures=2, code="ConnectError", next_probe=14.0)


def test_late_failures_of_what_was_under_way_do_not_lengthen_the_pause() -> None:
    one = gate(breaker_failures=1, breaker_pause=10.0)
    for _ in range(8):
        tell(one, K.TRANSIENT, 1.0)
    assert one.wait(1.0) == 10.0


@pytest.mark.parametrize("kind", [K.DELIVERED, K.PERMANENT, K.REFUSED])
def test_any_answer_of_the_peer_ends_the_row_of_failures(kind: OutcomeKind) -> None:
    one = gate(breaker_failures=2)
    for _ in range(5):
        tell(one, K.TRANSIENT, 0.0)
        tell(one, kind, 0.0)
    assert one.state(0.0) is GateState.WORKING


def test_acknowledgements_go_to_several_peers_so_one_that_is_down_stops_nobody() -> None:
    one = gate(Destination.ZAM)
    for _ in range(50):
        tell(one, K.TRANSIENT, 0.0)
    assert one.state(0.0) is GateState.WORKING


def test_a_paused_destination_gets_nothing_and_the_others_everything() -> None:
    gates = Gates({DMP: DestinationSettings(paused=True)}, 0.0)
    assert gates.room({}, 0.0) == {DMP: 0}
    assert gates.wait(0.0) is None
    assert gates.states(0.0)[DMP] is GateState.PAUSED
