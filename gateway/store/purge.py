"""What the retention policy lets go: contents, never the rows that say that there was something (REQ-76).

A report set goes as a whole, when all its deliveries are settled, and nothing happened to it for the time
that the policy names; the messages that made it go with the last of their report sets. What is left of it:
numbers, hashes, states, times, attempts, the audit trail. Nothing goes that no export has taken out before.
"""

from typing import Any

import msgspec
from sqlalchemy import (
    Text,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    literal_column,
    not_,
    null,
    or_,
    select,
    update,
)

from gateway.config import RetentionSettings
from gateway.model.delivery import DeliveryState
from gateway.model.delivery import MessageState as State
from gateway.ports import Purged
from gateway.store import audit
from gateway.store.session import Session
from gateway.store.tables import (
    artifact,
    delivery,
    document,
    judgement,
    message,
    message_order,
    message_report,
    order,
    order_key,
    report,
    report_patient,
    report_version,
    unvalidated,
)
from gateway.store.tables import audit as trail

DAY = 24 * 3600 * 1_000_000
AT_ONCE = 20
"""Report sets, messages or orders in one transaction: the intake must not wait for a purge."""


def limits(session: Session, policy: RetentionSettings, now: int, *, exported: bool) -> dict[str, int]:
    """By class, the time before which what did not change goes; `exported`: only what an export has."""
    newest = now
    if exported:
        row = session.row(_LAST_EXPORT, {})
        newest = row[0] if row and row[0] is not None else 0
    return {name: min(newest, now - days * DAY) for name, days in policy.days.items() if days}


def due(session: Session, before: dict[str, int]) -> Purged:
    """How many would go now."""
    found = {}
    for name, limit in before.items():
        row = session.row(select(func.count()).select_from(_DUE[name].subquery()), {"before": limit})
        found[name] = row[0] if row else 0
    return Purged(**found)


def purge(session: Session, name: str, limit: int, now: int, actor: str) -> int:
    """At most AT_ONCE of a class, in the caller's transaction; how many went."""
    numbers = [one for (one,) in session.rows(_SOME[name], {"before": limit, "most": AT_ONCE})]
    for number in numbers:
        entry = audit.Entry("purge", actor, result=name)
        for told in _entries(session, entry, number):
            audit.record(session, told, now)  # first: then whose it was is still known
        _PURGE[name](session, number)
    return len(numbers)


def _entries(session: Session, entry: audit.Entry, number: int) -> list[audit.Entry]:
    """What the trail is told. Of an order nothing stays but this: it names the messages that spoke of it,
    which are then no messages that came to nothing (`listings.WITHOUT_REPORT`)."""
    if entry.result == "orders":
        messages = session.rows(_MESSAGES_OF_ORDER, {"number": number})
        return [entry._replace(message_id=one) for (one,) in messages]
    return [
        entry._replace(report_id=number) if entry.result == "reports" else entry._replace(message_id=number)
    ]


def _purge_report(session: Session, number: int) -> None:
    key = {"number": number}
    hashes = {one for (one,) in session.rows(_HASHES, key)}
    for report_json, context_json in session.rows(_CONTENTS, key):
        hashes |= _received(report_json, context_json)
    messages = [one for (one,) in session.rows(_MESSAGES_OF, key)]
    for statement in _FORGET_REPORT:
        session.run(statement, key)
    for sha256 in hashes:
        if all(session.row(one, {"sha256": sha256}) is None for one in (_IN_A_DOCUMENT, _TO_BE_PRODUCED)):
            session.run(_FORGET_ARTIFACT, {"sha256": sha256, "nothing": b""})
    for one in messages:
        if session.row(_OTHER_REPORT, {"number": one}) is None:
            _purge_message(session, one)


class _Bytes(msgspec.Struct):
    sha256: str


class _Attached(msgspec.Struct):
    """Of a canonical report only the bytes that came with it."""

    attachments: tuple[_Bytes, ...] = ()


class _Context(msgspec.Struct):
    received_document: str = ""


def _received(report_json: str, context_json: str) -> set[str]:
    """Hashes of the bytes that a version was made from."""
    if not report_json:
        return set()
    attached = msgspec.json.decode(report_json, type=_Attached).attachments
    document = msgspec.json.decode(context_json, type=_Context).received_document
    return {one.sha256 for one in attached} | ({document} if document else set())


def _purge_message(session: Session, number: int) -> None:
    session.run(_FORGET_MESSAGE, {"number": number, "nothing": b""})


def _purge_order(session: Session, number: int) -> None:
    for statement in _FORGET_ORDER:
        session.run(statement, {"number": number})


