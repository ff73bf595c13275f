"""What is kept of each patient, in the words of people: reports, versions, documents, deliveries, traces."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Table, bindparam, select

from gateway.model.people import Patient
from gateway.store.moments import iso
from gateway.store.session import Session
from gateway.store.tables import artifact, attempt, audit, delivery, document, report, report_version
from gateway.store.transfer import Row, rows

EXTENSIONS = {"text/xml": "xml", "application/pdf": "pdf"}
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_TIMES = ("at", "created_at", "updated_at", "started_at", "ended_at", "next_try", "due_since")


class _Whose(msgspec.Struct):
    """Of a canonical report only whom it is about."""

    patient: Patient


class File(NamedTuple):
    """`path` below the patient's folder; bytes as text of JSON or as they were produced."""

    path: str
    data: bytes
    sha256: str = ""
    """Of an artifact."""


def folders(session: Session) -> dict[str, list[int]]:
    """Folder name → report sets, in the order of their first version."""
    found: dict[str, dict[int, None]] = defaultdict(dict)
    for row in rows(session, "report_version"):
        found[folder(row["report"])][row["report_id"]] = None
    return {name: list(sets) for name, sets in found.items()}


def folder(report_json: str) -> str:
    """By the INS, else the first identifier: `279035121518989_1-2-250-1-213-1-4-10`. What was purged names
    nobody."""
    if not report_json:
        return "purged"
    patient = msgspec.json.decode(report_json, type=_Whose).patient
    known = patient.ins or next(iter(patient.identifiers), None)
    if known is None:
        return "unknown"
    return (
        "_".join(_UNSAFE.sub("-", part).strip("-")[:60] for part in (known.value, known.system)) or "unknown"
    )


def files(session: Session, sets: list[int]) -> Iterator[File]:
    """All files of one patient: documents and canonical reports by version, `index.json`, `traces.jsonl`."""
    index: list[Row] = []
    traces: list[Row] = []
    for number in sets:
        (entry,) = _rows(session, report, report.c.id, number)
        versions = _rows(session, report_version, report_version.c.report_id, number)
        entry["versions"] = []
        for version in versions:
            place = f"report-{number}/version-{version['number']}"
            for name in ("report", "context", "identity", "trace"):
                if version[name]:
                    yield File(f"{place}/{name}.json", version[name].encode())
            kept = {name: version[name] for name in ("number", "status", "message_id", "created_at")}
            documents = list(_documents(session, version["id"], place))
            yield from (file for _, file in documents)
            entry["versions"].append(kept | {"folder": place, "documents": [row for row, _ in documents]})
        deliveries = _rows(session, delivery, delivery.c.report_id, number)
        for one in deliveries:
            one["attempts_made"] = _rows(session, attempt, attempt.c.delivery_id, one["id"])
        entry["deliveries"] = deliveries
        index.append(entry)
        traces += _rows(session, audit, audit.c.report_id, number)
    yield File("index.json", json.dumps({"reports": index}, ensure_ascii=False, indent=1).encode())
    yield File("traces.jsonl", "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in traces).encode())


def _documents(session: Session, version_id: int, place: str) -> Iterator[tuple[Row, File]]:
    for row in _rows(session, document, document.c.version_id, version_id):
        found = session.row(_ARTIFACT, {"sha256": row["sha256"]})
        extension = EXTENSIONS.get(row["media_type"], "bin")
        path = f"{place}/{row['position'] + 1}-{row['kind']}.{extension}"
        data = bytes(found[0]) if found else b""
        yield row | {"file": path, "size": len(data)}, File(path, data, row["sha256"])


_ARTIFACT = select(artifact.c.data).where(artifact.c.sha256 == bindparam("sha256"))
_BY: dict[Table, Any] = {}


def _rows(session: Session, table: Table, column: Any, value: int) -> list[Row]:
    """Rows of a table by a number, times as ISO 8601, JSON as JSON."""
    statement = _BY.get(table)
    if statement is None:
        statement = select(table).where(column == bindparam("value")).order_by(*table.primary_key.columns)
        _BY[table] = statement
    names = [one.name for one in table.columns]
    return [
        {name: _readable(name, one) for name, one in zip(names, values, strict=True)}
        for values in session.rows(statement, {"value": value})
    ]


def _readable(name: str, value: Any) -> Any:
    if name in _TIMES:
        return iso(value)
    if name in ("recipient", "outcome") and value:
        return json.loads(value)
    return value
