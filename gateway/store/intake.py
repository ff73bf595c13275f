"""What one received message writes, inside the transaction that the writer opened."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.model.base import encode
from gateway.model.canonical import canonical
from gateway.model.decision import PlannedDelivery, Verdict
from gateway.model.delivery import DeliveryState, MessageState
from gateway.model.findings import finding
from gateway.model.report import ImagingReport
from gateway.model.submission import Action, Blob
from gateway.ports import Conclusion, Known, Receipt, Received, Settled
from gateway.store import acknowledge, audit, identities, orders, worklist
from gateway.store import statements as named
from gateway.store.audit import Entry, Pseudonym
from gateway.store.known import KnownReports
from gateway.store.moments import to_micros
from gateway.store.session import Session
from gateway.store.supersede import SUPERSEDED, Withdraw, announced, make_way
from gateway.store.withdrawal import recall

_UNREPEATED = frozenset({MessageState.REJECTED, MessageState.DUPLICATE})


def take(
    session: Session,
    received: Received,
    conclude: Callable[[Known], Conclusion],
    withdraw: Withdraw,
    pseudonym: Pseudonym,
    *,
    acknowledging: bool = False,
) -> Receipt:
    """Write the message and all its consequences; the contract is `ports.IntakeStore.commit`.

    `acknowledging`: creators who asked are told what is blocked from the start (ZAM).
    """
    if received.dedupe_key:
        first = session.row(named.DUPLICATE, {"dedupe_key": received.dedupe_key})
        if first is not None:
            return _repeat(session, received, *first)
    known = KnownReports(session, withdraw)
    conclusion = conclude(known)
    state = conclusion.state
    message_id = session.add_large(
        named.ADD_MESSAGE,
        _message_row(received, state, conclusion.answer)
        | {
            "dedupe_key": None if state in _UNREPEATED or conclusion.partial else received.dedupe_key or None,
            "duplicate_of": None,
            "findings": _json(conclusion.findings),
        },
        "raw",
    )
    if state is not MessageState.REJECTED:
        for blob in conclusion.blobs:
            keep(session, blob)
        now = to_micros(received.received_at)
        blocked = _feed(session, received, conclusion, message_id, withdraw, now)
        given_up: list[str] = []
        spoken = not (received.report_id or conclusion.identities)  # by a message about reports
        for position, settled in enumerate(conclusion.reports):
            before = known.row(received.site, settled.set_key)
            wrote = _settle(session, known, message_id, position, received.site, settled, withdraw, now)
            if spoken:
                worklist.follow(session, known, received.site, before, settled, message_id, now)
            given_up += wrote.given_up
            blocked += wrote.blocked
        if acknowledging:
            for number in blocked:
                acknowledge.plan(session, number, now)
        if given_up:
            told = finding(SUPERSEDED, detail=", ".join(dict.fromkeys(given_up)))
            session.run(
                named.SET_FINDINGS,
                {"message_id": message_id, "new_findings": _json((*conclusion.findings, told))},
            )
    _told(session, received, message_id, conclusion, pseudonym)
    return Receipt(message_id=message_id, state=state, answer=conclusion.answer)


def _told(
    session: Session, received: Received, message_id: int, conclusion: Conclusion, pseudonym: Pseudonym
) -> None:
    """One row of the audit trail a message; of a message about several patients it names the first."""
    patients = (one.mapped.report.patient for one in conclusion.reports if one.mapped.report is not None)
    patient = next(patients, None)
    entry = Entry(
        "taken",
        f"{received.protocol} {received.peer}",
        message_id=message_id,
        result=conclusion.state.value,
        patient=pseudonym(patient) if patient is not None else "",
    )
    if received.report_id:  # a command: what was done, to which report, and who said so
        entry = entry._replace(
            action=received.message_type, actor=received.peer, report_id=received.report_id
        )
    audit.record(session, entry, to_micros(received.received_at))


def keep(session: Session, blob: Blob) -> None:
    """Bytes are stored once, under their hash."""
    if session.row(named.ARTIFACT_KNOWN, {"sha256": blob.sha256}) is None:
        session.run_large(
            named.ADD_ARTIFACT,
            {
                "sha256": blob.sha256,
                "media_type": blob.media_type,
                "size": len(blob.data),
                "data": blob.data,
            },
            "data",
        )


def _repeat(session: Session, received: Received, first: int, answer: bytes) -> Receipt:
    """The same message again: kept, answered with the same bytes, without any consequence (REQ-03)."""
    message_id = session.add_large(
        named.ADD_MESSAGE,
        _message_row(received, MessageState.DUPLICATE, answer)
        | {"dedupe_key": None, "duplicate_of": first, "findings": "[]"},
        "raw",
    )
    entry = Entry(
        "taken",
        f"{received.protocol} {received.peer}",
        message_id=message_id,
        result=MessageState.DUPLICATE.value,
    )
    audit.record(session, entry, to_micros(received.received_at))
    return Receipt(message_id=message_id, state=MessageState.DUPLICATE, answer=answer, replayed=True)


def _message_row(received: Received, state: MessageState, answer: bytes) -> dict[str, Any]:
    return {
        "received_at": to_micros(received.received_at),
        "protocol": received.protocol,
        "peer": received.peer,
        "site": received.site,
        "message_type": received.message_type,
        "control_id": received.control_id,
        "sending_application": received.sending_application,
        "sending_facility": received.sending_facility,
        "state": state.value,
        "answer": answer,
        "size": len(received.raw),
        "raw": received.raw,
    }


def _feed(
    session: Session,
    received: Received,
    conclusion: Conclusion,
    message_id: int,
    withdraw: Withdraw,
    now: int,
) -> list[int]:
    """Orders and identities of the message, and what they change in the ledger: returns what they block."""
    for position, entry in enumerate(conclusion.orders):
        orders.write(
            session,
            entry,
            site=received.site,
            message_id=message_id,
            position=position,
            control_id=received.control_id,
            now=now,
        )
    for record in conclusion.identities:
        identities.write(session, record, site=received.site, message_id=message_id, now=now)
    return [
        number
        for change in conclusion.changes
        for number in identities.change(session, change, withdraw, now)
    ]


class _Wrote(NamedTuple):
    """Destinations at which an older version made way, and deliveries that are blocked from the start."""

    given_up: Sequence[str] = ()
    blocked: Sequence[int] = ()


def _settle(
    session: Session,
    known: KnownReports,
    message_id: int,
    position: int,
    message_site: str,
    settled: Settled,
    withdraw: Withdraw,
    now: int,
) -> _Wrote:
    """One report of the message: the set's row, its new version, the ledger of that version."""
    report, decision, identity = settled.mapped.report, settled.decision, settled.identity
    if report is None or not settled.set_key or decision.verdict is Verdict.REJECT:
        return _Wrote()
    site = identity.site if identity is not None else message_site
    report_id = _report(session, known, site, settled, report, now)
    number = identity.number if identity is not None else 0
    plan = decision.plan if identity is not None else ()
    session.run(
        named.ADD_MESSAGE_REPORT,
        {
            "message_id": message_id,
            "position": position,
            "report_id": report_id,
            "verdict": decision.verdict.value,
            "number": number,
            "owed": len(plan),
        },
    )
    if decision.recalls:
        recall(session, report_id, withdraw, now)
    if identity is None:
        return _Wrote()
    mapped = settled.mapped
    if settled.mapped.context.document_id:
        _name_document(session, site, settled.mapped.context.document_id, report_id)
    for blob in mapped.blobs:
        keep(session, blob)
    identities.name_report(session, site, report_id, report.patient, first=number == 1)
    text = settled.canonical or canonical(mapped)
    version_id = session.add(
        named.ADD_VERSION,
        {
            "report_id": report_id,
            "number": number,
            "message_id": message_id,
            "status": report.status.value,
            "created_at": to_micros(identity.created_at),
            "content_hash": settled.content_hash,
            "identity": encode(identity).decode(),
            "context": text.context,
            "report": text.report,
            "trace": text.trace,
        },
    )
    rows = [_delivery_row(report_id, version_id, planned, now) for planned in plan]
    given_up = _make_way(session, report_id, rows, withdraw, now) if number > 1 else []
    if rows:
        session.run_many(named.ADD_DELIVERY, rows)
    if all(row["state"] != DeliveryState.BLOCKED for row in rows):
        return _Wrote(given_up)
    owed = session.rows(named.VERSION_DELIVERIES, {"version_id": version_id})
    return _Wrote(given_up, [number for number, made in owed if made == DeliveryState.BLOCKED])


