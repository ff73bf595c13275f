"""A delivery changes its state for another cause than an attempt."""

from collections.abc import Sequence

from gateway.model.delivery import DeliveryState
from gateway.store import statements as named
from gateway.store.session import Session


def move(session: Session, delivery_id: int, state: DeliveryState, now: int, *, reason: str = "") -> None:
    """Put a delivery into `state`; pending means due at once, with a fresh series of tries."""
    move_all(session, (delivery_id,), state, now, reason=reason)


def move_all(
    session: Session, deliveries: Sequence[int], state: DeliveryState, now: int, *, reason: str = ""
) -> None:
    """The same for each of them, at least one. Half of the time of one after the other (SQLite)."""
    pending = state is DeliveryState.PENDING
    values = {
        "new_state": state.value,
        "new_reason": reason,
        "new_tries": 0,
        "new_due_since": now if pending else None,
        "new_next_try": now if pending else None,
        "new_updated_at": now,
    }
    session.run_many(named.MOVE_DELIVERY, [values | {"delivery_id": one} for one in deliveries])
