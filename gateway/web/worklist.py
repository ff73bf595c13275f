"""What waits for people: reports that nobody has validated yet."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query

from gateway.ports import Queries
from gateway.web.numbers import Number


def add_worklist(app: FastAPI, queries: Queries, guarded: list[Any]) -> None:
    """`GET /api/worklist/unvalidated`."""

    @app.get(
        "/api/worklist/unvalidated",
        dependencies=guarded,
        summary="Reports that wait for their validation, oldest first (from ≤ first received < to)",
    )
    def unvalidated(
        since: Annotated[datetime | None, Query(alias="from")] = None,
        until: Annotated[datetime | None, Query(alias="to")] = None,
        radiologist: str = "",
        cursor: Number = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        rows = queries.unvalidated(
            since=aware(since), until=aware(until), radiologist=radiologist, cursor=cursor, limit=limit
        )
        return {"items": rows, "next_cursor": int(rows[-1]["report_id"]) if len(rows) == limit else None}


def aware(moment: datetime | None) -> datetime | None:
    """A time without offset is read in UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
