"""A delivery changes its state for another cause than an attempt."""

from gateway.model.delivery import DeliveryState
from gateway.store import statements as named
from gateway.store.session import Session


def move(session: Session, delivery_id: int, state: DeliveryState, now: int, *, reason: str = "") -> None:
    """Put a delivery into `state`; pending means due at once, with a fresh series of tries."""
    pending = state is DeliveryState.PENDING
    session.run(
        named.MOVE_DELIVERY,
        {
            "delivery_id": delivery_id,
            "new_state": state.value,
            "new_reason": reason,
            "new_tries": 0,
            "new_due_since": now if pending else None,
            "new_next_try": now if pending else None,
            "new_updated_at": now,
        },
    )
