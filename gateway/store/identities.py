"""What the identity feed said, by identifier; and the reports that it may speak of, by their patient."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, insert, literal_column, select, update

from gateway.model.base import decode, encode
from gateway.model.delivery import REPEATABLE, DeliveryEvent, DeliveryState, Destination, next_state
from gateway.model.identity import IdentityRecord, KeptDelivery, KeptReport
from gateway.model.people import Patient
from gateway.model.report import ImagingReport
from gateway.model.submission import Recipient, SubmissionContext
from gateway.model.terms import Identifier
from gateway.ports import DeliveryChange, Row
from gateway.rules.plan import IDENTITY_REASONS
from gateway.store import statements as named
from gateway.store.moments import iso
from gateway.store.move import move
from gateway.store.rows import PatientRow
from gateway.store.session import Session
from gateway.store.supersede import Withdraw
from gateway.store.tables import delivery, identity, report, report_patient, report_version

_SETTLED: tuple[ColumnElement[str], ...] = tuple(
    literal_column(f"'{state}'") for state in DeliveryState if state.settled
)
_OPPOSITION = {True: "opposed", False: "not opposed", None: ""}
_CHANGING = ("ins", "status", "opposition", "merged_into", "message_id", "updated_at", "record")
_NO_DELETION = delivery.c.action != literal_column("'delete'")
"""A withdrawal goes whatever the feed says of the patient: it takes back what went under that identity."""
_ADD, _ADD_PATIENT = insert(identity), insert(report_patient)
_SET = (
    update(identity)
    .where(identity.c.site == bindparam("of_site"), identity.c.key == bindparam("of_key"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
_RECORD = select(identity.c.record).where(
    identity.c.site == bindparam("site"), identity.c.key == bindparam("key")
)
_ANY = select(identity.c.key).where(identity.c.site == bindparam("site")).limit(1)
_MERGED = select(identity.c.key).where(
    identity.c.site == bindparam("site"), identity.c.merged_into == bindparam("key")
)
_PATIENT_KNOWN = select(report_patient.c.report_id).where(
    report_patient.c.site == bindparam("site"),
    report_patient.c.key == bindparam("key"),
    report_patient.c.report_id == bindparam("report_id"),
)
_OPEN = (
    # Current version of a report with deliveries that nobody settled yet.
    select(
        report.c.id,
        report.c.set_key,
        report.c.version,
        delivery.c.destination,
        delivery.c.recipient,
        delivery.c.state,
        delivery.c.reason,
    )
    .join_from(report_patient, report, report_patient.c.report_id == report.c.id)
    .join(
        report_version,
        and_(report_version.c.report_id == report.c.id, report_version.c.number == report.c.version),
    )
    .join(delivery, delivery.c.version_id == report_version.c.id)
    .where(
        report_patient.c.site == bindparam("site"),
        report_patient.c.key == bindparam("key"),
        delivery.c.state.not_in(_SETTLED),
        _NO_DELETION,
    )
    .order_by(report.c.id, delivery.c.id)
)
_CURRENT = select(report_version.c.report, report_version.c.context, report_version.c.trace).where(
    report_version.c.report_id == bindparam("report_id"), report_version.c.number == bindparam("number")
)
_ROWS = (
    select(delivery.c.id, delivery.c.state, delivery.c.reason, delivery.c.version_id)
    .where(
        delivery.c.report_id == bindparam("report_id"),
        delivery.c.destination == bindparam("destination"),
        _NO_DELETION,
    )
    .order_by(delivery.c.id)
)


def key_of(identifier: Identifier) -> str:
    return f"{identifier.value}^{identifier.system}"


# --- records


def any_known(session: Session, site: str) -> bool:
    return session.fact(("identities of", site), lambda: session.row(_ANY, {"site": site}) is not None)


def known(session: Session, site: str, identifier: Identifier) -> IdentityRecord | None:
    row = session.row(_RECORD, {"site": site, "key": key_of(identifier)})
    return decode(row[0].encode(), IdentityRecord) if row is not None else None


def write(session: Session, record: IdentityRecord, *, site: str, message_id: int, now: int) -> None:
    """Insert or replace the record under its key."""
    session.state(("identities of", site), True)
    key = key_of(record.key)
    patient = record.patient
    values: dict[str, Any] = {
        "ins": key_of(patient.ins) if patient.ins is not None else "",
        "status": patient.identity_status.value,
        "opposition": _OPPOSITION[record.opposed],
        "merged_into": key_of(record.merged_into) if record.merged_into is not None else "",
        "message_id": message_id,
        "updated_at": now,
        "record": encode(record).decode(),
    }
    if session.row(_RECORD, {"site": site, "key": key}) is None:
        session.run(_ADD, values | {"site": site, "key": key})
    else:
        changes = {f"new_{name}": value for name, value in values.items()}
        session.run(_SET, changes | {"of_site": site, "of_key": key})


# --- reports by patient


def name_report(session: Session, site: str, report_id: int, patient: Patient, *, first: bool) -> None:
    """Remember under which identifiers the feed may speak of this report; `first`: nothing is known yet."""
    for key in _keys(patient):
        row = PatientRow(site, key, report_id)
        if first or session.row(_PATIENT_KNOWN, row._asdict()) is None:
            session.later(_ADD_PATIENT, row)


def _keys(patient: Patient) -> tuple[str, ...]:
    ins = (patient.ins,) if patient.ins is not None else ()
    return tuple(dict.fromkeys(key_of(one) for one in (*patient.identifiers, *ins)))


def waiting(session: Session, site: str, identifiers: Iterable[Identifier]) -> tuple[KeptReport, ...]:
    """Reports of these patients, or of those merged into them, whose current version owes deliveries."""
    found: dict[int, tuple[str, int, list[KeptDelivery]]] = {}
    for key in _with_merged(session, site, identifiers):
        seen = set(found)
        for number, set_key, version, destination, recipient, state, reason in session.rows(
            _OPEN, {"site": site, "key": key}
        ):
            if number in seen:
                continue
            rows = found.setdefault(number, (set_key, version, []))[2]
            rows.append(
                KeptDelivery(
                    destination=Destination(destination),
                    state=DeliveryState(state),
                    reason=reason,
                    recipient=decode(recipient.encode(), Recipient) if recipient is not None else None,
                )
            )
    reports = (
        kept(session, number, set_key, version, tuple(rows))
        for number, (set_key, version, rows) in found.items()
    )
    return tuple(one for one in reports if one is not None)


def _with_merged(session: Session, site: str, identifiers: Iterable[Identifier]) -> tuple[str, ...]:
    """The keys of `identifiers` and of all that lead to them."""
    keys = dict.fromkeys(key_of(one) for one in identifiers)
    todo = list(keys)
    while todo:
        for (key,) in session.rows(_MERGED, {"site": site, "key": todo.pop()}):
            if key not in keys:
                keys[key] = None
                todo.append(key)
    return tuple(keys)


def kept(
    session: Session, number: int, set_key: str, version: int, rows: tuple[KeptDelivery, ...] = ()
) -> KeptReport | None:
    """A version as it was taken; None when the retention policy let its contents go."""
    row = session.row(_CURRENT, {"report_id": number, "number": version})
    if row is None or not row[0]:
        return None
    canonical, context, trace = row
    return KeptReport(
        report_id=number,
        set_key=set_key,
        number=version,
        report=decode(canonical.encode(), ImagingReport),
        context=decode(context.encode(), SubmissionContext),
        trace=trace,
        deliveries=rows,
    )


# --- what the feed changes in the ledger


def change(session: Session, wanted: DeliveryChange, withdraw: Withdraw, now: int) -> list[int]:
    """Block what did not leave yet, or let go what was blocked for one of the reasons; what is blocked now.

    What is being sent was due before the feed spoke, and may arrive. It keeps the reason meanwhile: if it did
    not arrive it is blocked then (`forbidden`).
    """
    place = {"report_id": wanted.report_id, "destination": wanted.destination.value}
    blocked = []
    for number, state, reason, version_id in session.rows(_ROWS, place):
        doubtful = state == DeliveryState.AMBIGUOUS and wanted.destination in REPEATABLE
        if wanted.block and state in _BLOCKABLE and withdraw(number):
            for event in _BLOCKABLE[state]:
                state = next_state(DeliveryState(state), event)
            move(session, number, state, now, reason=wanted.reason)
            blocked.append(number)
        elif wanted.block and (state in _BLOCKABLE or doubtful):
            session.run(named.SET_REASON, {"delivery_id": number, "new_reason": wanted.reason})
        elif not wanted.block and forbidden(state, wanted.destination, reason) == wanted.reason:
            session.run(named.SET_REASON, {"delivery_id": number, "new_reason": ""})
        elif not wanted.block and state == DeliveryState.BLOCKED and reason == wanted.reason:
            after = next_state(DeliveryState.BLOCKED, DeliveryEvent.UNBLOCK)
            if session.row(named.VERSION_PRODUCED, {"version_id": version_id}):
                after = next_state(after, DeliveryEvent.PRODUCED)
            move(session, number, after, now)
    return blocked


_BLOCKABLE: dict[str, tuple[DeliveryEvent, ...]] = {
    DeliveryState.PLANNED: (DeliveryEvent.BLOCK,),
    DeliveryState.PENDING: (DeliveryEvent.BLOCK,),
    DeliveryState.WAITING: (DeliveryEvent.RETRY_DUE, DeliveryEvent.BLOCK),
    DeliveryState.FAILED: (DeliveryEvent.RETRY_DUE, DeliveryEvent.BLOCK),
}
"""States in which nothing has left, with the events that lead to blocked."""


def forbidden(state: str, destination: str, reason: str) -> str:
    """Why the feed stops a delivery that is under way, or that may have arrived; "" when it does not."""
    doubtful = state == DeliveryState.AMBIGUOUS and destination in REPEATABLE
    due = doubtful or state in (DeliveryState.PENDING, DeliveryState.WAITING)
    return reason if due and reason in IDENTITY_REASONS else ""


# --- listings

_SHOWN = ("key", "ins", "status", "opposition", "merged_into", "message_id", "updated_at")
_LAST_KEY = "\U0010ffff"
_LIST = (
    select(*(identity.c[name] for name in _SHOWN))
    .where(
        identity.c.site == bindparam("site"),
        identity.c.key > bindparam("cursor"),
        identity.c.key < bindparam("end"),
    )
    .order_by(identity.c.key)
    .limit(bindparam("most"))
)


def listed(session: Session, *, site: str, number: str, cursor: str, limit: int) -> list[Row]:
    """What is known of the identities of a site, by key; no names, no birth dates."""
    # A key is `value^system`: `]` and `_` are the characters around `^`.
    start, end = (f"{number}]", f"{number}_") if number else ("", _LAST_KEY)
    rows = session.rows(_LIST, {"site": site, "cursor": max(cursor, start), "end": end, "most": limit})
    shown = [dict(zip(_SHOWN, row, strict=True)) for row in rows]
    return [one | {"updated_at": iso(one["updated_at"])} for one in shown]
