"""The statements of what workers read: a version to be made, a delivery to be sent, an end to be told."""

from sqlalchemy import and_, bindparam, literal_column, select

from gateway.store.sql import ONE, SETTLED
from gateway.store.tables import acknowledgement, artifact, delivery, document, report_version

VERSION = select(
    report_version.c.id, report_version.c.identity, report_version.c.report, report_version.c.context
).where(report_version.c.id == bindparam("version_id"))
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
    select(ONE)
    .where(_same_lane, _beside.c.id < delivery.c.id)
    .correlate(delivery)
    .exists()
    .label("preceded"),
    select(ONE)
    .where(
        _same_lane,
        _beside.c.id > delivery.c.id,
        _beside.c.action == literal_column("'delete'"),
        _beside.c.state.not_in(SETTLED),
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
