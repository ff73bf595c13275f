"""What one received message writes, inside the transaction that the writer opened."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from gateway.model.delivery import MessageState
from gateway.model.findings import Finding, finding
from gateway.ports import Conclusion, Known, Receipt, Received
from gateway.store import acknowledge, audit, identities, orders, versions, worklist
from gateway.store import statements as named
from gateway.store.artifacts import keep
from gateway.store.audit import Entry, Pseudonym
from gateway.store.known import KnownReports
from gateway.store.moments import to_micros
from gateway.store.rows import MessageRow
from gateway.store.session import Session
from gateway.store.supersede import SUPERSEDED, Withdraw

_UNREPEATED = frozenset({MessageState.REJECTED, MessageState.DUPLICATE})


class Taken(NamedTuple):
    """`stirred`: deliveries may have become ready, or their lanes free."""

    receipt: Receipt
    stirred: bool = False


def take(
    session: Session,
    received: Received,
    conclude: Callable[[Known], Conclusion],
    withdraw: Withdraw,
    pseudonym: Pseudonym,
    *,
    acknowledging: bool = False,
) -> Taken:
    """Write the message and all its consequences; the contract is `ports.IntakeStore.commit`.

    `acknowledging`: creators who asked are told what is blocked from the start (ZAM).
    """
    now = to_micros(received.received_at)
    if received.dedupe_key:
        first = session.row(named.DUPLICATE, {"dedupe_key": received.dedupe_key})
        if first is not None:
            return Taken(_repeat(session, received, now, *first))
    known = KnownReports(session, withdraw)
    conclusion = conclude(known)
    state = conclusion.state
    unrepeated = state in _UNREPEATED or conclusion.partial
    message_id = _message(
        session,
        received,
        state,
        conclusion.answer,
        now,
        dedupe_key="" if unrepeated else received.dedupe_key,
        findings=_json(conclusion.findings),
    )
    stirred = False
    if state is not MessageState.REJECTED:
        stirred = _consequences(
            session, known, received, conclusion, message_id, withdraw, now, acknowledging=acknowledging
        )
    _told(session, received, message_id, conclusion, pseudonym, now)
    return Taken(Receipt(message_id=message_id, state=state, answer=conclusion.answer), stirred)


def _consequences(
    session: Session,
    known: KnownReports,
    received: Received,
    conclusion: Conclusion,
    message_id: int,
    withdraw: Withdraw,
    now: int,
    *,
    acknowledging: bool,
) -> bool:
    """Whatever the message changes beside its own row; whether deliveries are among it."""
    for blob in conclusion.blobs:
        keep(session, blob)
    blocked = _feed(session, received, conclusion, message_id, withdraw, now)
    given_up: list[str] = []
    stirred = bool(conclusion.changes)
    spoken = not (received.report_id or conclusion.identities)  # by a message about reports
    for position, settled in enumerate(conclusion.reports):
        before = known.row(received.site, settled.set_key)
        wrote = versions.settle(session, known, message_id, position, received.site, settled, withdraw, now)
        if spoken:
            worklist.follow(session, known, received.site, before, settled, message_id, now)
        given_up += wrote.given_up
        blocked += wrote.blocked
        stirred = stirred or wrote.stirred
    if acknowledging:
        for number in blocked:
            acknowledge.plan(session, number, now)
            stirred = True
    if given_up:
        told = finding(SUPERSEDED, detail=", ".join(dict.fromkeys(given_up)))
        session.run(
            named.SET_FINDINGS,
            {"message_id": message_id, "new_findings": _json((*conclusion.findings, told))},
        )
    return stirred


def _told(
    session: Session,
    received: Received,
    message_id: int,
    conclusion: Conclusion,
    pseudonym: Pseudonym,
    now: int,
) -> None:
    """One row of the audit trail a message; of a message about several patients it names the first."""
    patients = (one.mapped.report.patient for one in conclusion.reports if one.mapped.report is not None)
    patient = next(patients, None)
    about = received.report_id  # a command: what was done, to which report, and who said so
    entry = Entry(
        received.message_type if about else "taken",
        received.peer if about else f"{received.protocol} {received.peer}",
        message_id=message_id,
        report_id=about or None,
        result=conclusion.state.value,
        patient=pseudonym(patient) if patient is not None else "",
    )
    audit.record(session, entry, now)


def _repeat(session: Session, received: Received, now: int, first: int, answer: bytes) -> Receipt:
    """The same message again: kept, answered with the same bytes, without any consequence (REQ-03)."""
    state = MessageState.DUPLICATE
    message_id = _message(session, received, state, answer, now, duplicate_of=first)
    entry = Entry("taken", f"{received.protocol} {received.peer}", message_id=message_id, result=state.value)
    audit.record(session, entry, now)
    return Receipt(message_id=message_id, state=state, answer=answer, replayed=True)


def _message(
    session: Session,
    received: Received,
    state: MessageState,
    answer: bytes,
    now: int,
    *,
    dedupe_key: str = "",
    duplicate_of: int | None = None,
    findings: str = "[]",
) -> int:
    """The row of the message; its number."""
    row = MessageRow(
        received_at=now,
        protocol=received.protocol,
        peer=received.peer,
        site=received.site,
        message_type=received.message_type,
        control_id=received.control_id,
        sending_application=received.sending_application,
        sending_facility=received.sending_facility,
        state=state.value,
        dedupe_key=dedupe_key or None,
        duplicate_of=duplicate_of,
        findings=findings,
        answer=answer,
        size=len(received.raw),
        raw=received.raw,
    )
    return session.add_large(named.ADD_MESSAGE, row, "raw")


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


def _json(findings: Sequence[Finding]) -> str:
    return msgspec.json.encode(findings).decode() if findings else "[]"
