"""The audit trail: who did what, when, to which message, report and delivery, with what result (REQ-70).

Rows are only ever appended (triggers refuse anything else), in the transaction of what they tell, and each
holds the SHA-256 of the one before and of itself: a row changed or taken out afterwards is found by `verify`.
A patient stands here only as a keyed hash; the key lies beside the store (`audit-key`), so that the hash of
a known matricule can be looked for, and a matricule cannot be guessed from the trail alone.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gateway.model.people import Patient
from gateway.store import statements as named
from gateway.store.rows import AuditRow
from gateway.store.session import Session

START = "0" * 64
"""What the first row names as the one before."""
AUDIT = "hash of the last audit row"
WHOSE = "patient of a report, as the trail names him"
"""Facts of a transaction (`Session.fact`); `WHOSE` with the id of the report."""
GATEWAY = "gateway"
"""Actor of what happens by itself."""

Pseudonym = Callable[[Patient], str]


class Entry(NamedTuple):
    """One row, in the order of the columns. `action`: taken, attempt, superseded, retry, cancel, release,
    pause, resume, read, export, announce, mask, unmask, purge, restore. Where `patient` is not said, it is
    that of the report."""

    action: str
    actor: str = GATEWAY
    message_id: int | None = None
    report_id: int | None = None
    delivery_id: int | None = None
    destination: str = ""
    result: str = ""
    patient: str = ""


def record(session: Session, entry: Entry, now: int) -> None:
    """Append; `now` in microseconds. The writer is alone, so the last row is the one before."""

    def last() -> str:
        row = session.row(named.AUDIT_LAST, {})
        return row[0] if row is not None else START

    patient = entry.patient
    if entry.report_id is not None and not patient:
        patient = session.fact((WHOSE, entry.report_id), partial(_whose, session, entry.report_id))
    told = (now, *entry[:-1], patient, session.fact(AUDIT, last))
    made = digest(told)
    session.later(named.ADD_AUDIT, AuditRow(*told, made))
    session.state(AUDIT, made)


class _Report(msgspec.Struct):
    """Of a canonical report only whose it is."""

    patient: Patient


def _whose(session: Session, report_id: int) -> str:
    """The patient of the newest version; "" when its contents were let go, or none was made yet."""
    if session.pseudonym is None:
        return ""
    row = session.row(named.NEWEST_CONTENT, {"report_id": report_id})
    if row is None or not row[0]:
        return ""
    return session.pseudonym(msgspec.json.decode(row[0], type=_Report).patient)


def digest(values: tuple[Any, ...]) -> str:
    """SHA-256 of the JSON array of all columns but `id` and `hash`, in the order of `AuditRow`."""
    return hashlib.sha256(msgspec.json.encode(values)).hexdigest()


def verify(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """What is wrong with the chain, one sentence each. `rows`: id, then the columns of `AuditRow`, oldest
    first."""
    previous = START
    for number, *values in rows:
        row = AuditRow(*values)
        if row.previous != previous:
            yield f"audit row {number} does not follow the one before: a row is missing or was changed"
        elif digest(row[:-1]) != row.hash:
            yield f"audit row {number} was changed"
        previous = row.hash


def pseudonyms(folder: Path) -> Pseudonym:
    """Patient → keyed hash, "" without any identifier. Makes the key at the first start, mode 0600."""
    path = folder / "audit-key"
    if not path.is_file():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode())
    return keyed(path.read_bytes())


def keyed(key: bytes) -> Pseudonym:
    """`pseudonyms` with the bytes of the key."""
    fresh = hmac.new(key, digestmod="sha256")

    def pseudonym(patient: Patient) -> str:
        known = patient.ins or next(iter(patient.identifiers), None)
        return _hash(fresh, f"{known.value}^{known.system}") if known is not None else ""

    return pseudonym


def hash_of(folder: Path, identifier: str) -> str:
    """As the trail names the patient whose matricule, or first local number, is `value^system`.

    Raises OSError without a key.
    """
    return _hash(hmac.new((folder / "audit-key").read_bytes(), digestmod="sha256"), identifier)


def _hash(fresh: hmac.HMAC, identifier: str) -> str:
    """`fresh` holds the key and nothing else: to copy it costs half of making it."""
    made = fresh.copy()
    made.update(identifier.encode())
    return made.hexdigest()
