"""The statements behind API, CLI and metrics: newest first, pages by the last id of the page before."""

from sqlalchemy import ColumnElement, Integer, and_, bindparam, func, literal_column, not_, or_, select, true

from gateway.store.tables import (
    artifact,
    attempt,
    audit,
    delivery,
    document,
    message,
    message_order,
    message_report,
    report,
    report_version,
)

_ONE: ColumnElement[int] = literal_column("1", Integer)

MESSAGE_COLUMNS = [
    message.c[name]
    for name in (
        "id",
        "received_at",
        "protocol",
        "peer",
        "site",
        "message_type",
        "control_id",
        "sending_application",
        "sending_facility",
        "state",
        "duplicate_of",
        "size",
    )
]
_before = message.c.id < bindparam("cursor")
_message = select(*MESSAGE_COLUMNS, message.c.findings)
_messages = _message.where(_before).order_by(message.c.id.desc()).limit(bindparam("most"))
_site = or_(bindparam("site") == "", message.c.site == bindparam("site"))
_state = or_(bindparam("state") == "", message.c.state == bindparam("state"))
MESSAGES = _messages.where(true())
MESSAGES_BY_CONTROL_ID = _messages.where(message.c.control_id == bindparam("control_id"), _site, _state)
MESSAGES_BY_STATE = _messages.where(message.c.state == bindparam("state"), _site)
MESSAGES_BY_SITE = _messages.where(message.c.site == bindparam("site"))
MESSAGE = _message.where(message.c.id == bindparam("message_id"))
RAW = select(message.c.raw).where(message.c.id == bindparam("message_id"))
ANSWER = select(message.c.answer).where(message.c.id == bindparam("message_id"))
REPORTS_OF_MESSAGE = (
    select(
        report.c.id,
        report.c.set_key,
        report.c.status,
        message_report.c.verdict,
        message_report.c.number,
    )
    .join_from(message_report, report, message_report.c.report_id == report.c.id)
    .where(message_report.c.message_id == bindparam("message_id"))
    .order_by(message_report.c.position)
)
DELIVERY_COLUMNS = [
    delivery.c[name]
    for name in (
        "id",
        "report_id",
        "version_id",
        "destination",
        "recipient",
        "action",
        "state",
        "reason",
        "attempts",
        "next_try",
        "outcome",
        "created_at",
        "updated_at",
    )
]
_deliveries = select(*DELIVERY_COLUMNS, report_version.c.number).join_from(
    delivery, report_version, delivery.c.version_id == report_version.c.id
)
DELIVERIES_OF_MESSAGE = _deliveries.where(
    delivery.c.version_id.in_(
        select(report_version.c.id)
        .join_from(
            message_report,
            report_version,
            and_(
                message_report.c.report_id == report_version.c.report_id,
                message_report.c.number == report_version.c.number,
            ),
        )
        .where(message_report.c.message_id == bindparam("message_id"))
    )
).order_by(delivery.c.id)
DELIVERIES_OF_REPORT = _deliveries.where(delivery.c.report_id == bindparam("report_id")).order_by(
    delivery.c.id
)
DELIVERY = _deliveries.where(delivery.c.id == bindparam("delivery_id"))
DELIVERIES = (
    _deliveries.where(delivery.c.id < bindparam("cursor"))
    .order_by(delivery.c.id.desc())
    .limit(bindparam("most"))
)
# One seek a destination and state: either alone would have to sort all its rows.
DELIVERIES_BY_STATE = (
    _deliveries.where(
        delivery.c.state == bindparam("state"),
        delivery.c.destination == bindparam("destination"),
        delivery.c.id < bindparam("cursor"),
    )
    .order_by(delivery.c.id.desc())
    .limit(bindparam("most"))
)
ATTEMPTS = (
    select(attempt.c.number, attempt.c.started_at, attempt.c.ended_at, attempt.c.outcome)
    .where(attempt.c.delivery_id == bindparam("delivery_id"))
    .order_by(attempt.c.number)
)
REPORT = select(report).where(report.c.id == bindparam("report_id"))
VERSIONS_OF_REPORT = (
    select(
        report_version.c.id,
        report_version.c.number,
        report_version.c.status,
        report_version.c.message_id,
        report_version.c.created_at,
        report_version.c.context,
    )
    .where(report_version.c.report_id == bindparam("report_id"))
    .order_by(report_version.c.number)
)
DOCUMENTS_OF_VERSION = (
    select(document.c.kind, document.c.title, document.c.media_type, document.c.sha256, artifact.c.size)
    .join_from(document, artifact, document.c.sha256 == artifact.c.sha256)
    .where(document.c.version_id == bindparam("version_id"))
    .order_by(document.c.position)
)

