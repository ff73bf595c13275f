"""A report is withdrawn: what never left is cancelled, what arrived somewhere is deleted there.

Lane by lane (destination, recipient): a deletion is one more delivery at the end of its lane, so it waits for
whatever is under way or of unknown end before it. Where nothing of the report arrived there is nothing to
delete, and where a deletion is under way or done there is none to add.
"""

from operator import itemgetter
from typing import Any

from gateway.model.base import decode
from gateway.model.decision import PlannedDelivery
from gateway.model.delivery import DeliveryEvent, DeliveryState, Destination, Outcome, OutcomeKind, next_state
from gateway.model.submission import Action, Recipient
from gateway.rules.acknowledgement import RECALLED
from gateway.store import audit
from gateway.store import statements as named
from gateway.store.move import move
from gateway.store.session import Session
from gateway.store.supersede import Withdraw, left

_NOT_DONE = frozenset({DeliveryState.CANCELLED, DeliveryState.REFUSED})
"""Ends of a deletion after which the document is where it was: it may be asked for again."""
RemoteIds = tuple[tuple[str, str], ...]


def sent(session: Session, report_id: int, withdraw: Withdraw) -> tuple[PlannedDelivery, ...]:
    """The deletions that a withdrawal owes: one for each lane in which something left, may have left, or is
    under way. What is not under way is not handed out before the transaction has ended."""
    found: dict[tuple[str, str], PlannedDelivery] = {}
    rows = session.rows(named.DELIVERIES_OF_SET, {"report_id": report_id})
    for number, destination, state, lane, action, recipient in sorted(rows, key=itemgetter(0)):
        if action == Action.DELETE:
            if state not in _NOT_DONE:
                found.pop((destination, lane), None)
        elif left(session, number) or not withdraw(number):
            found[destination, lane] = PlannedDelivery(
                destination=Destination(destination),
                action=Action.DELETE,
                recipient=decode(recipient.encode(), Recipient) if recipient is not None else None,
                state=DeliveryState.PENDING,
            )
    return tuple(found.values())


def recall(session: Session, report_id: int, withdraw: Withdraw, now: int) -> None:
    """Cancel all that the report owes and that neither left nor is under way, and earlier deletions that have
    nothing to delete then."""
    cleared = set()
    rows = session.rows(named.DELIVERIES_OF_SET, {"report_id": report_id})
    for number, destination, state, lane, action, _ in rows:
        settled = DeliveryState(state).settled
        if settled or action == Action.DELETE or left(session, number) or not withdraw(number):
            continue
        _cancel(session, report_id, number, destination, state, now)
        cleared.add((destination, lane))
    for destination, lane in sorted(cleared):
        drop_idle(session, {"report_id": report_id, "destination": destination, "lane_recipient": lane}, now)


def drop_idle(session: Session, lane: dict[str, Any], now: int) -> None:
    """Cancel a deletion in `lane` (report_id, destination, lane_recipient) that has nothing to delete: all
    before it ended without having arrived. To be called when a delivery ends otherwise than delivered."""
    arrived, settled = False, True
    for number, state, action in session.rows(named.LANE, lane):
        gone = left(session, number)
        if action != Action.DELETE:
            arrived, settled = arrived or gone, settled and DeliveryState(state).settled
        elif gone and state not in _NOT_DONE:
            arrived = False
        elif state in _STANDING and settled and not arrived:
            _cancel(session, lane["report_id"], number, lane["destination"], state, now)


def to_delete(session: Session, lane: dict[str, Any]) -> tuple[int, RemoteIds]:
    """Of the deletion `lane` (with its delivery_id): the version whose document is to go, the last one that
    left; and what the peer named for the last one that is known to have arrived, () for none.

    Raises ValueError when nothing left: `drop_idle` lets no such deletion stand.
    """
    version = 0
    for number, made, outcome, version_id, state in session.rows(named.PREDECESSORS, lane):
        gone = left(session, number)
        if made == Action.DELETE:
            if gone and state not in _NOT_DONE:
                break
            continue
        if gone:
            version = version or version_id
            last = decode(outcome.encode(), Outcome) if outcome is not None else None
            if last is not None and last.kind is OutcomeKind.DELIVERED:
                return version, last.remote_ids
    if not version:
        raise ValueError(f"delivery {lane['delivery_id']} has nothing to delete")
    return version, ()


_STANDING = frozenset({DeliveryState.PENDING, DeliveryState.WAITING, DeliveryState.FAILED})


def _cancel(session: Session, report_id: int, number: int, destination: str, state: str, now: int) -> None:
    after = next_state(DeliveryState(state), DeliveryEvent.CANCEL)
    move(session, number, after, now, reason=RECALLED)
    told = audit.Entry(
        "withdrawn", report_id=report_id, delivery_id=number, destination=destination, result=state
    )
    audit.record(session, told, now)
