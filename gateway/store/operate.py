"""What an operator changes: retry, cancel, release; each through the table of states, in one transaction."""

from collections.abc import Callable

from gateway.model.delivery import DeliveryEvent, DeliveryState, IllegalTransitionError, next_state
from gateway.store import statements as named
from gateway.store.session import Session
from gateway.store.settle import move

Act = Callable[[Session, int, int, bool], DeliveryState]
"""(session, delivery id, now in microseconds, whether it is being sent) → state after."""


def retry(session: Session, delivery_id: int, now: int, under_way: bool) -> DeliveryState:
    """Due at once, with a fresh series of tries: failed, waiting and ambiguous deliveries."""
    return _apply(session, delivery_id, DeliveryEvent.RETRY_DUE, now, under_way)


def cancel(session: Session, delivery_id: int, now: int, under_way: bool) -> DeliveryState:
    """Never sent; the next of the lane may go."""
    return _apply(session, delivery_id, DeliveryEvent.CANCEL, now, under_way)


def release(session: Session, delivery_id: int, now: int, under_way: bool) -> DeliveryState:
    """A withheld delivery goes: at once where the documents of its version exist, else after production."""
    return _apply(session, delivery_id, DeliveryEvent.RELEASE, now, under_way)


def _apply(
    session: Session, delivery_id: int, event: DeliveryEvent, now: int, under_way: bool
) -> DeliveryState:
    row = session.row(named.DELIVERY_STATE, {"delivery_id": delivery_id})
    if row is None:
        raise LookupError(f"no delivery {delivery_id}")
    if under_way:
        raise IllegalTransitionError(DeliveryState.IN_FLIGHT, event)
    state, _, _, _, _, version_id = row
    after = next_state(DeliveryState(state), event)
    if after is DeliveryState.PLANNED and session.row(named.VERSION_PRODUCED, {"version_id": version_id}):
        after = next_state(after, DeliveryEvent.PRODUCED)
    move(session, delivery_id, after, now)
    return after
