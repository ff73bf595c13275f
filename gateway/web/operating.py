"""What an operator changes over HTTP: deliveries one by one, destinations as a whole."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Header, HTTPException

from gateway.config import RetentionSettings
from gateway.model.delivery import (
    DELIVERY_TRANSITIONS,
    DeliveryEvent,
    DeliveryState,
    Destination,
    IllegalTransitionError,
    NotAnnouncedError,
)
from gateway.ports import Operator, StoreUnavailableError
from gateway.web.numbers import Number

EVENTS = {
    "retry": DeliveryEvent.RETRY_DUE,
    "release": DeliveryEvent.RELEASE,
    "cancel": DeliveryEvent.CANCEL,
}


LOOKS = ("read", "export")
"""What the audit trail is told of those who only look."""


def add_operations(
    app: FastAPI, operator: Operator, retention: Callable[[], RetentionSettings], guarded: list[Any]
) -> None:
    """`POST /api/deliveries/{id}/retry|release|cancel` and `/api/destinations/{name}/pause|resume`."""
    verbs: dict[str, Callable[..., Awaitable[DeliveryState]]] = {
        "retry": operator.retry,
        "release": operator.release,
        "cancel": operator.cancel,
    }

    @app.post("/api/deliveries/{identifier}/{verb}", dependencies=guarded, summary="retry, release or cancel")
    async def operate(identifier: Number, verb: str, x_actor: str = Header("")) -> dict[str, Any]:
        if verb not in verbs:
            raise HTTPException(404, f"no verb {verb}: {', '.join(verbs)}")
        try:
            state = await verbs[verb](identifier, actor=actor(x_actor))
        except LookupError:
            raise HTTPException(404, f"no delivery {identifier}") from None
        except IllegalTransitionError as illegal:
            raise HTTPException(409, explain(identifier, verb, illegal)) from None
        except StoreUnavailableError as down:
            raise HTTPException(503, str(down)) from None
        return {"id": identifier, "state": state.value}

    @app.post("/api/purge", dependencies=guarded, summary="let go what the retention policy names")
    async def purge(exported: bool = True, x_actor: str = Header("")) -> dict[str, Any]:
        try:
            gone = await operator.purge(retention(), actor=actor(x_actor), exported=exported)
        except StoreUnavailableError as down:
            raise HTTPException(503, str(down)) from None
        return {"state": str(gone), **gone._asdict()}

    @app.post("/api/audit/{action}", dependencies=guarded, summary="somebody reads or exports contents")
    async def look(
        action: str,
        message_id: Number | None = None,
        report_id: Number | None = None,
        result: str = "",
        x_actor: str = Header(""),
    ) -> dict[str, Any]:
        if action not in LOOKS:
            raise HTTPException(404, f"no action {action}: {', '.join(LOOKS)}")
        await noted(operator, action, x_actor, message_id=message_id, report_id=report_id, result=result[:64])
        return {"state": "told"}

    @app.post("/api/destinations/{name}/{verb}", dependencies=guarded, summary="pause or resume")
    async def switch(name: str, verb: str, x_actor: str = Header("")) -> dict[str, Any]:
        if name not in set(Destination):
            raise HTTPException(404, f"no destination {name}: {', '.join(Destination)}")
        if verb not in ("pause", "resume"):
            raise HTTPException(404, f"no verb {verb}: pause, resume")
        change = operator.pause if verb == "pause" else operator.resume
        try:
            await change(Destination(name), actor=actor(x_actor))
        except StoreUnavailableError as down:
            raise HTTPException(503, str(down)) from None
        return {"destination": name, "paused": verb == "pause"}


async def noted(
    operator: Operator,
    action: str,
    named: str,
    *,
    message_id: int | None = None,
    report_id: int | None = None,
    result: str = "",
) -> None:
    """Into the audit trail before anything is shown: what cannot be told is not shown (503)."""
    try:
        await operator.note(
            action, actor=actor(named), message_id=message_id, report_id=report_id, result=result
        )
    except StoreUnavailableError as down:
        raise HTTPException(503, str(down)) from None


def explain(identifier: int, verb: str, illegal: IllegalTransitionError) -> str:
    """Why a delivery does not take this verb now, and in which states it would."""
    if isinstance(illegal, NotAnnouncedError):
        return f"delivery {identifier} waits for the announcement: `gateway announce {illegal.report_id}`"
    if illegal.state is DeliveryState.IN_FLIGHT:
        return f"delivery {identifier} is being sent now: wait for its outcome"
    states = [state for state, events in DELIVERY_TRANSITIONS.items() if EVENTS[verb] in events]
    return f"delivery {identifier} is {illegal.state}: {verb} is for {', '.join(states)}"


def actor(named: str) -> str:
    """Whoever holds the token names himself; the name is a claim, and said so."""
    return f"token {named[:64]}" if named else "token"
