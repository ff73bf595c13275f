"""`gateway evidence`: what was received, what was made of it, what was sent and answered, in one archive."""

import hashlib
import html
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway import __version__
from gateway.cli.common import fail, new_archive, settings
from gateway.cli.operating import note

_MADE = (1980, 1, 1, 0, 0, 0)
"""Time of every entry: the same report gives the same entries."""
_STYLE = "body{font:15px/1.5 sans-serif;margin:2rem;max-width:70rem}table{border-collapse:collapse}"
_STYLE += "td,th{border:1px solid #bbb;padding:.2rem .5rem;text-align:left;vertical-align:top}"
_PRIVATE = frozenset(
    {"set_key", "recipient", "control_id", "peer", "detail", "location", "remote_ids", "title"}
)
"""Facts that may name a person or an exam."""


def evidence(report: int, out: Path, redact: bool, config: Path | None) -> None:
    """Write the archive `out`; `redact` leaves out bytes and names, and keeps their hashes."""
    current = settings(config)
    from gateway.ports import StoreUnavailableError
    from gateway.store import SchemaError, exists
    from gateway.store.evidence import gather

    if not exists(current.database):
        fail(f"no store at {current.database}")
    try:
        found = gather(current.database, report)
    except (SchemaError, StoreUnavailableError) as wrong:
        fail(str(wrong))
    if found is None:
        fail(f"no report {report}")
    note(current, "export", report_id=report, result="evidence redacted" if redact else "evidence")
    hashes = {place: hashlib.sha256(data).hexdigest() for place, data in found.files}
    facts: dict[str, Any] = {
        "format": "gateway.evidence/1",
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "gateway": __version__,
        "redacted": redact,
        "files": {
            place: {"sha256": hashes[place], "size": len(data), "included": not redact}
            for place, data in found.files
        },
        **found.facts,
    }
    if redact:
        facts = _redacted(facts)
    kept = () if redact else found.files
    entries = [
        *kept,
        ("evidence.json", json.dumps(facts, ensure_ascii=False, indent=1).encode()),
        ("evidence.html", _page(facts).encode()),
    ]
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {place}\n" for place, data in entries)
    with new_archive(out) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, data in (*entries, ("SHA256SUMS", sums.encode())):
            archive.writestr(zipfile.ZipInfo(place, _MADE), data, zipfile.ZIP_DEFLATED)
    print(f"{out}: {len(entries)} files, {out.stat().st_size} bytes")


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _mask(one) if name in _PRIVATE and one else _redacted(one) for name, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_redacted(one) for one in value]
    return value


def _mask(value: Any) -> str:
    return "sha256:" + hashlib.sha256(str(value).encode()).hexdigest()[:16]


def _page(facts: dict[str, Any]) -> str:
    """The chain for people: one table a step."""
    steps = (
        ("Received", facts["messages"]),
        ("Mapped and decided", facts["versions"]),
        ("Checked", [one for one in facts["checks"] if one]),
        ("Sent and answered", [_flat(one) for one in facts["deliveries"]]),
        ("Audit trail", facts["audit"]),
        ("Files", [{"file": place, **row} for place, row in facts["files"].items()]),
    )
    tables = "".join(f"<h2>{html.escape(title)}</h2>{_table(rows)}" for title, rows in steps)
    title = f"Evidence of report {html.escape(str(facts['report']['set_key']))}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><p>Made {facts['made_at']} by gateway {facts['gateway']}.</p>{tables}</html>"
    )


def _flat(delivery: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "version", "destination", "recipient", "action", "state", "reason", "remote_ids")
    return {name: delivery[name] for name in names} | {
        "attempts": [
            " ".join(
                (f"{one['number']}:", one["ended_at"], one["outcome"]["kind"], one["outcome"].get("code", ""))
            )
            for one in delivery["attempts_made"]
        ]
    }


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "<p>none</p>"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row.values()) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return html.escape(json.dumps(value, ensure_ascii=False)) if value else ""
    return "" if value is None else html.escape(str(value))
