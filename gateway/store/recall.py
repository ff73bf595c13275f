"""A report withdrawn before any of it left: whether that is so, and its deliveries are given up."""

from gateway.model.delivery import DeliveryEvent, DeliveryState, next_state
from gateway.store import audit
from gateway.store import statements as named
from gateway.store.move import move
from gateway.store.session import Session
from gateway.store.supersede import Withdraw, left

WITHDRAWN = "REPORT-RECALLED"


def unsent(session: Session, report_id: int, withdraw: Withdraw) -> bool:
    """Nothing of the report left, may have left, or is under way; nothing is handed out before the
    transaction has ended. A delivery that was cancelled while it was being sent counts as under way."""
    rows = session.rows(named.DELIVERIES_OF_SET, {"report_id": report_id})
    return all(not left(session, number) and withdraw(number) for number, _, _ in rows)


def recall(session: Session, report_id: int, now: int) -> None:
    """Cancel all that the report still owes; only after `unsent` said so in the same transaction."""
    for number, destination, state in session.rows(named.DELIVERIES_OF_SET, {"report_id": report_id}):
        if DeliveryState(state).settled:
            continue
        after = next_state(DeliveryState(state), DeliveryEvent.CANCEL)
        move(session, number, after, now, reason=WITHDRAWN)
        told = audit.Entry(
            "withdrawn", report_id=report_id, delivery_id=number, destination=destination, result=state
        )
        audit.record(session, told, now)
