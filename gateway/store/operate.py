"""What an operator changes: retry, cancel, release; each through the table of states, in one transaction."""

from collections.abc import Callable

from gateway.model.delivery import DeliveryEvent, DeliveryState, IllegalTransitionError, next_state
from gateway.store import judgement
from gateway.store import statements as named
from gateway.store.move import move
from gateway.store.session import Session
from gateway.store.supersede import Withdraw

Act = Callable[[Session, int, int, Withdraw], DeliveryState]
"""(session, delivery id, now in microseconds, withdraw) → state after."""


def retry(session: Session, delivery_id: int, now: int, withdraw: Withdraw) -> DeliveryState:
    """Due at once, with a fresh series of tries: failed, waiting and ambiguous deliveries."""
    return _apply(session, delivery_id, DeliveryEvent.RETRY_DUE, now, withdraw)


def cancel(session: Session, delivery_id: int, now: int, withdraw: Withdraw) -> DeliveryState:
    """Never sent; the next of the lane may go."""
    return _apply(session, delivery_id, DeliveryEvent.CANCEL, now, withdraw)


def release(session: Session, delivery_id: int, now: int, withdraw: Withdraw) -> DeliveryState:
    """A withheld delivery goes: at once where the documents of its version exist, else after production."""
    return _apply(session, delivery_id, DeliveryEvent.RELEASE, now, withdraw)


def _apply(
    session: Session, delivery_id: int, event: DeliveryEvent, now: int, withdraw: Withdraw
) -> DeliveryState:
    row = session.row(named.DELIVERY_STATE, {"delivery_id": delivery_id})
    if row is None:
        raise LookupError(f"no delivery {delivery_id}")
    if not withdraw(delivery_id):
        raise IllegalTransitionError(DeliveryState.IN_FLIGHT, event)
    state, version_id = row[0], row[5]
    if event is DeliveryEvent.RETRY_DUE and state == DeliveryState.BLOCKED:
        if not judgement.refused(session, delivery_id):
            raise IllegalTransitionError(DeliveryState.BLOCKED, event)
        event = DeliveryEvent.UNBLOCK  # the documents are made and judged again
    after = next_state(DeliveryState(state), event)
    if after is DeliveryState.PLANNED and session.row(named.VERSION_PRODUCED, {"version_id": version_id}):
        after = next_state(after, DeliveryEvent.PRODUCED)
    move(session, delivery_id, after, now)
    return after
