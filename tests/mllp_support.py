"""MLLP servers for tests: in a thread of their own, so that a test may block, or call a command."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count

from gateway import hl7v2
from gateway.config import MllpSettings
from gateway.connectors.mllp import MllpServer
from gateway.hl7v2 import AckCode
from gateway.model.findings import Finding, finding

VT, FS, CR = b"\x0b", b"\x1c", b"\r"
NOW = datetime(2021, 1, 8, 12, tzinfo=UTC)
_NUMBERS = count(1)

Handler = Callable[[bytes, str], Awaitable[bytes]]


def framed(payload: bytes) -> bytes:
    """By hand, so that framing and test cannot share a mistake."""
    return VT + payload + FS + CR


def report(control_id: str, text: str = "RAS", patient: str = "000003", accept: str = "") -> bytes:
    """A small ORU. `accept` are MSH-15 and MSH-16, with the bar between them."""
    return (
        f"MSH|^~\\&|RIS|AMBROISE|PASSERELLE|AMBROISE|20210108||ORU^R01^ORU_R01|{control_id}|T|2.5|||{accept}\r"
        f"PID|1||{patient}^^^CHU^PI\rOBX|1|TX|1||{text}||||||F\r"
    ).encode()


def acknowledged(payload: bytes, code: AckCode = AckCode.AA, problem: str = "") -> bytes:
    """The acknowledgement of a message, as the gateway writes it."""
    try:
        message = hl7v2.read(payload)
    except hl7v2.NotHl7Error:
        message, code = None, AckCode.AR
    return hl7v2.acknowledge(
        hl7v2.reply_to(message),
        code,
        findings=(finding(problem),) if problem else (),
        now=NOW,
        control_id=f"A{next(_NUMBERS)}",
    )


def refuse(head: bytes, problem: Finding) -> bytes:
    return hl7v2.refuse(head, problem, now=NOW, control_id=f"R{next(_NUMBERS)}")


class Taken:
    """A handler that remembers what it was given. `code` is what it answers."""

    def __init__(self, code: AckCode = AckCode.AA, problem: str = "") -> None:
        self.code, self.problem = code, problem
        self.payloads: list[bytes] = []
        self.peers: list[str] = []

    async def __call__(self, payload: bytes, peer: str) -> bytes:
        self.payloads.append(payload)
        self.peers.append(peer)
        return acknowledged(payload, self.code, self.problem)


@contextmanager
def server_thread(
    handler: Handler,
    settings: MllpSettings | None = None,
    *,
    limit: int = 1_000_000,
    tls: ssl.SSLContext | None = None,
) -> Iterator[int]:
    """A running server; yields its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[MllpServer, int]:
        made = MllpServer(handler, refuse, settings or MllpSettings(), limit=limit, tls=tls)
        return made, await made.start("127.0.0.1", 0)

    server, port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(1), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
