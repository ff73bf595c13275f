"""What rules said of the documents of a version: written with them, read by `gateway message` and the API."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Integer, and_, bindparam, insert, literal_column, select, update

from gateway.model.findings import Finding
from gateway.model.submission import Blob
from gateway.model.version import DocumentKind
from gateway.ports import Produced
from gateway.store.artifacts import keep
from gateway.store.moments import iso
from gateway.store.session import Session
from gateway.store.tables import delivery, judgement, message_report, report_version

_ONE: ColumnElement[int] = literal_column("1", Integer)
_CHANGING = ("sha256", "official", "reason", "findings", "judged_at")
_ADD = insert(judgement)
_SET = (
    update(judgement)
    .where(judgement.c.version_id == bindparam("key"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
_KNOWN = select(_ONE).where(judgement.c.version_id == bindparam("version_id"))
_COLUMNS = (
    report_version.c.report_id,
    report_version.c.number,
    *(judgement.c[name] for name in _CHANGING),
)
_judgements = select(*_COLUMNS).join_from(
    judgement, report_version, judgement.c.version_id == report_version.c.id
)
OF_VERSION = _judgements.where(judgement.c.version_id == bindparam("version_id"))
OF_MESSAGE = _judgements.where(
    judgement.c.version_id.in_(
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
).order_by(judgement.c.version_id)
_REFUSED = (
    select(_ONE)
    .join_from(delivery, judgement, delivery.c.version_id == judgement.c.version_id)
    .where(
        delivery.c.id == bindparam("delivery_id"),
        delivery.c.reason == judgement.c.reason,
        judgement.c.reason != literal_column("''"),
    )
)


def record(session: Session, result: Produced, now: int) -> None:
    """Keep what was said, the last word of a version only; and the refused bytes, to be looked at."""
    if not (result.official or result.findings):
        return
    cda = next((one for one in result.documents if one.kind is DocumentKind.CDA), None)
    if result.blocked and cda is not None:
        keep(session, Blob(sha256=cda.sha256, media_type=cda.media_type, data=cda.data))
    values: dict[str, Any] = {
        "sha256": cda.sha256 if cda is not None else "",
        "official": int(result.official),
        "reason": result.blocked,
        "findings": msgspec.json.encode(result.findings).decode(),
        "judged_at": now,
    }
    if session.row(_KNOWN, {"version_id": result.version_id}) is None:
        session.run(_ADD, values | {"version_id": result.version_id})
    else:
        new = {f"new_{name}": value for name, value in values.items()}
        session.run(_SET, new | {"key": result.version_id})


def refused(session: Session, delivery_id: int) -> bool:
    """Whether a verdict is what blocks this delivery: it may then be produced and judged again."""
    return session.row(_REFUSED, {"delivery_id": delivery_id}) is not None


def of_message(session: Session, message_id: int) -> list[dict[str, Any]]:
    """The verdicts on the versions that a message made, with their findings."""
    return [_row(row) for row in session.rows(OF_MESSAGE, {"message_id": message_id})]


def of_version(session: Session, version_id: int) -> dict[str, Any] | None:
    row = session.row(OF_VERSION, {"version_id": version_id})
    return None if row is None else _row(row)


def _row(row: tuple[Any, ...]) -> dict[str, Any]:
    report_id, number, sha256, official, reason, findings, judged_at = row
    known = msgspec.json.decode(findings, type=tuple[Finding, ...])
    return {
        "report_id": str(report_id),
        "version": number,
        "sha256": sha256,
        "official": bool(official),
        "blocked": reason,
        "judged_at": iso(judged_at),
        "findings": [as_row(found) for found in known],
    }


def as_row(found: Finding) -> dict[str, str]:
    """A finding for API and CLI."""
    return {
        "code": found.code,
        "severity": found.severity.value,
        "location": found.location,
        "text": found.text,
        "detail": found.detail,
        "remedy": found.remedy,
    }
