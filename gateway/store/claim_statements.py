"""The statements of claiming: what may start now, what is due next, what a clock or a peer changes in it."""

from sqlalchemy import and_, bindparam, func, literal_column, not_, or_, select, update

from gateway.store.sql import ONE, SETTLED
from gateway.store.tables import delivery, document

PLANNED_VERSIONS = (
    # The literal makes the planner see that the partial index fits.
    select(delivery.c.version_id)
    .where(delivery.c.state == literal_column("'planned'"))
    .group_by(delivery.c.version_id)  # streams along the index; DISTINCT would keep a set
    .order_by(delivery.c.version_id)
    .limit(bindparam("most"))
)
_earlier = delivery.alias("earlier")
_same_lane_earlier = and_(
    _earlier.c.report_id == delivery.c.report_id,
    _earlier.c.destination == delivery.c.destination,
    _earlier.c.lane_recipient == delivery.c.lane_recipient,
    _earlier.c.id < delivery.c.id,
)
DUE = (
    select(
        delivery.c.id,
        delivery.c.next_try,
        delivery.c.version_id,
        delivery.c.attempts,
        delivery.c.report_id,
        delivery.c.lane_recipient,
        # A production that failed and was retried by hand: pending, but nothing to send yet. A ZAM has none,
        # a deletion is about the document of a version before.
        or_(
            delivery.c.destination == literal_column("'zam'"),
            delivery.c.action == literal_column("'delete'"),
            select(ONE).where(document.c.version_id == delivery.c.version_id).correlate(delivery).exists(),
        ).label("produced"),
    )
    .where(
        delivery.c.destination == bindparam("destination"),
        delivery.c.next_try <= bindparam("now"),
        # Failed, blocked and withheld rows hold their lane like those still under way.
        not_(
            select(ONE)
            .select_from(_earlier)
            .where(_same_lane_earlier, _earlier.c.state.not_in(SETTLED))
            .correlate(delivery)
            .exists()
        ),
    )
    .order_by(delivery.c.next_try, delivery.c.id)
    .limit(bindparam("most"))
)
NEXT_DUE = select(func.min(delivery.c.next_try)).where(
    delivery.c.destination == bindparam("destination"), delivery.c.next_try > bindparam("now")
)
_later = delivery.c.next_try > bindparam("now")
SET_BACK = update(delivery).where(_later).values(next_try=delivery.c.next_try - bindparam("back"))
CUT_WAITS = (
    update(delivery).where(delivery.c.next_try > bindparam("limit")).values(next_try=bindparam("limit"))
)
HASTEN = (
    # The oldest go first.
    update(delivery)
    .where(
        delivery.c.destination == bindparam("destination"),
        _later,
        delivery.c.updated_at >= bindparam("since"),
    )
    .values(next_try=func.coalesce(delivery.c.due_since, bindparam("now")))
)