AUDIT = select(
    *(
        audit.c[name]
        for name in (
            "id",
            "at",
            "action",
            "actor",
            "message_id",
            "report_id",
            "delivery_id",
            "destination",
            "result",
            "patient",
            "previous",
            "hash",
        )
    )
).order_by(audit.c.id)
UNAUDITED = (
    # Messages of which the trail does not tell: its end was cut off.
    select(message.c.id)
    .where(message.c.id.not_in(select(audit.c.message_id).where(audit.c.message_id.is_not(None))))
    .limit(bindparam("most"))
)

# --- counts and the balance of the ledger

DELIVERY_COUNTS = select(delivery.c.destination, delivery.c.state, func.count()).group_by(
    delivery.c.destination, delivery.c.state
)
_standing = (delivery.c.destination == bindparam("destination"), delivery.c.state == bindparam("state"))
QUEUE = select(func.count()).select_from(delivery).where(*_standing)
_oldest = (
    select(delivery.c.due_since, delivery.c.updated_at)
    .where(*_standing)
    .order_by(delivery.c.id)
    .limit(literal_column("100", Integer))
    .subquery()
)
# Not since it exists: what was blocked for days and is let go now has not waited. Of the hundred oldest
# rows: in a longer queue these have waited most, but for what was let go.
DUE_SINCE = select(func.min(func.coalesce(_oldest.c.due_since, _oldest.c.updated_at)))
MESSAGE_COUNTS = select(message.c.state, func.count()).group_by(message.c.state)
BALANCED = select(
    # In one statement: what is committed between two would look like a gap.
    select(func.coalesce(func.sum(message_report.c.owed), 0)).scalar_subquery()
    == select(func.count())
    .select_from(delivery)
    .where(delivery.c.destination != literal_column("'zam'"))
    .scalar_subquery()
)
OWED = select(func.coalesce(func.sum(message_report.c.owed), 0))
UNBALANCED = (
    # Versions whose rows in the ledger are not as many as the intake said it owed.
    select(
        report_version.c.report_id,
        report_version.c.number,
        message_report.c.owed,
        func.count(delivery.c.id),
    )
    .join_from(
        message_report,
        report_version,
        and_(
            message_report.c.report_id == report_version.c.report_id,
            message_report.c.number == report_version.c.number,
            message_report.c.message_id == report_version.c.message_id,
        ),
    )
    .outerjoin(
        delivery,
        and_(delivery.c.version_id == report_version.c.id, delivery.c.destination != literal_column("'zam'")),
    )
    .group_by(report_version.c.id, report_version.c.report_id, report_version.c.number, message_report.c.owed)
    .having(func.count(delivery.c.id) != message_report.c.owed)
    .limit(bindparam("most"))
)
_FEED = ("ADT", "ORM", "OMG", "OMI")
"""Types of messages that speak of orders and identities; an ORU of teleradiology may answer an order, too."""
WITHOUT_REPORT = (
    # Taken messages about reports that lead to none; not those whose contents, or orders, a purge let go.
    select(message.c.id)
    .where(
        message.c.state.in_([literal_column(f"'{state}'") for state in ("accepted", "blocked", "held")]),
        *(message.c.message_type.not_like(literal_column(f"'{kind}%'")) for kind in _FEED),
        message.c.size > literal_column("0"),
        *(
            not_(select(_ONE).where(link.c.message_id == message.c.id).correlate(message).exists())
            for link in (message_report, message_order)
        ),
        message.c.id.not_in(
            select(audit.c.message_id).where(
                audit.c.action == literal_column("'purge'"), audit.c.message_id.is_not(None)
            )
        ),
    )
    .limit(bindparam("most"))
)
