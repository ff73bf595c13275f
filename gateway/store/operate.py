"""What an operator changes: retry, cancel, release; each through the table of states, in one transaction."""

from collections.abc import Callable

from gateway.model.delivery import (
    DeliveryEvent,
    DeliveryState,
    IllegalTransitionError,
    NotAnnouncedError,
    next_state,
)
from gateway.store import audit, judgement
from gateway.store import statements as named
from gateway.store.identities import forbidden
from gateway.store.move import move
from gateway.store.session import Session
from gateway.store.supersede import Withdraw
from gateway.store.withdrawal import drop_idle

AWAITING = "AWAITING-ANNOUNCEMENT"

Act = Callable[[Session, int, int, Withdraw, str], DeliveryState]
"""(session, delivery id, now in microseconds, withdraw, actor) → state after."""


def retry(session: Session, delivery_id: int, now: int, withdraw: Withdraw, actor: str) -> DeliveryState:
    """Due at once, with a fresh series of tries: failed, waiting and ambiguous deliveries."""
    return _apply(session, delivery_id, DeliveryEvent.RETRY_DUE, now, withdraw, ("retry", actor))


def cancel(session: Session, delivery_id: int, now: int, withdraw: Withdraw, actor: str) -> DeliveryState:
    """Never sent; the next of the lane may go."""
    return _apply(session, delivery_id, DeliveryEvent.CANCEL, now, withdraw, ("cancel", actor))


def release(session: Session, delivery_id: int, now: int, withdraw: Withdraw, actor: str) -> DeliveryState:
    """A withheld delivery goes: at once where the documents of its version exist, else after production."""
    return _apply(session, delivery_id, DeliveryEvent.RELEASE, now, withdraw, ("release", actor))


def _apply(
    session: Session,
    delivery_id: int,
    event: DeliveryEvent,
    now: int,
    withdraw: Withdraw,
    by: tuple[str, str],
) -> DeliveryState:
    row = session.row(named.DELIVERY_STATE, {"delivery_id": delivery_id})
    if row is None:
        raise LookupError(f"no delivery {delivery_id}")
    if not withdraw(delivery_id):
        raise IllegalTransitionError(DeliveryState.IN_FLIGHT, event)
    state, destination, version_id, report_id, lane_recipient, reason = row[0], row[1], *row[5:]
    if event is DeliveryEvent.RELEASE and reason == AWAITING:
        raise NotAnnouncedError(report_id)
    if event is DeliveryEvent.RETRY_DUE and state == DeliveryState.BLOCKED:
        if not judgement.refused(session, delivery_id):
            raise IllegalTransitionError(DeliveryState.BLOCKED, event)
        event = DeliveryEvent.UNBLOCK  # the documents are made and judged again
    after = next_state(DeliveryState(state), event)
    if after is DeliveryState.PLANNED and session.row(named.VERSION_PRODUCED, {"version_id": version_id}):
        after = next_state(after, DeliveryEvent.PRODUCED)
    # What the identity feed stops meanwhile stays stopped, whoever tries it again.
    stopped = forbidden(state, destination, reason) if event is DeliveryEvent.RETRY_DUE else ""
    move(session, delivery_id, after, now, reason=stopped)
    if after is DeliveryState.CANCELLED:
        lane = {"report_id": report_id, "destination": destination, "lane_recipient": lane_recipient}
        drop_idle(session, lane, now)
    action, actor = by
    told = audit.Entry(
        action,
        actor,
        report_id=report_id,
        delivery_id=delivery_id,
        destination=destination,
        result=f"{state} to {after.value}",
    )
    audit.record(session, told, now)
    return after


def pause(session: Session, destination: str, now: int, actor: str, *, paused: bool) -> None:
    """Nothing more is sent there until it is resumed; what is being sent ends."""
    session.run(named.DROP_DESTINATION, {"name": destination})
    session.run(
        named.ADD_DESTINATION, {"name": destination, "paused_at": now if paused else None, "actor": actor}
    )
    action = "pause" if paused else "resume"
    audit.record(session, audit.Entry(action, actor, destination=destination), now)
