"""`gateway export` and `import`: everything that a store holds as one archive (docs/export.md)."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.common import fail, new_archive, settings
from gateway.cli.operating import me, note

if TYPE_CHECKING:
    from gateway.store.place import Where
    from gateway.store.session import Session


def export(out: Path, config: Path | None) -> None:
    """Write one state of the whole store to `out`, beside a running server; told in the audit trail first."""
    current = settings(config)
    from gateway.store import exists
    from gateway.store.archive import write
    from gateway.store.place import reading

    if not exists(current.database):
        fail(f"no store at {current.database}")
    with new_archive(out) as partial:
        note(current, "export", result="everything")
        session = reading(current.database)
        try:
            counts = write(session, partial, current.data_dir / "audit-key")
        finally:
            session.close()
    print(f"{out}: {counts['report']} reports, {counts['message']} messages, {out.stat().st_size} bytes")


def load(source: Path, config: Path | None) -> None:
    """Fill an empty store from an export, after every file of it was compared with its sum."""
    current = settings(config)
    try:
        with zipfile.ZipFile(source) as archive:
            facts = _checked(archive)
            held = _load(archive, current.database, current.data_dir)
    except (OSError, zipfile.BadZipFile, KeyError, json.JSONDecodeError) as wrong:
        fail(f"{source}: {wrong}")
    print(
        f"{facts['rows']['report']} reports, {facts['rows']['message']} messages imported; "
        f"{held} mails held: see `gateway deliveries --state ambiguous` and `--state withheld`"
    )


def _checked(archive: zipfile.ZipFile) -> dict[str, Any]:
    """export.json of a whole archive of this format and schema; else the command ends."""
    from gateway.store.archive import FORMAT
    from gateway.store.tables import REVISION

    sums: dict[str, str] = {}
    for line in archive.read("SHA256SUMS").decode().splitlines():
        digest, _, name = line.partition("  ")
        sums[name] = digest
    if missing := set(sums) ^ {name for name in archive.namelist() if name != "SHA256SUMS"}:
        fail(f"not one to one with SHA256SUMS: {', '.join(sorted(missing)[:5])}")
    for name, expected in sums.items():
        found = hashlib.sha256()
        with archive.open(name) as member:
            while piece := member.read(1 << 20):
                found.update(piece)
        if found.hexdigest() != expected:
            fail(f"{name} was changed: its hash is not that of SHA256SUMS")
    facts: dict[str, Any] = json.loads(archive.read("export.json"))
    if facts.get("format") != FORMAT:
        fail(f"format {facts.get('format')}, expected {FORMAT}")
    if facts.get("schema") != REVISION:
        fail(
            f"the export has schema revision {facts.get('schema')}, this gateway {REVISION}: import it with "
            "the gateway that wrote it, then `gateway db upgrade`"
        )
    return facts


def _load(archive: zipfile.ZipFile, where: "Where", data_dir: Path) -> int:
    from gateway.store import audit, transfer
    from gateway.store.archive import FILE
    from gateway.store.moments import to_micros
    from gateway.store.restore import distrust
    from gateway.store.store import SystemClock

    key = archive.read("audit-key") if "audit-key" in archive.namelist() else b""
    with _target(where, data_dir) as (session, folder):
        session.pseudonym = audit.keyed(key) if key else audit.pseudonyms(data_dir)
        session.begin()
        if not transfer.empty(session):
            fail("the store is not empty: import into a new data folder")
        for name in transfer.TABLES:
            with archive.open(f"tables/{name}.jsonl") as lines:
                for line in lines:
                    row = json.loads(line)
                    for column, value in row.items():
                        if isinstance(value, dict) and FILE in value:
                            row[column] = archive.read(value[FILE])
                    transfer.add(session, name, row)
        transfer.number(session)
        held = distrust(session, to_micros(SystemClock().now()), me())
        session.commit()
        if key:
            path = folder / "audit-key"
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(key)
    return held


@contextmanager
def _target(where: "Where", data_dir: Path) -> Iterator[tuple["Session", Path]]:
    """An empty store to fill, and the folder of its key. A file gets its name when it is whole."""
    from gateway.ports import StoreUnavailableError
    from gateway.store import SchemaError, StoreLockedError
    from gateway.store.backup import put_in_place
    from gateway.store.connection import FolderLock, connect_writer, prepare
    from gateway.store.sqlite_session import SqliteSession

    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = FolderLock(data_dir / "gateway.lock")
    except StoreLockedError as served:
        fail(str(served))
    partial = data_dir / ".import"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        if isinstance(where, str):
            from gateway.store import postgres
            from gateway.store.postgres_session import PostgresSession, connect

            postgres.prepare(where)
            session: Session = PostgresSession(connect(where, "import"))
            try:
                yield session, data_dir
            finally:
                session.close()
            return
        if where.exists():
            fail(f"{where} exists: import into a new data folder")
        partial.mkdir(mode=0o700)
        prepare(partial / "gateway.db")
        session = SqliteSession(connect_writer(partial / "gateway.db"))
        try:
            yield session, partial
        finally:
            session.close()
        put_in_place(partial, data_dir)
    except (SchemaError, StoreUnavailableError) as wrong:
        fail(str(wrong))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        lock.release()
