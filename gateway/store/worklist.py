"""Reports that wait for their validation (REQ-30): listed from their first unvalidated message on, until a
message validates or withdraws them. A report in rework, whose last version is out, waits as well."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from gateway.model.decision import Verdict
from gateway.model.people import Practitioner
from gateway.model.submission import Mapped
from gateway.ports import Overdue, Row, Settled
from gateway.store.known import KnownReports, SetRow
from gateway.store.moments import from_micros, iso, to_micros
from gateway.store.session import Session
from gateway.store.tables import report, unvalidated

_ADD = insert(unvalidated)
_CHANGING = ("message_id", "status", "radiologist", "radiologist_name", "accession", "updated_at")
_SET = (
    update(unvalidated)
    .where(unvalidated.c.report_id == bindparam("of_report"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
_DROP = delete(unvalidated).where(unvalidated.c.report_id == bindparam("report_id"))
_KNOWN = select(unvalidated.c.report_id).where(unvalidated.c.report_id == bindparam("report_id"))
_SHOWN = (
    unvalidated.c.report_id,
    report.c.site,
    report.c.set_key,
    unvalidated.c.status,
    report.c.version,
    unvalidated.c.radiologist,
    unvalidated.c.radiologist_name,
    unvalidated.c.accession,
    unvalidated.c.message_id,
    unvalidated.c.since,
    unvalidated.c.updated_at,
)
_LIST = (
    select(*_SHOWN)
    .join_from(unvalidated, report, unvalidated.c.report_id == report.c.id)
    .where(
        unvalidated.c.report_id > bindparam("cursor"),
        unvalidated.c.since >= bindparam("since"),
        unvalidated.c.since < bindparam("until"),
        or_(bindparam("radiologist") == "", unvalidated.c.radiologist == bindparam("radiologist")),
    )
    .order_by(unvalidated.c.report_id)
    .limit(bindparam("most"))
)
_OVERDUE = (
    select(unvalidated.c.radiologist, func.count(), func.min(unvalidated.c.since))
    .where(unvalidated.c.since < bindparam("before"))
    .group_by(unvalidated.c.radiologist)
    .order_by(unvalidated.c.radiologist)
)


def follow(
    session: Session,
    known: KnownReports,
    site: str,
    before: SetRow | None,
    settled: Settled,
    message_id: int,
    now: int,
) -> None:
    """Put the report of a message on the list, or take it off. `before`: its set as it was before it."""
    mapped, report = settled.mapped, settled.mapped.report
    if report is None or settled.decision.verdict is Verdict.REJECT:
        return
    waits = not report.status.validated and not report.status.withdrawn and not _late(mapped, before)
    if not waits and (before is None or not (settled.identity or report.status.withdrawn)):
        return
    row = known.row(site, settled.set_key)
    if row is None:
        return
    if waits:
        _wait(session, row.id, mapped, message_id, now, new=before is None)
    else:
        session.run(_DROP, {"report_id": row.id})


def _late(mapped: Mapped, before: SetRow | None) -> bool:
    """An unvalidated text that was sent before its validated version, or its withdrawal, came here."""
    sent = mapped.context.sent_at
    if before is None or sent is None or not (before.version > 0 or before.status.withdrawn):
        return False
    return to_micros(sent) < before.updated_at


def _wait(session: Session, number: int, mapped: Mapped, message_id: int, now: int, *, new: bool) -> None:
    assert mapped.report is not None, "whoever calls looked"
    found = mapped.report
    person = found.legal_authenticator or next(iter(found.authors), Practitioner())
    accession = next((one.accession.value for one in found.orders if one.accession is not None), "")
    values: dict[str, Any] = {
        "message_id": message_id,
        "status": found.status.value,
        "radiologist": person.id,
        "radiologist_name": " ".join(part for part in (person.given, person.family) if part),
        "accession": accession,
        "updated_at": now,
    }
    if new or session.row(_KNOWN, {"report_id": number}) is None:
        session.run(_ADD, values | {"report_id": number, "since": now})
    else:
        changes = {f"new_{name}": value for name, value in values.items()}
        session.run(_SET, changes | {"of_report": number})


_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def listed(
    session: Session,
    *,
    since: datetime | None,
    until: datetime | None,
    radiologist: str,
    cursor: int,
    limit: int,
) -> list[Row]:
    """In the order in which they came; no patient."""
    if len(radiologist) == 11 and radiologist.isdecimal():
        radiologist = f"8{radiologist}"  # a bare RPPS
    params = {
        "cursor": cursor,
        "since": to_micros(since or _FIRST),
        "until": to_micros(until or _LAST),
        "radiologist": radiologist,
        "most": limit,
    }
    names = [column.name for column in _SHOWN]
    rows = (dict(zip(names, row, strict=True)) for row in session.rows(_LIST, params))
    return [
        row
        | {
            "report_id": str(row["report_id"]),
            "since": iso(row["since"]),
            "updated_at": iso(row["updated_at"]),
        }
        for row in rows
    ]


def overdue(session: Session, before: datetime) -> list[Overdue]:
    """By radiologist, what has waited since before that time."""
    rows = session.rows(_OVERDUE, {"before": to_micros(before)})
    return [Overdue(radiologist, number, from_micros(since)) for radiologist, number, since in rows]