def _name_document(session: Session, site: str, document_id: str, report_id: int) -> None:
    """The first report set under which a document came keeps it: a corrected one may come again by its id."""
    name = {"site": site, "document_id": document_id}
    if session.row(named.SET_OF_DOCUMENT, name) is None:
        session.run(named.ADD_REPORT_DOCUMENT, name | {"report_id": report_id})


def _make_way(
    session: Session, report_id: int, rows: list[dict[str, Any]], withdraw: Withdraw, now: int
) -> list[str]:
    """Give up what never left of older versions, and set the actions of `rows` by what did leave."""
    announced(session, report_id, {(row["destination"], row["lane_recipient"]) for row in rows}, now)
    given_up = []
    for row in rows:
        lane = {name: row[name] for name in ("report_id", "destination", "lane_recipient")}
        placed = make_way(session, lane, Action(row["action"]), withdraw, now)
        row["action"] = placed.action.value
        if placed.superseded:
            given_up.append(row["destination"])
    return given_up


def _report(
    session: Session, known: KnownReports, site: str, settled: Settled, report: ImagingReport, now: int
) -> int:
    """The row of the report set, made or brought up to date.

    A message that makes no version changes the set only while it has no validated version, or withdraws it:
    a late preliminary report must not hide the final one. What is withdrawn keeps its version, and no content
    equals it: the same report validated again goes out.
    """
    row, identity, recalls = known.row(site, settled.set_key), settled.identity, settled.decision.recalls
    if row is not None and identity is None and not recalls and (row.version > 0 or row.status.withdrawn):
        return row.id
    values = {
        "status": report.status.value,
        "version": identity.number if identity else row.version if recalls and row else 0,
        "content_hash": "" if recalls else settled.content_hash,
        "document_id": row.document_id if recalls and row else identity.document_id if identity else "",
        "updated_at": now,
    }
    known.forget(site, settled.set_key)
    if row is None:
        return session.add(
            named.ADD_REPORT, values | {"site": site, "set_key": settled.set_key, "created_at": now}
        )
    session.run(
        named.SET_REPORT,
        {f"new_{name}": value for name, value in values.items()} | {"report_id": row.id},
    )
    return row.id


def _delivery_row(report_id: int, version_id: int, planned: PlannedDelivery, now: int) -> dict[str, Any]:
    recipient = planned.recipient
    due = now if planned.state is DeliveryState.PENDING else None
    return {
        "version_id": version_id,
        "report_id": report_id,
        "destination": planned.destination.value,
        "lane_recipient": planned.lane,
        "recipient": encode(recipient).decode() if recipient is not None else None,
        "action": planned.action.value,
        "state": DeliveryState(planned.state).value,
        "reason": planned.reason,
        "attempts": 0,
        "tries": 0,
        "due_since": due,
        "next_try": due,
        "outcome": None,
        "created_at": now,
        "updated_at": now,
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
