"""What dispatcher and worker say to each other over a Unix socket pair: length (4 bytes) and MessagePack."""

import asyncio
from typing import Any, TypeVar

import msgspec

from gateway.config import Settings
from gateway.model.base import Value
from gateway.model.delivery import Destination
from gateway.ports import Produced, Settlement, Task


class Hello(Value):
    """First frame to a worker. Settings carry secrets, so they never stand in arguments or environment."""

    settings: dict[str, Any]
    factory: str
    journal: str
    """Path of the worker's journal."""


class Order(Value):
    """To a worker. `drain`: finish what is being sent, give the rest back, end. `settings`: those to use
    from now on."""

    tasks: tuple[Task, ...] = ()
    settings: dict[str, Any] | None = None
    drain: bool = False


class Attempted(Value):
    """`destination` is for the metrics; None when the delivery could not even be read."""

    settlement: Settlement
    destination: Destination | None = None
    sent: bool = True
    """False: no request could be made, and the peer was not asked: it told nothing of its health."""


class Report(Value):
    """From a worker. `returned` tasks were not begun, and could not be now."""

    produced: tuple[Produced, ...] = ()
    attempted: tuple[Attempted, ...] = ()
    returned: tuple[Task, ...] = ()


V = TypeVar("V", bound=Value)


def frame(value: Value) -> bytes:
    data = msgspec.msgpack.encode(value)
    return len(data).to_bytes(4, "big") + data


async def read_frame(reader: asyncio.StreamReader, kind: type[V]) -> V | None:
    """The next value, None when the other side is gone (also in the middle of a frame)."""
    try:
        size = int.from_bytes(await reader.readexactly(4), "big")
        return msgspec.msgpack.decode(await reader.readexactly(size), type=kind)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def dump(settings: Settings) -> dict[str, Any]:
    """Settings as plain values, secrets included; `Settings(**dump(s)) == s`."""
    plain: dict[str, Any] = _plain(settings.model_dump())
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
