"""The proof chain of one report set, rows and bytes (architecture decision 20); cli/evidence.py packs it."""

import json
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from gateway.store import judgement, listings
from gateway.store import statements as named
from gateway.store.moments import iso
from gateway.store.place import Where, reading
from gateway.store.queries import StoreQueries
from gateway.store.session import Session
from gateway.store.tables import artifact, audit, document, message, message_report, report_version

_MESSAGES = (
    select(
        message.c.id,
        message.c.received_at,
        message.c.protocol,
        message.c.peer,
        message.c.message_type,
        message.c.control_id,
        message.c.state,
        message_report.c.verdict,
        message_report.c.number,
        message.c.findings,
        message.c.answer,
        message.c.raw,
    )
    .join_from(message_report, message, message_report.c.message_id == message.c.id)
    .where(message_report.c.report_id == bindparam("report_id"))
    .order_by(message.c.id)
)
_VERSIONS = (
    select(
        report_version.c.id,
        report_version.c.number,
        report_version.c.message_id,
        report_version.c.created_at,
        report_version.c.content_hash,
        report_version.c.identity,
        report_version.c.context,
        report_version.c.report,
        report_version.c.trace,
    )
    .where(report_version.c.report_id == bindparam("report_id"))
    .order_by(report_version.c.number)
)
_DOCUMENTS = (
    select(document.c.kind, document.c.sha256, document.c.media_type, artifact.c.data)
    .join_from(document, artifact, document.c.sha256 == artifact.c.sha256)
    .where(document.c.version_id == bindparam("version_id"))
    .order_by(document.c.position)
)
_AUDIT = (
    select(audit.c.id, audit.c.at, audit.c.action, audit.c.actor, audit.c.delivery_id, audit.c.destination)
    .add_columns(audit.c.result, audit.c.previous, audit.c.hash)
    .where(audit.c.report_id == bindparam("report_id"))
    .order_by(audit.c.id)
)


class Evidence(NamedTuple):
    """JSON-ready facts, and the bytes that they name by path: (path in the archive, bytes)."""

    facts: dict[str, Any]
    files: tuple[tuple[str, bytes], ...]


def gather(where: Where, report_id: int) -> Evidence | None:
    """Everything about one report set; None when there is no such."""
    queries = StoreQueries.open(where)
    session, key = reading(where), {"report_id": report_id}
    try:
        summary = queries.report(str(report_id))
        if summary is None:
            return None
        files: list[tuple[str, bytes]] = []
        messages = [_message(row, files) for row in session.rows(_MESSAGES, key)]
        versions = [_version(session, row, files) for row in session.rows(_VERSIONS, key)]
        rows = session.rows(listings.DELIVERIES_OF_REPORT, key)
        facts = {
            "report": {name: summary[name] for name in ("id", "site", "set_key", "status", "version")},
            "messages": messages,
            "versions": versions,
            "checks": [one.get("judgement") for one in summary["versions"]],
            "deliveries": [queries.delivery(row[0]) for row in rows],
            "audit": [
                dict(zip(_AUDIT_FIELDS, row, strict=True)) | {"at": iso(row[1])}
                for row in session.rows(_AUDIT, key)
            ],
        }
        return Evidence(facts, tuple(files))
    finally:
        session.close()
        queries.close()


_AUDIT_FIELDS = tuple(column.name for column in _AUDIT.selected_columns)


def _message(row: tuple[Any, ...], files: list[tuple[str, bytes]]) -> dict[str, Any]:
    number, received_at, protocol, peer, kind, control_id, state, verdict, version, findings, answer, raw = (
        row
    )
    folder = f"messages/{number}"
    files += [(f"{folder}/received", bytes(raw)), (f"{folder}/answer", bytes(answer))]
    return {
        "id": number,
        "received_at": iso(received_at),
        "protocol": protocol,
        "peer": peer,
        "message_type": kind,
        "control_id": control_id,
        "state": state,
        "verdict": verdict,
        "made_version": version or None,
        "findings": json.loads(findings),
        "received": f"{folder}/received",
        "answer": f"{folder}/answer",
    }


def _version(session: Session, row: tuple[Any, ...], files: list[tuple[str, bytes]]) -> dict[str, Any]:
    version_id, number, message_id, created_at, content_hash, identity, context, report, trace = row
    folder = f"versions/{number}"
    names = {}
    for name, text in (("identity", identity), ("context", context), ("report", report), ("trace", trace)):
        names[name] = f"{folder}/{name}.json"
        files.append((names[name], text.encode()))
    documents = []
    for kind, sha256, media_type, data in session.rows(_DOCUMENTS, {"version_id": version_id}):
        place = f"{folder}/document.{kind}"
        files.append((place, bytes(data)))
        documents.append({"kind": kind, "sha256": sha256, "media_type": media_type, "file": place})
    verdict = judgement.of_version(session, version_id)
    kept = session.row(named.ARTIFACT, {"sha256": verdict["sha256"]}) if verdict else None
    if verdict and verdict["blocked"] and kept is not None:
        verdict = {**verdict, "file": f"{folder}/refused.cda"}
        files.append((verdict["file"], bytes(kept[1])))
    return {
        "number": number,
        "message_id": message_id,
        "created_at": iso(created_at),
        "content_hash": content_hash,
        "mapping": names["trace"],
        "canonical": names["report"],
        **{name: names[name] for name in ("identity", "context")},
        "documents": documents,
        "judgement": verdict,
    }
