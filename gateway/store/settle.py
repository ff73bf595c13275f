"""What results of workers write: documents and next states, inside the transaction that the writer opened.

Every result may come twice (a worker's journal is read again after a crash): the second one changes nothing.
"""

import logging
from typing import Any

from gateway.model.base import decode, encode
from gateway.model.delivery import (
    INTERRUPTED,
    DeliveryEvent,
    DeliveryState,
    Destination,
    IllegalTransitionError,
    Outcome,
    OutcomeKind,
    next_state,
)
from gateway.model.submission import Blob
from gateway.model.version import Document
from gateway.ports import Produced, Settlement
from gateway.store import acknowledge, audit, judgement
from gateway.store import statements as named
from gateway.store.artifacts import keep
from gateway.store.identities import forbidden
from gateway.store.moments import to_micros
from gateway.store.move import move, move_all
from gateway.store.policy import Retry
from gateway.store.rows import AttemptRow, DocumentRow
from gateway.store.session import Session
from gateway.store.supersede import STANDING, SUPERSEDED, overtaken
from gateway.store.withdrawal import drop_idle

log = logging.getLogger(__name__)

NO_DOCUMENT = "PRODUCTION-EMPTY"


def settle(
    session: Session,
    results: tuple[Produced | Settlement, ...],
    retry: Retry,
    now: int,
    *,
    acknowledging: bool = False,
) -> None:
    """Write all results; `now` in microseconds. `acknowledging`: creators who asked are told ends (ZAM)."""
    for result in results:
        if isinstance(result, Produced):
            ended = _produced(session, result, now)
        else:
            ended = _settled(session, result, retry, now)
        if acknowledging:
            for delivery_id in ended:
                acknowledge.plan(session, delivery_id, now)


def _produced(session: Session, result: Produced, now: int) -> tuple[int, ...]:
    """Keep the documents and let the version's deliveries go, or fail them all with the problem.

    Returns the deliveries that changed their state.
    """
    changed: list[int] = []
    made = bool(result.documents) and not result.problem and not result.blocked
    if made and session.row(named.VERSION_PRODUCED, {"version_id": result.version_id}) is None:
        for document in result.documents:
            keep(
                session,
                Blob(sha256=document.sha256, media_type=document.media_type, data=document.data),
            )
        rows = [_row(result.version_id, position, one, now) for position, one in enumerate(result.documents)]
        session.run_many(named.ADD_DOCUMENT, rows)
    judgement.record(session, result, now)
    reason = "" if made else result.blocked or result.problem or NO_DOCUMENT
    planned: list[int] = []
    for delivery_id, state in session.rows(named.VERSION_DELIVERIES, {"version_id": result.version_id}):
        if state == DeliveryState.PLANNED:
            planned.append(delivery_id)
        elif state == DeliveryState.PENDING and result.blocked:  # retried by hand, judged again
            after = next_state(DeliveryState.PENDING, DeliveryEvent.BLOCK)
            move(session, delivery_id, after, now, reason=reason)
            changed.append(delivery_id)
        elif state == DeliveryState.PENDING and not made:  # failed before, retried by hand, failed again
            claimed = next_state(DeliveryState.PENDING, DeliveryEvent.CLAIMED)
            move(session, delivery_id, next_state(claimed, DeliveryEvent.FAILED), now, reason=reason)
            changed.append(delivery_id)
    if planned:
        refusal = DeliveryEvent.BLOCK if result.blocked else DeliveryEvent.PRODUCTION_FAILED
        after = next_state(DeliveryState.PLANNED, DeliveryEvent.PRODUCED if made else refusal)
        move_all(session, planned, after, now, reason=reason)
    return (*changed, *planned)


def _row(version_id: int, position: int, document: Document, now: int) -> DocumentRow:
    return DocumentRow(
        version_id=version_id,
        position=position,
        kind=document.kind.value,
        title=document.title,
        media_type=document.media_type,
        sha256=document.sha256,
        created_at=now,
    )


