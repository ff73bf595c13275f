"""A newer version of a report makes way for itself: what never left of an older one is not sent any more.

Only inside a lane (report set, destination, recipient), in the transaction that writes the newer version, or
in the one that settles an older one that was being sent meanwhile. What left, or may have, keeps its place:
it holds the lane until it is settled (architecture decision 13), and the newer version replaces it.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from gateway.model.base import decode
from gateway.model.delivery import DeliveryEvent, DeliveryState, Outcome, OutcomeKind, next_state
from gateway.model.submission import Action
from gateway.store import audit
from gateway.store import statements as named
from gateway.store.move import move
from gateway.store.session import Session

SUPERSEDED = "SUPERSEDED"
STANDING = frozenset(
    {
        DeliveryState.BLOCKED,
        DeliveryState.WITHHELD,
        DeliveryState.PLANNED,
        DeliveryState.PENDING,
        DeliveryState.WAITING,
        DeliveryState.FAILED,
    }
)
"""States in which an older version is given up, unless it may have left."""
_LEFT = frozenset({OutcomeKind.DELIVERED, OutcomeKind.AMBIGUOUS})

Withdraw = Callable[[int], bool]
"""Delivery id → True: not under way, and not handed out before the transaction has ended. Any thread."""


class Placed(NamedTuple):
    """Where a new row stands in its lane: its action, and how many older rows were given up for it."""

    action: Action
    superseded: int


def make_way(session: Session, lane: dict[str, Any], action: Action, withdraw: Withdraw, now: int) -> Placed:
    """Give up what never left of the older rows of `lane` (report_id, destination, lane_recipient)."""
    earlier = session.rows(named.LANE, lane)
    if not earlier:
        return Placed(action, 0)
    before, superseded = [], 0
    for number, state, made in earlier:
        gone = left(session, number)
        under_way = False
        if not gone and state in STANDING:
            under_way = not withdraw(number)
            if not under_way:
                after = next_state(DeliveryState(state), DeliveryEvent.CANCEL)
                move(session, number, after, now, reason=SUPERSEDED)
                superseded += 1
                told = audit.Entry(
                    "superseded",
                    report_id=lane["report_id"],
                    delivery_id=number,
                    destination=lane["destination"],
                    result=state,
                )
                audit.record(session, told, now)
        # What is being sent now probably arrives; if not, a worker places the newer one again.
        before.append((Action(made), gone or under_way))
    return Placed(place(action, before), superseded)


def announced(session: Session, report_id: int, lanes: set[tuple[str, str]], now: int) -> None:
    """Give up mails of older versions that waited for the announcement and that the newer one, which has rows
    in `lanes` (destination, recipient), does not owe: it may be seen, and no mail is wanted."""
    for number, destination, lane in session.rows(named.UNANNOUNCED, {"report_id": report_id}):
        if (destination, lane) in lanes:
            continue
        after = next_state(DeliveryState.WITHHELD, DeliveryEvent.CANCEL)
        move(session, number, after, now, reason=SUPERSEDED)
        told = audit.Entry(
            "superseded",
            report_id=report_id,
            delivery_id=number,
            destination=destination,
            result=DeliveryState.WITHHELD.value,
        )
        audit.record(session, told, now)


def place(action: Action, before: Iterable[tuple[Action, bool]]) -> Action:
    """The action of a row after those of `before`, oldest first: (action, whether it left or may have).

    The first that arrives takes over what the first of all was to do: a creation, or the replacement of a
    document that came from elsewhere. After a deletion that left nothing is there: a creation.
    """
    rows: list[tuple[Action, bool]] = []
    deleted = False
    for made, gone in before:
        if made is not Action.DELETE:
            rows.append((made, gone))
        elif gone:
            rows, deleted = [], True
    if action is Action.DELETE:
        return action
    if any(gone for _, gone in rows):
        return Action.REPLACE
    return Action.CREATE if deleted else rows[0][0] if rows else action


def left(session: Session, delivery_id: int) -> bool:
    """Whether any attempt brought it to the peer, or may have."""
    return any(
        decode(outcome.encode(), Outcome).kind in _LEFT
        for (outcome,) in session.rows(named.OUTCOMES, {"delivery_id": delivery_id})
    )


def overtaken(session: Session, delivery_id: int, lane: dict[str, Any]) -> bool:
    """Whether a newer version stands behind a row that never left: trying it again makes no sense."""
    newer = session.row(named.NEWER_IN_LANE, lane | {"delivery_id": delivery_id})
    return newer is not None and not left(session, delivery_id)
