"""`gateway worklist`: reports that wait for their validation."""

from datetime import datetime
from pathlib import Path

from gateway.cli.common import WRONG_USE, fail
from gateway.cli.listing import reading
from gateway.cli.tables import show


def worklist(
    since: str, until: str, radiologist: str, limit: int, as_json: bool, config: Path | None
) -> None:
    """Oldest first; columns report, site, number, status, last validated version, radiologist, since."""
    first, last = _moment("--from", since), _moment("--to", until)
    with reading(config) as queries:
        rows = queries.unvalidated(since=first, until=last, radiologist=radiologist, cursor=0, limit=limit)
    columns = (
        *("report_id", "site", "set_key", "accession", "status", "version"),
        *("radiologist", "radiologist_name", "message_id", "since"),
    )
    show(rows, columns, as_json)


def _moment(option: str, text: str) -> datetime | None:
    """A time without offset is that of this machine."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        fail(f"{option} {text}: expected a date or time (ISO 8601)", WRONG_USE)
