"""The rows that every message and its deliveries write, bound by position: their fields are the columns of
the table, in their order and without the number that the engine gives.

By name a row of fifteen columns takes a third longer to write (SQLite).
"""

from typing import NamedTuple

from gateway.model.base import encode
from gateway.model.decision import PlannedDelivery
from gateway.model.delivery import DeliveryState


class MessageRow(NamedTuple):
    received_at: int
    protocol: str
    peer: str
    site: str
    message_type: str
    control_id: str
    sending_application: str
    sending_facility: str
    state: str
    dedupe_key: str | None
    duplicate_of: int | None
    findings: str
    answer: bytes
    size: int
    raw: bytes


class ReportRow(NamedTuple):
    site: str
    set_key: str
    status: str
    version: int
    content_hash: str
    document_id: str
    created_at: int
    updated_at: int


class MessageReportRow(NamedTuple):
    message_id: int
    position: int
    report_id: int
    verdict: str
    number: int
    owed: int


class VersionRow(NamedTuple):
    report_id: int
    number: int
    message_id: int
    status: str
    created_at: int
    content_hash: str
    identity: str
    context: str
    report: str
    trace: str


class DeliveryRow(NamedTuple):
    version_id: int
    report_id: int
    destination: str
    lane_recipient: str
    recipient: str | None
    action: str
    state: str
    reason: str
    attempts: int
    tries: int
    due_since: int | None
    next_try: int | None
    outcome: str | None
    created_at: int
    updated_at: int


class DocumentRow(NamedTuple):
    version_id: int
    position: int
    kind: str
    title: str
    media_type: str
    sha256: str
    created_at: int


class AttemptRow(NamedTuple):
    delivery_id: int
    number: int
    started_at: int
    ended_at: int
    outcome: str


class PatientRow(NamedTuple):
    """Of `report_patient`."""

    site: str
    key: str
    report_id: int


class AuditRow(NamedTuple):
    at: int
    action: str
    actor: str
    message_id: int | None
    report_id: int | None
    delivery_id: int | None
    destination: str
    result: str
    patient: str
    previous: str
    hash: str


def delivery_row(
    report_id: int, version_id: int, planned: PlannedDelivery, now: int, lane: str = ""
) -> DeliveryRow:
    """The row of what is owed from now on; due at once where nothing has to be made before. `lane`: another
    one than that of its recipient."""
    recipient = planned.recipient
    due = now if planned.state is DeliveryState.PENDING else None
    return DeliveryRow(
        version_id=version_id,
        report_id=report_id,
        destination=planned.destination.value,
        lane_recipient=lane or planned.lane,
        recipient=encode(recipient).decode() if recipient is not None else None,
        action=planned.action.value,
        state=planned.state.value,
        reason=planned.reason,
        attempts=0,
        tries=0,
        due_since=due,
        next_try=due,
        outcome=None,
        created_at=now,
        updated_at=now,
    )