def _settled(session: Session, result: Settlement, retry: Retry, now: int) -> tuple[int, ...]:
    """Write one attempt and the next state; returns the delivery when its state followed from it."""
    row = session.row(named.DELIVERY_STATE, {"delivery_id": result.delivery_id})
    if row is None:
        log.warning("settlement of an unknown delivery", extra={"delivery": result.delivery_id})
        return ()
    state, destination, attempts, tries, due_since, _, report_id, lane_recipient, before = row
    if result.attempt <= attempts:
        return _resolved(session, result, row, now)  # known already
    lane = {"report_id": report_id, "destination": destination, "lane_recipient": lane_recipient}
    ended = to_micros(result.ended_at)
    session.later(
        named.ADD_ATTEMPT,
        AttemptRow(
            delivery_id=result.delivery_id,
            number=result.attempt,
            started_at=to_micros(result.started_at),
            ended_at=ended,
            outcome=encode(result.outcome).decode(),
        ),
    )
    elapsed = (ended - due_since) / 1e6 if due_since is not None else 0.0
    following = retry.after(result.outcome, Destination(destination), tries + 1, elapsed)
    values: dict[str, Any] = {
        "delivery_id": result.delivery_id,
        "new_attempts": result.attempt,
        "new_tries": tries + 1,
        "new_due_since": due_since,
        "new_outcome": encode(following.outcome).decode(),
        "new_updated_at": now,
    }
    try:
        # Claiming writes nothing on SQLite: both steps of the table are taken here.
        claimed = next_state(DeliveryState(state), DeliveryEvent.CLAIMED)
        after = next_state(claimed, following.event)
    except IllegalTransitionError:
        # Cancelled by another process while it was being sent: the ledger keeps what the operator decided,
        # the attempt what really happened.
        log.warning(
            "result for a delivery that is not under way",
            extra={"delivery": result.delivery_id, "state": state, "outcome": result.outcome.kind.value},
        )
        left = result.outcome.kind in (OutcomeKind.DELIVERED, OutcomeKind.AMBIGUOUS)
        values |= {"new_state": state, "new_reason": "DELIVERY-LEFT" if left else "", "new_next_try": None}
    else:
        wait, reason = following.wait, following.reason
        if stopped := forbidden(state, destination, before):
            # The feed spoke while it was in hand: what did not arrive does not leave any more.
            if after in (DeliveryState.WAITING, DeliveryState.FAILED):
                after, wait, reason = next_state(claimed, DeliveryEvent.BLOCK), None, stopped
            elif after is DeliveryState.AMBIGUOUS:
                reason = stopped
        if after in STANDING and overtaken(session, result.delivery_id, lane):
            after, wait, reason = next_state(after, DeliveryEvent.CANCEL), None, SUPERSEDED
        values |= {
            "new_state": after.value,
            "new_reason": reason,
            "new_next_try": None if wait is None else ended + int(wait * 1e6),
        }
    session.run(named.SETTLE_DELIVERY, values)
    if values["new_state"] in (DeliveryState.CANCELLED, DeliveryState.REFUSED):
        drop_idle(session, lane, now)
    told = audit.Entry(
        "attempt",
        report_id=report_id,
        delivery_id=result.delivery_id,
        destination=destination,
        result=" ".join(filter(None, (result.outcome.kind.value, result.outcome.code, values["new_reason"]))),
    )
    audit.record(session, told, now)
    return (result.delivery_id,)


def _resolved(session: Session, result: Settlement, row: tuple[Any, ...], now: int) -> tuple[int, ...]:
    """The true end of an attempt that was taken for ambiguous because its node was away.

    Only while it stands so: what a person, or a later attempt, decided since then is left alone.
    """
    state, destination, attempts, report_id = row[0], row[1], row[2], row[6]
    event = _KNOWN_AFTER_ALL.get(result.outcome.kind)
    if event is None or (state, attempts) != (DeliveryState.AMBIGUOUS, result.attempt):
        return ()
    key = {"delivery_id": result.delivery_id, "number": result.attempt}
    before = session.row(named.ATTEMPT_OUTCOME, key)
    if before is None or decode(before[0].encode(), Outcome).code != INTERRUPTED:
        return ()
    after = next_state(DeliveryState.AMBIGUOUS, event)
    reason = result.outcome.code if after is DeliveryState.FAILED else ""
    move(session, result.delivery_id, after, now, reason=reason)
    outcome = encode(result.outcome).decode()
    attempted = {"of_delivery": result.delivery_id, "of_number": result.attempt}
    session.run(named.SET_ATTEMPT_OUTCOME, attempted | {"new_outcome": outcome})
    session.run(named.SET_OUTCOME, {"delivery_id": result.delivery_id, "new_outcome": outcome})
    told = audit.Entry(
        "attempt",
        report_id=report_id,
        delivery_id=result.delivery_id,
        destination=destination,
        result=f"{result.outcome.kind.value} {result.outcome.code}".strip(),
    )
    audit.record(session, told, now)
    return (result.delivery_id,)


_KNOWN_AFTER_ALL = {
    OutcomeKind.DELIVERED: DeliveryEvent.DELIVERED,
    OutcomeKind.TRANSIENT: DeliveryEvent.RETRY_DUE,
    OutcomeKind.PERMANENT: DeliveryEvent.FAILED,
}
