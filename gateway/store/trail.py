"""The audit trail as API and CLI show it: who did what, when, to which message, report, delivery, patient."""

from typing import Any, NamedTuple

from sqlalchemy import bindparam, literal, or_, select

from gateway.ports import Row
from gateway.store.moments import iso
from gateway.store.session import Session
from gateway.store.tables import audit


class Wanted(NamedTuple):
    """Only rows that have all of these; what is empty does not count. `since` and `until` (exclusive) in
    microseconds, `patient` as the trail has it: a keyed hash."""

    action: str = ""
    actor: str = ""
    message_id: int = 0
    report_id: int = 0
    delivery_id: int = 0
    destination: str = ""
    patient: str = ""
    since: int = 0
    until: int = 0


def listed(session: Session, wanted: Wanted, *, cursor: int, limit: int) -> list[Row]:
    """Newest first; `cursor` is the last id of the page before, 0 at first."""
    params = {**wanted._asdict(), "until": wanted.until or _FAR, "cursor": cursor or _FAR, "most": limit}
    return [dict(zip(_FIELDS, row, strict=True)) | {"at": iso(row[1])} for row in session.rows(_PAGE, params)]


def _same(name: str, empty: Any) -> Any:
    asked = bindparam(name, type_=audit.c[name].type)
    return or_(asked == literal(empty), audit.c[name] == asked)


_FAR = 1 << 62
_FIELDS = tuple(column.name for column in audit.columns)
_PAGE = (
    select(*audit.columns)
    .where(
        audit.c.id < bindparam("cursor"),
        audit.c.at >= bindparam("since"),
        audit.c.at < bindparam("until"),
        *(_same(name, "") for name in ("action", "actor", "destination", "patient")),
        *(_same(name, 0) for name in ("message_id", "report_id", "delivery_id")),
    )
    .order_by(audit.c.id.desc())
    .limit(bindparam("most"))
)
