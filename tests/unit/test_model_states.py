"""The delivery state machine is a table, and the catalogue of findings is complete."""

import itertools

import pytest

from gateway.model.delivery import (
    DELIVERY_TRANSITIONS,
    OUTCOME_EVENTS,
    DeliveryEvent,
    DeliveryState,
    IllegalTransitionError,
    OutcomeKind,
    next_state,
)
from gateway.model.findings import CATALOGUE, Severity, errors, finding


def test_every_state_has_a_row_and_every_event_is_used() -> None:
    assert set(DELIVERY_TRANSITIONS) == set(DeliveryState)
    used = {event for row in DELIVERY_TRANSITIONS.values() for event in row}
    assert used == set(DeliveryEvent)


def test_what_is_delivered_refused_or_cancelled_never_moves_again() -> None:
    for state in DeliveryState:
        if state.settled:
            assert DELIVERY_TRANSITIONS[state] == {}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(DeliveryState, DeliveryEvent)))
def test_a_transition_outside_the_table_is_an_error(state: DeliveryState, event: DeliveryEvent) -> None:
    if event in DELIVERY_TRANSITIONS[state]:
        assert next_state(state, event) is DELIVERY_TRANSITIONS[state][event]
    else:
        with pytest.raises(IllegalTransitionError, match=event.value):
            next_state(state, event)


def test_every_outcome_of_an_attempt_is_an_event_of_a_delivery_in_flight() -> None:
    for kind in OutcomeKind:
        assert OUTCOME_EVENTS[kind] in DELIVERY_TRANSITIONS[DeliveryState.IN_FLIGHT]


def test_every_state_leads_to_rest() -> None:
    """No delivery can be caught in a circle that has no way out."""
    resting = {state for state in DeliveryState if state.settled}
    grown = True
    while grown:
        more = {
            state
            for state, row in DELIVERY_TRANSITIONS.items()
            if state not in resting and any(target in resting for target in row.values())
        }
        grown = bool(more)
        resting |= more
    assert resting == set(DeliveryState)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_a_finding_says_what_and_what_to_do(code: str) -> None:
    spec = CATALOGUE[code]
    assert spec.text[0].isupper()
    assert not spec.text.endswith(".")
    assert spec.remedy
    assert spec.err3.isdigit()
    assert 400 <= spec.http < 600
    assert code == code.upper()


def test_a_site_may_change_a_severity_and_the_text_stays() -> None:
    softened = finding("RPPS-MISSING", "OBR-32", severity=Severity.WARNING)
    assert errors((softened,)) == ()
    assert str(softened).startswith("warning RPPS-MISSING at OBR-32: ")


def test_an_unknown_code_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError):
        finding("NO-SUCH-CODE")
