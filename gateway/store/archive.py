"""All that a store holds as one archive (docs/export.md): a folder a patient, all rows, a sum a file."""

import hashlib
import json
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from gateway import __version__
from gateway.store import patients, transfer
from gateway.store.session import Session
from gateway.store.tables import REVISION

FORMAT = "gateway.export/1"
FILE = "$file"
"""Key of an object that stands for bytes: its value is their place in the archive."""
_MOST_IN_MEMORY = 8 << 20


class _Archive:
    """A zip whose members are written one by one, and the sum of each."""

    def __init__(self, target: Path | IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self.sums: dict[str, str] = {}

    def add(self, name: str, data: bytes) -> None:
        self._zip.writestr(name, data)
        self.sums[name] = hashlib.sha256(data).hexdigest()

    def copy(self, name: str, file: Any) -> None:
        file.seek(0)
        digest = hashlib.sha256()
        with self._zip.open(name, "w", force_zip64=True) as target:
            while piece := file.read(1 << 20):
                digest.update(piece)
                target.write(piece)
        self.sums[name] = digest.hexdigest()

    def close(self) -> None:
        lines = (f"{digest}  {name}\n" for name, digest in self.sums.items())
        self._zip.writestr("SHA256SUMS", "".join(lines))
        self._zip.close()


def write(session: Session, target: Path | IO[bytes], key: Path) -> dict[str, int]:
    """One state of the whole store into `target`, with the audit key in the file `key`; rows by table."""
    transfer.snapshot(session)
    counts = transfer.counts(session)
    archive = _Archive(target)
    places: dict[str, str] = {}
    for name, sets in patients.folders(session).items():
        for file in patients.files(session, sets):
            place = f"patients/{name}/{file.path}"
            if place not in archive.sums:
                archive.add(place, file.data)
            if file.sha256:
                places.setdefault(file.sha256, place)
    for name in transfer.TABLES:
        with tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY) as lines:
            for row in transfer.rows(session, name):
                lines.write(
                    json.dumps(_line(name, row, places, archive), ensure_ascii=False).encode() + b"\n"
                )
            archive.copy(f"tables/{name}.jsonl", lines)
    if key.is_file():
        archive.add("audit-key", key.read_bytes())
    facts = {
        "format": FORMAT,
        "gateway": __version__,
        "schema": REVISION,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": counts,
    }
    archive.add("export.json", json.dumps(facts, indent=1).encode())
    archive.close()
    return counts


def _line(table: str, row: dict[str, Any], places: dict[str, str], archive: _Archive) -> dict[str, Any]:
    """A row as JSON; bytes go into the archive once."""
    made = dict(row)
    for column, value in row.items():
        if isinstance(value, (bytes, memoryview)):
            place = f"messages/{row['id']}/{_NAMES[column]}" if table == "message" else ""
            if table == "artifact":
                place = places.get(row["sha256"], f"artifacts/{row['sha256']}")
            if place not in archive.sums:
                archive.add(place, bytes(value))
            made[column] = {FILE: place}
    return made


_NAMES = {"raw": "received", "answer": "answer"}
