"""The statements of intake, lanes, settling and operation, named, built once from the tables.

Parameters are named; `sql(statement, dialect)` gives the text and its constants.
"""

from sqlalchemy import and_, bindparam, delete, insert, literal_column, select, update

from gateway.model.delivery import DeliveryState, Destination
from gateway.store.sql import ONE
from gateway.store.tables import (
    acknowledgement,
    artifact,
    attempt,
    audit,
    delivery,
    destination,
    document,
    message,
    message_report,
    report,
    report_document,
    report_version,
)

# --- intake

DUPLICATE = select(message.c.id, message.c.answer).where(message.c.dedupe_key == bindparam("dedupe_key"))
REPORT_OF_SET = select(
    report.c.id,
    report.c.status,
    report.c.version,
    report.c.content_hash,
    report.c.document_id,
    report.c.updated_at,
).where(report.c.site == bindparam("site"), report.c.set_key == bindparam("set_key"))

SET_OF_DOCUMENT = (
    select(report.c.set_key)
    .join_from(report_document, report, report_document.c.report_id == report.c.id)
    .where(
        report_document.c.site == bindparam("site"),
        report_document.c.document_id == bindparam("document_id"),
    )
)

ADD_MESSAGE = insert(message)
ADD_REPORT = insert(report)
ADD_REPORT_DOCUMENT = insert(report_document)
ADD_MESSAGE_REPORT = insert(message_report)
ADD_VERSION = insert(report_version)
ADD_DELIVERY = insert(delivery)
ADD_ACKNOWLEDGEMENT = insert(acknowledgement)
ADD_ARTIFACT = insert(artifact)
ADD_DOCUMENT = insert(document)
ADD_ATTEMPT = insert(attempt)

SET_REPORT = (
    update(report)
    .where(report.c.id == bindparam("report_id"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("status", "version", "content_hash", "document_id", "updated_at")
        }
    )
)
SET_FINDINGS = (
    update(message)
    .where(message.c.id == bindparam("message_id"))
    .values({"findings": bindparam("new_findings")})
)
ARTIFACT = select(artifact.c.media_type, artifact.c.data).where(artifact.c.sha256 == bindparam("sha256"))
ARTIFACT_KNOWN = select(ONE).where(artifact.c.sha256 == bindparam("sha256"))
CURRENT = select(report_version.c.report).where(
    report_version.c.report_id == bindparam("report_id"), report_version.c.number == bindparam("number")
)

# --- lanes

_in_lane = and_(
    delivery.c.report_id == bindparam("report_id"),
    delivery.c.destination == bindparam("destination"),
    delivery.c.lane_recipient == bindparam("lane_recipient"),
)
LANE = select(delivery.c.id, delivery.c.state, delivery.c.action).where(_in_lane).order_by(delivery.c.id)
DELIVERIES_OF_SET = (
    # A ZAM tells the creator of an end; it is nothing that the report owes.
    select(
        delivery.c.id,
        delivery.c.destination,
        delivery.c.state,
        delivery.c.lane_recipient,
        delivery.c.action,
        delivery.c.recipient,
    ).where(delivery.c.report_id == bindparam("report_id"), delivery.c.destination != literal_column("'zam'"))
)
UNANNOUNCED = select(delivery.c.id, delivery.c.destination, delivery.c.lane_recipient).where(
    delivery.c.report_id == bindparam("report_id"),
    delivery.c.destination == literal_column(f"'{Destination.MSSANTE_PATIENT}'"),
    delivery.c.state == literal_column(f"'{DeliveryState.WITHHELD}'"),
    delivery.c.reason == literal_column("'AWAITING-ANNOUNCEMENT'"),
)
NEWER_IN_LANE = select(ONE).where(_in_lane, delivery.c.id > bindparam("delivery_id")).limit(1)
OUTCOMES = select(attempt.c.outcome).where(attempt.c.delivery_id == bindparam("delivery_id"))

PREDECESSORS = (
    select(delivery.c.id, delivery.c.action, delivery.c.outcome, delivery.c.version_id, delivery.c.state)
    .where(_in_lane, delivery.c.id < bindparam("delivery_id"))
    .order_by(delivery.c.id.desc())
)

# --- settling

DELIVERY_STATE = select(
    delivery.c.state,
    delivery.c.destination,
    delivery.c.attempts,
    delivery.c.tries,
    delivery.c.due_since,
    delivery.c.version_id,
    delivery.c.report_id,
    delivery.c.lane_recipient,
    delivery.c.reason,
).where(delivery.c.id == bindparam("delivery_id"))
VERSION_DELIVERIES = select(delivery.c.id, delivery.c.state).where(
    delivery.c.version_id == bindparam("version_id"), delivery.c.destination != literal_column("'zam'")
)
VERSION_PRODUCED = select(ONE).where(document.c.version_id == bindparam("version_id")).limit(1)
_CHANGING = ("state", "reason", "attempts", "tries", "due_since", "next_try", "outcome", "updated_at")
SETTLE_DELIVERY = (
    update(delivery)
    .where(delivery.c.id == bindparam("delivery_id"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
MOVE_DELIVERY = (
    update(delivery)
    .where(delivery.c.id == bindparam("delivery_id"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("state", "reason", "tries", "due_since", "next_try", "updated_at")
        }
    )
)

SET_REASON = (
    update(delivery).where(delivery.c.id == bindparam("delivery_id")).values(reason=bindparam("new_reason"))
)
ATTEMPT_OUTCOME = select(attempt.c.outcome).where(
    attempt.c.delivery_id == bindparam("delivery_id"), attempt.c.number == bindparam("number")
)
SET_ATTEMPT_OUTCOME = (
    update(attempt)
    .where(attempt.c.delivery_id == bindparam("of_delivery"), attempt.c.number == bindparam("of_number"))
    .values(outcome=bindparam("new_outcome"))
)
SET_OUTCOME = (
    update(delivery).where(delivery.c.id == bindparam("delivery_id")).values(outcome=bindparam("new_outcome"))
)

# --- audit and operation

NEWEST_CONTENT = (
    select(report_version.c.report)
    .where(report_version.c.report_id == bindparam("report_id"))
    .order_by(report_version.c.number.desc())
    .limit(1)
)
AUDIT_LAST = select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)
ADD_AUDIT = insert(audit)
PAUSED = select(destination.c.name).where(destination.c.paused_at.is_not(None))
DROP_DESTINATION = delete(destination).where(destination.c.name == bindparam("name"))
ADD_DESTINATION = insert(destination)
