"""A store that was put back to an earlier state does not know what left since then.

What a peer recognises may simply be sent again: a DMP is asked, or knows the document by its id; a folder
holds the same bytes; a ZAM keeps its MSH-10. A mail cannot be asked for, so no mail goes by itself any more:
each one that was still to be sent waits for a person (`deliveries`, then `retry`, `release` or `cancel`).
"""

import shutil
from pathlib import Path

from sqlalchemy import bindparam, select

from gateway.model.delivery import REPEATABLE, DeliveryEvent, DeliveryState, Destination, next_state
from gateway.store import audit
from gateway.store.backup import BackupError, put_in_place
from gateway.store.connection import FolderLock, connect_writer
from gateway.store.move import move
from gateway.store.queries import StoreQueries
from gateway.store.session import Session
from gateway.store.sqlite_session import SqliteSession
from gateway.store.tables import delivery

RESTORED = "RESTORED"
_TO_BE_SENT = select(delivery.c.id, delivery.c.state, delivery.c.report_id).where(
    delivery.c.destination == bindparam("destination"), delivery.c.state == bindparam("state")
)


def distrust(session: Session, now: int, actor: str) -> int:
    """Hold every mail that would go by itself, in the caller's transaction; how many there are.

    Not produced yet: withheld. Else ambiguous: a newer version of the report waits behind it.
    """
    held = 0
    for destination in sorted(set(Destination) - REPEATABLE):
        for state in (DeliveryState.PLANNED, DeliveryState.PENDING, DeliveryState.WAITING):
            for number, _, report_id in session.rows(
                _TO_BE_SENT, {"destination": destination.value, "state": state.value}
            ):
                after = _held(state)
                move(session, number, after, now, reason=RESTORED)
                told = audit.Entry(
                    "restore",
                    actor,
                    report_id=report_id,
                    delivery_id=number,
                    destination=destination.value,
                    result=f"{state} to {after}",
                )
                audit.record(session, told, now)
                held += 1
    audit.record(session, audit.Entry("restore", actor, result=f"{held} mails held"), now)
    return held


def restore(source: Path, data_dir: Path, now: int, actor: str) -> int:
    """Make the backup `source` (a folder of `gateway db backup`) the store of `data_dir`, which has none; how
    many mails are held.

    The copy is checked before it gets its name: schema, database, ledger, audit chain. Journals of the
    workers that served the lost store are put aside: they speak of other deliveries. Raises BackupError,
    SchemaError, StoreLockedError, OSError.
    """
    if not (source / "gateway.db").is_file():
        raise BackupError(f"{source} is no folder of `gateway db backup`: gateway.db is not there")
    if (data_dir / "gateway.db").exists():
        raise BackupError(f"{data_dir} has a store: move gateway.db, gateway.db-wal and gateway.db-shm away")
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FolderLock(data_dir / "gateway.lock")
    partial = data_dir / ".restore"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(mode=0o700)
        for path in source.iterdir():
            if path.name == "audit-key" or path.name.startswith("gateway.db"):
                shutil.copy2(path, partial / path.name)
        check(partial / "gateway.db")
        session = SqliteSession(connect_writer(partial / "gateway.db"))
        session.pseudonym = audit.pseudonyms(partial if (partial / "audit-key").is_file() else data_dir)
        session.begin()
        held = distrust(session, now, actor)
        session.commit()
        session.close()
        aside(data_dir / "journal")
        put_in_place(partial, data_dir)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        lock.release()
    return held


def distrusted(url: str, folder: Path, now: int, actor: str) -> int:
    """`distrust` of a PostgreSQL store that was put back by its own means, while no gateway serves it.

    `folder` is the data folder of a node, with the audit key; without one the rows name no patient.
    Raises StoreUnavailableError, SchemaError, OSError.
    """
    from gateway.store import postgres
    from gateway.store.postgres_session import PostgresSession, connect

    postgres.prepare(url)
    session = PostgresSession(connect(url, "restore"))
    if (folder / "audit-key").is_file():
        session.pseudonym = audit.pseudonyms(folder)
    try:
        session.begin()
        held = distrust(session, now, actor)
        session.commit()
        return held
    finally:
        session.close()


def check(path: Path) -> None:
    """Raises BackupError with everything that is wrong with a store, SchemaError."""
    queries = StoreQueries.open(path)
    try:
        wrong = queries.problems()
    finally:
        queries.close()
    if wrong:
        raise BackupError("the backup is damaged: " + "; ".join(wrong))


def aside(journals: Path) -> None:
    """Keep the journals under another name, for whoever looks for what left."""
    if journals.is_dir() and any(journals.glob("*.journal")):
        number = 1
        while (target := journals.with_name(f"journal-before-restore-{number}")).exists():
            number += 1
        journals.rename(target)


def _held(state: DeliveryState) -> DeliveryState:
    if state is DeliveryState.PLANNED:
        return next_state(state, DeliveryEvent.WITHHOLD)
    return next_state(next_state(state, DeliveryEvent.CLAIMED), DeliveryEvent.AMBIGUOUS)
