"""The FastAPI application: FHIR intake, read-only operator API, health, readiness, metrics."""

from collections.abc import Callable
from contextlib import suppress
from typing import IO, Annotated, Any, Literal

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from gateway import __version__, fhir
from gateway.config import RetentionSettings
from gateway.connectors.inflight import Hold, Inflight
from gateway.model.delivery import DeliveryState, Destination, MessageState
from gateway.model.findings import finding
from gateway.model.order import OrderStatus
from gateway.pipeline.intake import Intake
from gateway.ports import Operator, Queries, Row, StoreUnavailableError
from gateway.telemetry import metrics
from gateway.web.auth import RequireToken
from gateway.web.body import TooLargeError, read_body
from gateway.web.capability import capability_statement
from gateway.web.commands import add_commands
from gateway.web.numbers import Number
from gateway.web.operating import add_operations, noted
from gateway.web.records import add_records
from gateway.web.worklist import add_worklist

FHIR_JSON = "application/fhir+json"


def application(
    *,
    intake: Intake,
    queries: Queries,
    token: str,
    limit: int,
    ready: Callable[[], tuple[bool, dict[str, Any]]],
    inflight: Inflight | None = None,
    operator: Operator | None = None,
    observe: Callable[[], None] = lambda: None,
    retention: Callable[[], RetentionSettings] = RetentionSettings,
    export: Callable[[], IO[bytes]] | None = None,
) -> FastAPI:
    """The application over its ports. `ready` tells whether messages can be taken, and why not; `observe`
    brings metrics up to date that are not counted where they happen; without `operator` nothing can be
    changed."""
    app = FastAPI(
        title="Gateway for medical imaging reports",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )

    @app.exception_handler(StoreUnavailableError)
    async def down(request: Request, fault: StoreUnavailableError) -> Response:
        return JSONResponse({"detail": str(fault)}, 503)

    guarded = [Depends(RequireToken(token))]
    _health(app, ready)
    _intake(app, intake, limit, inflight or Inflight(limit), guarded)
    _operator(app, queries, operator, guarded)
    _feed(app, queries, guarded)
    add_commands(app, intake, queries, guarded)
    add_worklist(app, queries, guarded)
    if operator is not None:
        add_operations(app, operator, retention, guarded)
    if operator is not None and export is not None:
        add_records(app, queries, operator, export, guarded)

    @app.get("/metrics", dependencies=guarded, include_in_schema=False)
    def scrape() -> Response:
        with suppress(StoreUnavailableError):  # what this process counts itself is told all the same
            metrics.deliveries(queries.delivery_counts())
            observe()
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4")

    return app


def _health(app: FastAPI, ready: Callable[[], tuple[bool, dict[str, Any]]]) -> None:
    @app.get("/healthz", summary="The process lives")
    def healthz() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @app.get("/readyz", summary="Messages can be taken now")
    def readyz() -> JSONResponse:
        taken, detail = ready()
        return JSONResponse(
            {"status": "ready" if taken else "not ready", **detail}, status_code=200 if taken else 503
        )


def _intake(app: FastAPI, intake: Intake, limit: int, inflight: Inflight, guarded: list[Any]) -> None:
    async def take(request: Request) -> Response:
        hold = Hold()
        try:
            body = await read_body(request, limit, inflight, hold)
            peer = f"{request.client.host}:{request.client.port}" if request.client else "?"
            async with inflight.handling(len(body)):
                answer = await intake.take_fhir(body, request.headers.get("content-type", ""), peer=peer)
        except TooLargeError:
            refusal = fhir.operation_outcome((finding("HL7-TOO-LARGE", detail=f"limit {limit} bytes"),))
            return Response(refusal, 413, media_type=FHIR_JSON, headers={"Connection": "close"})
        finally:
            inflight.account(hold, 0)
        return Response(answer.body, answer.status, media_type=FHIR_JSON)

    for path, what in (
        ("/fhir", "a Bundle"),
        ("/fhir/DiagnosticReport", "a DiagnosticReport"),
        ("/fhir/ServiceRequest", "a ServiceRequest"),
    ):
        app.add_api_route(
            path, take, methods=["POST"], dependencies=guarded, summary=f"Take {what} (FHIR R4 JSON)"
        )

    @app.get("/fhir/metadata", dependencies=guarded, summary="CapabilityStatement")
    def metadata() -> Response:
        return Response(capability_statement(), media_type=FHIR_JSON)


