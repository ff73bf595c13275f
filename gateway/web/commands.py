"""What a person orders for a kept report over HTTP: announce it, mask it, withdraw it."""

from typing import Any

from fastapi import FastAPI, Header, HTTPException, Response
from fastapi.concurrency import run_in_threadpool

from gateway.model.command import Command, Verb
from gateway.pipeline.intake import Intake
from gateway.ports import Queries
from gateway.web.operating import actor


def add_commands(app: FastAPI, intake: Intake, queries: Queries, guarded: list[Any]) -> None:
    """`POST /api/reports/{id}/announce`, `/mask`, `/withdraw`: 200 with the version made (`null`: none) and
    what is to be said of it, 404, 409 or 422 with the findings."""

    async def carry_out(identifier: str, verb: Verb, named: str, **more: Any) -> Response:
        row = await run_in_threadpool(queries.report, identifier)
        if row is None:
            raise HTTPException(404, f"no report {identifier}")
        command = Command(
            verb=verb,
            report_id=int(identifier),
            site=row["site"],
            set_key=row["set_key"],
            actor=actor(named),
            **more,
        )
        answer = await intake.command(command)
        return Response(answer.body, answer.status, media_type="application/json")

    @app.post(
        "/api/reports/{identifier}/announce",
        dependencies=guarded,
        summary="The patient was told: a version without the mask, and the patient's mail (mail=false: none)",
    )
    async def announce(identifier: str, mail: bool = True, x_actor: str = Header("")) -> Response:
        return await carry_out(identifier, Verb.ANNOUNCE, x_actor, mail=mail)

    @app.post(
        "/api/reports/{identifier}/mask",
        dependencies=guarded,
        summary="A version under another mask of the DMP (off=true: without it)",
    )
    async def mask(identifier: str, flag: str, off: bool = False, x_actor: str = Header("")) -> Response:
        return await carry_out(identifier, Verb.UNMASK if off else Verb.MASK, x_actor, flag=flag)

    @app.post(
        "/api/reports/{identifier}/withdraw",
        dependencies=guarded,
        summary="The report was wrong: cancel what has not left, delete it wherever it arrived",
    )
    async def withdraw(identifier: str, x_actor: str = Header("")) -> Response:
        return await carry_out(identifier, Verb.WITHDRAW, x_actor)
