"""When a delivery is tried again, and when no more: pure, so that a table of expected delays can test it.

Nothing taken (transient): back off, `first` · `factor`^n seconds up to `longest`, ± `jitter`, or longer when
the peer asked for it, until `give_up_after`; then failed and shown. Left without answer (ambiguous): where
the peer knows a repetition by its id, the same backoff; mail waits for a person: SMTP cannot be asked.
Permanent and refused: never by itself.
"""

from collections.abc import Callable
from typing import NamedTuple

from gateway.config import RetrySettings
from gateway.model.base import replace
from gateway.model.delivery import (
    OUTCOME_EVENTS,
    REPEATABLE,
    DeliveryEvent,
    Destination,
    Outcome,
    OutcomeKind,
)

EXPIRED = "DELIVERY-EXPIRED"


def backoff(tries: int, settings: RetrySettings, draw: float) -> float:
    """Seconds to wait after the `tries`-th failed try (from 1); `draw` in [0, 1) places it in the jitter."""
    exponent = min(tries - 1, 64)  # beyond, only `longest` counts, and floats end
    delay = min(settings.longest, settings.first * float(settings.factor) ** exponent)
    return delay * (1 + settings.jitter * (2 * draw - 1))


class Next(NamedTuple):
    """What follows an attempt: an event of the table, the wait in seconds (None: not by itself), and what
    is kept as outcome and reason."""

    event: DeliveryEvent
    wait: float | None
    outcome: Outcome
    reason: str


class Retry(NamedTuple):
    """The policy with its settings and its source of jitter."""

    settings: RetrySettings
    draw: Callable[[], float]

    @property
    def longest(self) -> int:
        """Microseconds of the longest wait between two tries, where the peer asks for none longer."""
        return int(self.settings.longest * (1 + self.settings.jitter) * 1e6)

    def after(self, outcome: Outcome, destination: Destination, tries: int, elapsed: float) -> Next:
        """`tries` counts this one; `elapsed` seconds since the delivery became due."""
        event = OUTCOME_EVENTS[outcome.kind]
        again = outcome.kind is OutcomeKind.TRANSIENT or (
            outcome.kind is OutcomeKind.AMBIGUOUS and destination in REPEATABLE
        )
        if not again:
            failed = outcome.kind in (OutcomeKind.PERMANENT, OutcomeKind.REFUSED, OutcomeKind.AMBIGUOUS)
            return Next(event, None, outcome, outcome.code if failed else "")
        if elapsed >= self.settings.give_up_after:
            last = replace(outcome, detail=f"{EXPIRED}: {outcome.detail}")
            return Next(DeliveryEvent.FAILED, None, last, EXPIRED)
        wait = max(backoff(tries, self.settings, self.draw()), outcome.retry_after)
        return Next(event, wait, outcome, "")
