"""The end of a delivery is told to the creator of its message by one more delivery, in the same commit."""

from gateway.model.base import decode, encode
from gateway.model.delivery import DeliveryState, Destination, Outcome
from gateway.model.submission import Action, Recipient, SubmissionContext
from gateway.model.version import Acknowledged
from gateway.rules.acknowledgement import ENDS, owed
from gateway.store import statements as named
from gateway.store import work_statements as work
from gateway.store.moments import from_micros
from gateway.store.rows import delivery_row
from gateway.store.session import Session

_ASKED = '"acknowledge_reception":true'
"""How the context says it; most messages do not ask, and their context is not read further."""


def plan(session: Session, delivery_id: int, now: int) -> None:
    """Plan the ZAM about a delivery that has just come to its end; nothing when nobody asked for it.

    It may go at once: it needs no document. Each has a lane of its own, so that one creator who does not
    answer holds nothing up.
    """
    row = session.row(work.ENDED, {"delivery_id": delivery_id})
    if row is None:
        return
    version_id, report_id, destination, action, recipient, state, reason, outcome, ended_at = row
    if DeliveryState(state) not in ENDS:
        return
    found = session.row(work.CONTEXT, {"version_id": version_id})
    if found is None or _ASKED not in found[0]:
        return
    end = Acknowledged(
        delivery_id=delivery_id,
        destination=Destination(destination),
        state=DeliveryState(state),
        ended_at=from_micros(ended_at),
        recipient=decode(recipient.encode(), Recipient) if recipient is not None else None,
        outcome=decode(outcome.encode(), Outcome) if outcome is not None else None,
        reason=reason,
    )
    planned = owed(
        decode(found[0].encode(), SubmissionContext),
        end.destination,
        end.state,
        action=Action(action),
        recipient=end.recipient,
        reason=reason,
    )
    if planned is None:
        return
    row = delivery_row(report_id, version_id, planned, now, lane=f"delivery:{delivery_id}:{now}")
    made = session.add(named.ADD_DELIVERY, row)
    row_told = {"delivery_id": made, "about": delivery_id, "told": encode(end).decode()}
    session.run(named.ADD_ACKNOWLEDGEMENT, row_told)


def told(session: Session, delivery_id: int) -> Acknowledged | None:
    """What the ZAM `delivery_id` tells; None when it is no ZAM."""
    row = session.row(work.TOLD, {"delivery_id": delivery_id})
    return decode(row[0].encode(), Acknowledged) if row is not None else None
