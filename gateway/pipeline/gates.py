"""How much each destination may get now: rate, circuit breaker, pause. Pure but for the times handed in.

A peer that is down is not asked by every delivery in turn: after some failures in a row its circuit opens,
nothing is handed out, no try is used up; then one delivery probes, and its answer closes the circuit again.
"""

from collections.abc import Mapping
from enum import StrEnum

from gateway.config import DestinationSettings
from gateway.model.delivery import Destination, OutcomeKind

FAILURES = frozenset({OutcomeKind.TRANSIENT, OutcomeKind.AMBIGUOUS})
"""The peer did not do its work; every other outcome is an answer of a peer that works."""
DEFAULT_FAILURES = 5
_MANY_PEERS = frozenset({Destination.ZAM, Destination.FOLDER})
"""No circuit by default: one peer of several is down, or there is none."""


class GateState(StrEnum):
    WORKING = "working"
    OPEN = "open"
    PROBING = "probing"
    PAUSED = "paused"


class Gate:
    """One destination. Times are seconds of a clock that never jumps (the event loop's)."""

    def __init__(
        self, destination: Destination, settings: DestinationSettings, now: float, nodes: int = 1
    ) -> None:
        self._settings = settings
        self._rate, self._burst = settings.rate, float(settings.burst)
        stated = settings.breaker_failures
        self._most_failures = (
            stated if stated is not None else 0 if destination in _MANY_PEERS else DEFAULT_FAILURES
        )
        self._tokens, self._filled_at = self._burst, now
        self.share(nodes, now)
        self._failures = 0
        self._pause = settings.breaker_pause
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

    def result(self, kind: OutcomeKind, now: float) -> None:
        """What one attempt tells of the peer."""
        if kind not in FAILURES:
            self._failures, self._probe_at, self._pause = 0, None, self._settings.breaker_pause
            return
        self._failures += 1
        if self._probe_at is not None:
            if now >= self._probe_at:  # the probe, not one that was under way when the circuit opened
                self._pause = min(2 * self._pause, self._settings.breaker_longest)
                self._probe_at = now + self._pause
        elif self._most_failures and self._failures >= self._most_failures:
            self._probe_at = now + self._pause

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

    def result(self, destination: Destination | None, kind: OutcomeKind, now: float) -> None:
        if destination is not None:
            self._gates[destination].result(kind, now)

    def states(self, now: float) -> dict[Destination, GateState]:
        return {kind: gate.state(now) for kind, gate in self._gates.items()}
