"""How much each destination may get now: rate, circuit breaker, pause. Pure but for the times handed in.

A peer that is down is not asked by every delivery in turn: after some failures in a row its circuit opens,
nothing is handed out, no try is used up; then one delivery probes, whether its own next try has come or not,
and its answer closes the circuit again.
"""

import random
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from gateway.config import DestinationSettings
from gateway.model.delivery import Destination, Outcome, OutcomeKind

FAILURES = frozenset({OutcomeKind.TRANSIENT, OutcomeKind.AMBIGUOUS})
"""The peer did not do its work; every other outcome is an answer of a peer that works."""
DEFAULT_FAILURES = 5
JITTER = 0.2
"""± share of a pause, drawn anew each time: the nodes do not probe in step."""
UNKNOWN = float("-inf")
"""The peer may have failed since any time before this run."""


class GateState(StrEnum):
    WORKING = "working"
    OPEN = "open"
    PROBING = "probing"
    PAUSED = "paused"


class Down(NamedTuple):
    """A circuit that is open. `since`: the first failure of the row; `code`: of the last one, as the peer or
    the network said it; `next_probe`: seconds of the same clock, past while a probe is on its way."""

    since: float
    failures: int
    code: str
    next_probe: float


class Gate:
    """One destination. Times are seconds of a clock that never jumps (the event loop's)."""

    def __init__(
        self,
        destination: Destination,
        settings: DestinationSettings,
        now: float,
        nodes: int = 1,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`draw` gives numbers in [0, 1) for the jitter."""
        self._settings, self._draw = settings, draw
        self._rate, self._burst = settings.rate, float(settings.burst)
        stated = settings.breaker_failures
        # Acknowledgements go to several peers: one that is down must not stop the others.
        default = 0 if destination is Destination.ZAM else DEFAULT_FAILURES
        self._most_failures = default if stated is None else stated
        self._tokens, self._filled_at = self._burst, now
        self.share(nodes, now)
        self._failures, self._since, self._known = 0, now, False
        """In a row, and when the first of them was; whether the peer has ever answered in this run."""
        self._code = ""
        self._pause, self._asked_until = settings.breaker_pause, UNKNOWN
        self._probe_at: float | None = None
        """When the next probe may go; None while the circuit is closed."""

    def share(self, nodes: int, now: float) -> None:
        """So many nodes send to this peer: the rate is of all together, each has its part."""
        self._fill(now)
        self._rate = self._settings.rate / nodes
        self._burst = max(1.0, self._settings.burst / nodes)
        self._tokens = min(self._burst, self._tokens)

    def state(self, now: float) -> GateState:
        if self._settings.paused:
            return GateState.PAUSED
        if self._probe_at is None:
            return GateState.WORKING
        return GateState.OPEN if now < self._probe_at else GateState.PROBING

    def down(self) -> Down | None:
        """None while the circuit is closed."""
        if self._probe_at is None:
            return None
        return Down(self._since, self._failures, self._code, self._probe_at)

    def room(self, under_way: int, now: float) -> int | None:
        """How many more may be handed out; None: this gate states no limit."""
        match self.state(now):
            case GateState.PAUSED | GateState.OPEN:
                return 0
            case GateState.PROBING:
                return 0 if under_way else min(1, self._allowance(now))
        limits = []
        if self._settings.concurrency is not None:
            limits.append(self._settings.concurrency - under_way)
        if self._rate:
            limits.append(self._allowance(now))
        return max(0, min(limits)) if limits else None

    def wait(self, now: float) -> float | None:
        """Seconds until this gate may let more through by itself; None when it does not hold anything."""
        match self.state(now):
            case GateState.OPEN:
                assert self._probe_at is not None
                return self._probe_at - now
            case GateState.WORKING if self._rate and self._allowance(now) < 1:
                return (1 - self._tokens) / self._rate
        return None

    def handed_out(self, count: int, now: float) -> None:
        if self._rate:
            self._fill(now)
            self._tokens -= count

    def returned(self, count: int) -> None:
        """Handed out, but not sent."""
        if self._rate:
            self._tokens = min(self._burst, self._tokens + count)

    def result(self, outcome: Outcome, now: float) -> float | None:
        """What one attempt tells of the peer. Where it tells that the peer is back: since when it had failed
        (UNKNOWN: the first answer in this run), so that what waited for it need not wait any longer."""
        if outcome.kind not in FAILURES:
            back = UNKNOWN if not self._known else self._since if self._probe_at is not None else None
            self._failures, self._probe_at, self._known = 0, None, True
            self._pause, self._asked_until = self._settings.breaker_pause, UNKNOWN
            return back
        if not self._failures:
            self._since = now
        self._failures += 1
        self._code = outcome.code
        self._asked_until = max(self._asked_until, now + outcome.retry_after)
        if self._probe_at is not None:
            if now >= self._probe_at:  # the probe, not one that was under way when the circuit opened
                self._pause = min(2 * self._pause, self._settings.breaker_longest)
                self._probe_at = self._next_probe(now)
        elif self._most_failures and self._failures >= self._most_failures:
            self._probe_at = self._next_probe(now)
        return None

    def _next_probe(self, now: float) -> float:
        """Not before the peer asked for it (Retry-After)."""
        pause = min(self._pause, self._settings.breaker_longest)
        return max(now + pause * (1 + JITTER * (2 * self._draw() - 1)), self._asked_until)

    def _allowance(self, now: float) -> int:
        if not self._rate:
            return 1
        self._fill(now)
        return max(0, int(self._tokens + 1e-9))

    def _fill(self, now: float) -> None:
        earned = max(0.0, now - self._filled_at) * self._rate
        self._tokens = min(self._burst, self._tokens + earned)
        self._filled_at = now


class Gates:
    """The gates of all destinations."""

    def __init__(
        self, settings: Mapping[Destination, DestinationSettings], now: float, nodes: int = 1
    ) -> None:
        plain = DestinationSettings()
        self._gates = {kind: Gate(kind, settings.get(kind, plain), now, nodes) for kind in Destination}
        self._nodes = nodes

    def share(self, nodes: int, now: float) -> None:
        """So many nodes send to the same peers now."""
        if nodes != self._nodes:
            self._nodes = nodes
            for gate in self._gates.values():
                gate.share(nodes, now)

    def probing(self, now: float) -> frozenset[Destination]:
        """Where one delivery may go to see whether the peer is back."""
        return frozenset(kind for kind, gate in self._gates.items() if gate.state(now) is GateState.PROBING)

    def room(self, under_way: Mapping[Destination, int], now: float) -> dict[Destination, int]:
        """The destinations that are limited now, and how many more each may get."""
        rooms = ((kind, gate.room(under_way.get(kind, 0), now)) for kind, gate in self._gates.items())
        return {kind: room for kind, room in rooms if room is not None}

    def wait(self, now: float) -> float | None:
        """Seconds until a gate that holds something back may let more through."""
        return min(
            (wait for gate in self._gates.values() if (wait := gate.wait(now)) is not None), default=None
        )

    def handed_out(self, destination: Destination | None, now: float) -> None:
        if destination is not None:
            self._gates[destination].handed_out(1, now)

    def returned(self, destination: Destination | None) -> None:
        if destination is not None:
            self._gates[destination].returned(1)

    def result(self, destination: Destination, outcome: Outcome, now: float) -> float | None:
        """As `Gate.result`."""
        return self._gates[destination].result(outcome, now)

    def down(self) -> dict[Destination, Down]:
        """The circuits that are open."""
        return {kind: down for kind, gate in self._gates.items() if (down := gate.down()) is not None}

    def states(self, now: float) -> dict[Destination, GateState]:
        return {kind: gate.state(now) for kind, gate in self._gates.items()}