def _operator(app: FastAPI, queries: Queries, operator: Operator | None, guarded: list[Any]) -> None:
    @app.get("/api/messages", dependencies=guarded, summary="Received messages, newest first")
    def messages(
        state: MessageState | Literal[""] = "",
        control_id: str = "",
        site: str = "",
        cursor: Number = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        rows = queries.messages(state=state, control_id=control_id, site=site, cursor=cursor, limit=limit)
        return {"items": rows, "next_cursor": rows[-1]["id"] if len(rows) == limit else None}

    @app.get("/api/messages/{identifier}", dependencies=guarded, summary="One message with its deliveries")
    def message(identifier: Number) -> dict[str, Any]:
        return _row(queries.message(identifier), "message", identifier)

    @app.get("/api/messages/{identifier}/raw", dependencies=guarded, summary="The bytes as received")
    async def raw(identifier: Number, x_actor: str = Header("")) -> Response:
        content = await run_in_threadpool(queries.raw, identifier)
        if content is None:
            raise _missing("message", identifier)
        if operator is not None:
            await noted(operator, "read", x_actor, message_id=identifier, result="raw")
        return Response(content, media_type="text/plain")

    @app.get("/api/reports/{identifier}", dependencies=guarded, summary="One report set with its versions")
    def report(identifier: str) -> dict[str, Any]:
        return _row(queries.report(identifier), "report", identifier)

    @app.get("/api/deliveries", dependencies=guarded, summary="Deliveries, newest first")
    def deliveries(
        state: DeliveryState | Literal[""] = "",
        destination: Destination | Literal[""] = "",
        cursor: Number = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        rows = queries.deliveries(state=state, destination=destination, cursor=cursor, limit=limit)
        return {"items": rows, "next_cursor": rows[-1]["id"] if len(rows) == limit else None}

    @app.get("/api/deliveries/{identifier}", dependencies=guarded, summary="One delivery with its attempts")
    def delivery(identifier: Number) -> dict[str, Any]:
        return _row(queries.delivery(identifier), "delivery", identifier)


def _feed(app: FastAPI, queries: Queries, guarded: list[Any]) -> None:
    """Orders, and what the identity feed said."""

    @app.get("/api/orders", dependencies=guarded, summary="Orders, newest first")
    def orders(
        site: str = "",
        status: OrderStatus | Literal[""] = "",
        cursor: Number = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        rows = queries.orders(site=site, status=status, cursor=cursor, limit=limit)
        return {"items": rows, "next_cursor": rows[-1]["id"] if len(rows) == limit else None}

    @app.get("/api/orders/{identifier}", dependencies=guarded, summary="One order with its messages")
    def order(identifier: Number) -> dict[str, Any]:
        return _row(queries.order(identifier), "order", identifier)

    @app.get("/api/identities", dependencies=guarded, summary="Identities of a site, by identifier")
    def identities(
        site: str,
        number: str = "",
        cursor: str = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        rows = queries.identities(site=site, number=number, cursor=cursor, limit=limit)
        return {"items": rows, "next_cursor": rows[-1]["key"] if len(rows) == limit else None}


def _row(row: Row | None, what: str, identifier: object) -> Row:
    if row is None:
        raise _missing(what, identifier)
    return row


def _missing(what: str, identifier: object) -> HTTPException:
    return HTTPException(404, f"no {what} {identifier}")