_ONE: Any = literal_column("1")
_NUMBER: Any = bindparam("number")
_SETTLED = [literal(state.value) for state in DeliveryState if state.settled]
_LAST_EXPORT = select(func.max(trail.c.at)).where(
    trail.c.action == literal("export"), trail.c.result == literal("everything")
)
_KEPT = exists().where(report_version.c.report_id == report.c.id, report_version.c.report != literal(""))
_MOVING = exists().where(
    delivery.c.report_id == report.c.id,
    not_(and_(delivery.c.state.in_(_SETTLED), delivery.c.updated_at < bindparam("before"))),
)
_HAS_REPORT = exists().where(message_report.c.message_id == message.c.id)
_DUE = {
    "reports": select(report.c.id).where(
        report.c.updated_at < bindparam("before"),
        _KEPT.correlate(report),
        not_(_MOVING.correlate(report)),
    ),
    # Those that made no report: refused ones, repetitions, orders, identities.
    "messages": select(message.c.id).where(
        message.c.received_at < bindparam("before"),
        message.c.size > literal(0),
        message.c.state != literal(State.HELD.value),
        not_(_HAS_REPORT.correlate(message)),
    ),
    "orders": select(order.c.id).where(order.c.updated_at < bindparam("before")),
}
_SOME = {
    name: statement.order_by(next(iter(statement.selected_columns))).limit(bindparam("most"))
    for name, statement in _DUE.items()
}
_VERSIONS = select(report_version.c.id).where(report_version.c.report_id == _NUMBER).scalar_subquery()
_HASHES = (
    select(document.c.sha256)
    .join_from(document, report_version, document.c.version_id == report_version.c.id)
    .where(report_version.c.report_id == _NUMBER)
)
_MESSAGES_OF = select(message_report.c.message_id).where(message_report.c.report_id == _NUMBER).distinct()
_MESSAGES_OF_ORDER = (
    select(message_order.c.message_id)
    .where(message_order.c.order_id == _NUMBER)
    .distinct()
    .order_by(message_order.c.message_id)
)
_CONTENTS = select(report_version.c.report, report_version.c.context).where(
    report_version.c.report_id == _NUMBER
)
_TO_BE_PRODUCED = (
    # Bytes that came with a report whose documents may have to be made yet.
    select(_ONE)
    .join_from(delivery, report_version, delivery.c.version_id == report_version.c.id)
    .where(
        delivery.c.state.not_in(_SETTLED),
        or_(
            report_version.c.report.contains(bindparam("sha256", type_=Text)),
            report_version.c.context.contains(bindparam("sha256", type_=Text)),
        ),
    )
    .limit(1)
)
_IN_A_DOCUMENT = (
    select(_ONE)
    .join_from(document, report_version, document.c.version_id == report_version.c.id)
    .where(document.c.sha256 == bindparam("sha256"), report_version.c.report != literal(""))
    .limit(1)
)
_OTHER_REPORT = (
    # A set of the message whose contents are kept: a version of it, or content that waits for validation.
    select(_ONE)
    .join_from(message_report, report, message_report.c.report_id == report.c.id)
    .where(
        message_report.c.message_id == _NUMBER,
        not_(and_(report.c.version > literal(0), not_(_KEPT.correlate(report)))),
    )
    .limit(1)
)
_FORGET_REPORT = (
    update(judgement).where(judgement.c.version_id.in_(_VERSIONS)).values(findings=literal("[]")),
    update(delivery).where(delivery.c.report_id == _NUMBER).values(recipient=null()),
    update(document).where(document.c.version_id.in_(_VERSIONS)).values(title=literal("")),
    delete(report_patient).where(report_patient.c.report_id == _NUMBER),
    delete(unvalidated).where(unvalidated.c.report_id == _NUMBER),
    update(report_version)
    .where(report_version.c.report_id == _NUMBER)
    .values(report=literal(""), context=literal(""), trace=literal("")),
)
_FORGET_ARTIFACT = (
    update(artifact).where(artifact.c.sha256 == bindparam("sha256")).values(data=bindparam("nothing"))
)
_FORGET_MESSAGE = (
    # The same bytes again are a new message: its answer is gone.
    update(message)
    .where(message.c.id == _NUMBER)
    .values(
        raw=bindparam("nothing"),
        answer=bindparam("nothing"),
        findings=literal("[]"),
        size=literal(0),
        dedupe_key=null(),
    )
)
_FORGET_ORDER = (
    delete(message_order).where(message_order.c.order_id == _NUMBER),
    delete(order_key).where(order_key.c.order_id == _NUMBER),
    delete(order).where(order.c.id == _NUMBER),
)
PURGED = (
    artifact,
    delivery,
    document,
    judgement,
    message,
    message_order,
    order,
    order_key,
    report_patient,
    report_version,
)
"""Tables in which something goes."""
_PURGE = {"reports": _purge_report, "messages": _purge_message, "orders": _purge_order}
