"""The retry policy as a table of expected delays and consequences."""

import pytest

from gateway.config import RetrySettings
from gateway.model.delivery import DeliveryEvent, Destination, Outcome, OutcomeKind
from gateway.store.policy import Retry, backoff

STEADY = RetrySettings(first=5.0, factor=2.0, longest=900.0, jitter=0.0)
GENTLE = RetrySettings(first=4.0, factor=1.25, longest=10.0, jitter=0.0)
JITTERY = RetrySettings(first=10.0, factor=2.0, longest=900.0, jitter=0.2)


@pytest.mark.req("REQ-43")
@pytest.mark.parametrize(
    ("settings", "tries", "draw", "seconds"),
    [
        (STEADY, 1, 0.5, 5.0),
        (STEADY, 2, 0.5, 10.0),
        (STEADY, 3, 0.5, 20.0),
        (STEADY, 8, 0.5, 640.0),
        (STEADY, 9, 0.5, 900.0),
        (STEADY, 100_000, 0.5, 900.0),
        # A factor that is no whole number grows at each step.
        (GENTLE, 1, 0.5, 4.0),
        (GENTLE, 2, 0.5, 5.0),
        (GENTLE, 3, 0.5, 6.25),
        (GENTLE, 4, 0.5, 7.8125),
        (GENTLE, 5, 0.5, 9.765625),
        (GENTLE, 6, 0.5, 10.0),
        # The jitter spreads evenly around the delay.
        (JITTERY, 1, 0.0, 8.0),
        (JITTERY, 1, 0.25, 9.0),
        (JITTERY, 1, 0.5, 10.0),
        (JITTERY, 1, 0.75, 11.0),
        (JITTERY, 3, 0.0, 32.0),
    ],
)
def test_the_delay_after_a_failed_try(
    settings: RetrySettings, tries: int, draw: float, seconds: float
) -> None:
    assert backoff(tries, settings, draw) == pytest.approx(seconds)


D, K, X = Destination, OutcomeKind, DeliveryEvent


@pytest.mark.parametrize(
    ("kind", "destination", "elapsed", "event", "wait", "reason"),
    [
        (K.DELIVERED, D.DMP, 0.0, X.DELIVERED, None, ""),
        (K.TRANSIENT, D.DMP, 0.0, X.RETRY, 5.0, ""),
        (K.TRANSIENT, D.MSSANTE_PS, 0.0, X.RETRY, 5.0, ""),
        (K.TRANSIENT, D.DMP, 86400.0 * 3, X.FAILED, None, "DELIVERY-EXPIRED"),
        (K.AMBIGUOUS, D.DMP, 0.0, X.AMBIGUOUS, 5.0, ""),
        (K.AMBIGUOUS, D.FOLDER, 0.0, X.AMBIGUOUS, 5.0, ""),
        (K.AMBIGUOUS, D.DMP, 86400.0 * 3, X.FAILED, None, "DELIVERY-EXPIRED"),
        (K.AMBIGUOUS, D.MSSANTE_PS, 0.0, X.AMBIGUOUS, None, "code"),
        (K.AMBIGUOUS, D.MSSANTE_PATIENT, 0.0, X.AMBIGUOUS, None, "code"),
        (K.PERMANENT, D.DMP, 0.0, X.FAILED, None, "code"),
        (K.REFUSED, D.DMP, 0.0, X.REFUSED, None, "code"),
    ],
)
def test_what_follows_an_attempt(
    kind: OutcomeKind,
    destination: Destination,
    elapsed: float,
    event: DeliveryEvent,
    wait: float | None,
    reason: str,
) -> None:
    following = Retry(STEADY, lambda: 0.5).after(Outcome(kind=kind, code="code"), destination, 1, elapsed)
    assert (following.event, following.wait, following.reason) == (event, wait, reason)
