"""`/api/audit` and `/api/export`: what an auditor asks for, and everything as one archive."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO, Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from gateway.ports import Operator, Queries
from gateway.web.numbers import Number
from gateway.web.operating import noted

PIECE = 1 << 20
"""Bytes of an archive that are in memory at a time."""


def add_records(
    app: FastAPI,
    queries: Queries,
    operator: Operator,
    export: Callable[[], IO[bytes]],
    guarded: list[Any],
) -> None:
    """`export` writes the archive and gives it open at its end; it is gone when it is closed."""
    exporting = asyncio.Lock()

    @app.get("/api/audit", dependencies=guarded, summary="The audit trail, newest first")
    def audit(
        action: str = "",
        actor: str = "",
        message_id: Number = 0,
        report_id: Number = 0,
        delivery_id: Number = 0,
        destination: str = "",
        patient: str = "",
        since: Annotated[datetime | None, Query(alias="from")] = None,
        until: Annotated[datetime | None, Query(alias="to")] = None,
        cursor: Number = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        rows = queries.audit(
            action=action,
            actor=actor,
            message_id=message_id,
            report_id=report_id,
            delivery_id=delivery_id,
            destination=destination,
            patient=patient,
            since=since,
            until=until,
            cursor=cursor,
            limit=limit,
        )
        return {"items": rows, "next_cursor": rows[-1]["id"] if len(rows) == limit else None}

    summary = "Everything as one zip (docs/export.md)"

    @app.get("/api/export", dependencies=guarded, summary=summary)
    @app.post("/api/export", dependencies=guarded, summary=summary)
    async def everything(x_actor: str = Header("")) -> StreamingResponse:
        """Told in the audit trail before anything is read. One at a time: 409."""
        if exporting.locked():
            raise HTTPException(409, "an export is being made: try again when it is done")
        async with exporting:
            await noted(operator, "export", x_actor, result="everything")
            try:
                archive = await run_in_threadpool(export)
            except OSError as fault:
                raise HTTPException(507, f"no room for the archive: {fault.strerror}") from None
        return StreamingResponse(
            _pieces(archive),
            media_type="application/zip",
            headers={
                "Content-Disposition": 'attachment; filename="gateway-export.zip"',
                "Content-Length": str(archive.tell()),
                "Cache-Control": "no-store",
            },
        )


def _pieces(archive: IO[bytes]) -> Iterator[bytes]:
    with archive:
        archive.seek(0)
        while piece := archive.read(PIECE):
            yield piece
