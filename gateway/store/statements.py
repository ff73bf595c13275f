"""The statements of intake, claiming, settling and workers, named, built once from the tables.

They are compiled once a dialect and run by the bare DBAPI cursor: SQLAlchemy's own execution costs more than
the insert. Parameters are named; `sql(statement, dialect)` gives the text and its constants.
"""

import re
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Executable,
    Integer,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Dialect

from gateway.model.delivery import DeliveryState, Destination
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
    metadata,
    report,
    report_document,
    report_version,
)


class Sql(NamedTuple):
    """Text with its parameters, the values of those that are constants, and the tables that it names."""

    text: str
    constants: dict[str, Any]
    tables: frozenset[str]


def sql(statement: Executable, dialect: Dialect) -> Sql:
    """`statement` for a dialect; an insert names all columns but the numbered `id`."""
    table = getattr(statement, "table", None)
    names = None
    if getattr(statement, "is_insert", False) and isinstance(table, Table):
        names = [one.name for one in table.columns if one.name != "id"]
    compiled = statement.compile(dialect=dialect, column_keys=names)  # type: ignore[attr-defined]  # all are
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    text = str(compiled)
    return Sql(text, constants, frozenset(_TABLES.findall(text)))


_TABLES = re.compile(rf"\b(?:{'|'.join(metadata.tables)})\b")
"""A column of the same name counts, too: better once too often than once too little."""


_ONE: ColumnElement[int] = literal_column("1", Integer)
_SETTLED: tuple[ColumnElement[str], ...] = tuple(
    literal_column(f"'{state}'") for state in DeliveryState if state.settled
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
ARTIFACT_KNOWN = select(_ONE).where(artifact.c.sha256 == bindparam("sha256"))
CURRENT = select(report_version.c.report).where(
    report_version.c.report_id == bindparam("report_id"), report_version.c.number == bindparam("number")
)

# --- claiming

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
            select(_ONE).where(document.c.version_id == delivery.c.version_id).correlate(delivery).exists(),
        ).label("produced"),
    )
    .where(
        delivery.c.destination == bindparam("destination"),
        delivery.c.next_try <= bindparam("now"),
        # Failed, blocked and withheld rows hold their lane like those still under way.
        not_(
            select(_ONE)
            .select_from(_earlier)
            .where(_same_lane_earlier, _earlier.c.state.not_in(_SETTLED))
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
NEWER_IN_LANE = select(_ONE).where(_in_lane, delivery.c.id > bindparam("delivery_id")).limit(1)
OUTCOMES = select(attempt.c.outcome).where(attempt.c.delivery_id == bindparam("delivery_id"))

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
VERSION_PRODUCED = select(_ONE).where(document.c.version_id == bindparam("version_id")).limit(1)
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

# --- what workers read

VERSION = select(
    report_version.c.id, report_version.c.identity, report_version.c.report, report_version.c.context
).where(report_version.c.id == bindparam("version_id"))
ARTIFACT = select(artifact.c.media_type, artifact.c.data).where(artifact.c.sha256 == bindparam("sha256"))
DOCUMENTS = (
    select(document.c.kind, document.c.sha256, document.c.media_type, document.c.title, artifact.c.data)
    .join_from(document, artifact, document.c.sha256 == artifact.c.sha256)
    .where(document.c.version_id == bindparam("version_id"))
    .order_by(document.c.position)
)
CONTEXT = select(report_version.c.context).where(report_version.c.id == bindparam("version_id"))
ENDED = select(
    delivery.c.version_id,
    delivery.c.report_id,
    delivery.c.destination,
    delivery.c.action,
    delivery.c.recipient,
    delivery.c.state,
    delivery.c.reason,
    delivery.c.outcome,
    delivery.c.updated_at,
).where(delivery.c.id == bindparam("delivery_id"))
TOLD = select(acknowledgement.c.told).where(acknowledgement.c.delivery_id == bindparam("delivery_id"))
_beside = delivery.alias("beside")
_same_lane = and_(
    _beside.c.report_id == delivery.c.report_id,
    _beside.c.destination == delivery.c.destination,
    _beside.c.lane_recipient == delivery.c.lane_recipient,
)
JOB = select(
    delivery.c.version_id,
    delivery.c.report_id,
    delivery.c.destination,
    delivery.c.lane_recipient,
    delivery.c.recipient,
    delivery.c.action,
    delivery.c.state,
    delivery.c.reason,
    select(_ONE)
    .where(_same_lane, _beside.c.id < delivery.c.id)
    .correlate(delivery)
    .exists()
    .label("preceded"),
    select(_ONE)
    .where(
        _same_lane,
        _beside.c.id > delivery.c.id,
        _beside.c.action == literal_column("'delete'"),
        _beside.c.state.not_in(_SETTLED),
    )
    .correlate(delivery)
    .exists()
    .label("recalled"),
).where(delivery.c.id == bindparam("delivery_id"))
DOCUMENT_HASHES = (
    select(document.c.sha256)
    .where(document.c.version_id == bindparam("version_id"))
    .order_by(document.c.position)
)
PREDECESSORS = (
    select(delivery.c.id, delivery.c.action, delivery.c.outcome, delivery.c.version_id, delivery.c.state)
    .where(_in_lane, delivery.c.id < bindparam("delivery_id"))
    .order_by(delivery.c.id.desc())
)
