"""What one report of a message writes: its set's row, its new version, the ledger of that version."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.model.base import encode
from gateway.model.canonical import canonical
from gateway.model.decision import Verdict
from gateway.model.delivery import DeliveryState
from gateway.model.report import ImagingReport
from gateway.model.submission import Action
from gateway.model.version import VersionIdentity
from gateway.ports import Settled
from gateway.store import audit, identities
from gateway.store import statements as named
from gateway.store.artifacts import keep
from gateway.store.known import KnownReports
from gateway.store.moments import to_micros
from gateway.store.rows import DeliveryRow, MessageReportRow, ReportRow, VersionRow, delivery_row
from gateway.store.session import Session
from gateway.store.supersede import Withdraw, announced, make_way
from gateway.store.withdrawal import recall


class Wrote(NamedTuple):
    """Destinations at which an older version made way, deliveries that are blocked from the start, and
    whether any may have become ready, or its lane free."""

    given_up: Sequence[str] = ()
    blocked: Sequence[int] = ()
    stirred: bool = False


def settle(
    session: Session,
    known: KnownReports,
    message_id: int,
    position: int,
    message_site: str,
    settled: Settled,
    withdraw: Withdraw,
    now: int,
) -> Wrote:
    report, decision, identity = settled.mapped.report, settled.decision, settled.identity
    if report is None or not settled.set_key or decision.verdict is Verdict.REJECT:
        return Wrote()
    site = identity.site if identity is not None else message_site
    report_id = _report(session, known, site, settled, report, now)
    number = identity.number if identity is not None else 0
    plan = decision.plan if identity is not None else ()
    session.later(
        named.ADD_MESSAGE_REPORT,
        MessageReportRow(
            message_id=message_id,
            position=position,
            report_id=report_id,
            verdict=decision.verdict.value,
            number=number,
            owed=len(plan),
        ),
    )
    if decision.recalls:
        recall(session, report_id, withdraw, now)
    if identity is None:
        return Wrote(stirred=decision.recalls)
    if settled.mapped.context.document_id:
        _name_document(session, site, settled.mapped.context.document_id, report_id)
    for blob in settled.mapped.blobs:
        keep(session, blob)
    identities.name_report(session, site, report_id, report.patient, first=number == 1)
    version_id = _version(session, message_id, report_id, settled, report, identity)
    rows = [delivery_row(report_id, version_id, planned, now) for planned in plan]
    given_up: list[str] = []
    if number > 1:
        rows, given_up = _make_way(session, report_id, rows, withdraw, now)
    for row in rows:
        session.later(named.ADD_DELIVERY, row)
    stirred = bool(rows) or number > 1
    if all(row.state != DeliveryState.BLOCKED for row in rows):
        return Wrote(given_up, stirred=stirred)
    owed = session.rows(named.VERSION_DELIVERIES, {"version_id": version_id})
    return Wrote(given_up, [number for number, made in owed if made == DeliveryState.BLOCKED], stirred)


def _version(
    session: Session,
    message_id: int,
    report_id: int,
    settled: Settled,
    report: ImagingReport,
    identity: VersionIdentity,
) -> int:
    text = settled.canonical or canonical(settled.mapped)
    row = VersionRow(
        report_id=report_id,
        number=identity.number,
        message_id=message_id,
        status=report.status.value,
        created_at=to_micros(identity.created_at),
        content_hash=settled.content_hash,
        identity=encode(identity).decode(),
        context=text.context,
        report=text.report,
        trace=text.trace,
    )
    session.doubt((audit.WHOSE, report_id))
    return session.add(named.ADD_VERSION, row)


def _name_document(session: Session, site: str, document_id: str, report_id: int) -> None:
    """The first report set under which a document came keeps it: a corrected one may come again by its id."""
    name = {"site": site, "document_id": document_id}
    if session.row(named.SET_OF_DOCUMENT, name) is None:
        session.run(named.ADD_REPORT_DOCUMENT, name | {"report_id": report_id})


def _make_way(
    session: Session, report_id: int, rows: list[DeliveryRow], withdraw: Withdraw, now: int
) -> tuple[list[DeliveryRow], list[str]]:
    """Give up what never left of older versions: `rows` with their actions by what did leave, and the
    destinations at which something was given up."""
    announced(session, report_id, {(row.destination, row.lane_recipient) for row in rows}, now)
    placed: list[DeliveryRow] = []
    given_up: list[str] = []
    for row in rows:
        lane = {name: getattr(row, name) for name in ("report_id", "destination", "lane_recipient")}
        place = make_way(session, lane, Action(row.action), withdraw, now)
        placed.append(row._replace(action=place.action.value))
        if place.superseded:
            given_up.append(row.destination)
    return placed, given_up


def _report(
    session: Session, known: KnownReports, site: str, settled: Settled, report: ImagingReport, now: int
) -> int:
    """The row of the report set, made or brought up to date.

    A message that makes no version changes the set only while it has no validated version, or withdraws it:
    a late preliminary report must not hide the final one. What is withdrawn keeps its version, and no content
    equals it: the same report validated again goes out.
    """
    row, identity, recalls = known.row(site, settled.set_key), settled.identity, settled.decision.recalls
    if row is None:
        made = ReportRow(
            site=site,
            set_key=settled.set_key,
            status=report.status.value,
            version=identity.number if identity else 0,
            content_hash="" if recalls else settled.content_hash,
            document_id=identity.document_id if identity else "",
            created_at=now,
            updated_at=now,
        )
        known.forget(site, settled.set_key)
        return session.add(named.ADD_REPORT, made)
    if identity is None and not recalls and (row.version > 0 or row.status.withdrawn):
        return row.id
    known.forget(site, settled.set_key)
    session.run(
        named.SET_REPORT,
        {
            "report_id": row.id,
            "new_status": report.status.value,
            "new_version": identity.number if identity else row.version if recalls else 0,
            "new_content_hash": "" if recalls else settled.content_hash,
            "new_document_id": row.document_id if recalls else identity.document_id if identity else "",
            "new_updated_at": now,
        },
    )
    return row.id
