"""MLLP client: one connection, one message in flight, answers matched to what was asked."""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from gateway import hl7v2
from gateway.connectors.inflight import PIECE
from gateway.connectors.mllp_connection import CLOSE_TIMEOUT, keep_alive
from gateway.hl7v2 import enhanced

log = logging.getLogger(__name__)

ANSWER_LIMIT = 1024 * 1024
"""Bytes of an answer."""
KEEPALIVE = 60.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One message sent and what came back; `seconds` from the first byte sent to the whole answer."""

    answer: bytes
    seconds: float


class MllpClient:
    """After an exception the connection is of no more use: a late answer could be taken for another's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> None:
        self._reader, self._writer, self._timeout = reader, writer, timeout
        self._framer = hl7v2.Framer(limit=ANSWER_LIMIT)
        self._frames: list[bytes] = []

    async def exchange(self, payload: bytes, control_id: str = "") -> Exchange:
        """Send `payload` and wait for its answer: with `control_id` (MSH-10, verbatim) for the one that
        names it, or none.

        Raises ConnectionError (also for 0x15 of MLLP release 2), TimeoutError, OSError.
        """
        started = time.perf_counter()
        self._frames.clear()
        async with asyncio.timeout(self._timeout):
            self._writer.write(hl7v2.wrap(payload))
            await self._writer.drain()
            while not _answers(answer := await self._next(), control_id):
                log.warning("an answer to another message was left aside")
        return Exchange(answer, time.perf_counter() - started)

    async def _next(self) -> bytes:
        while not self._frames:
            data = await self._reader.read(PIECE)
            if not data:
                raise ConnectionError("the peer closed the connection without an answer")
            for event in self._framer.receive(data):
                if isinstance(event, hl7v2.Frame):
                    self._frames.append(event.payload)
                elif isinstance(event, hl7v2.TooLarge):
                    raise ConnectionError("the answer is too large")
        return self._frames.pop(0)


def _answers(answer: bytes, control_id: str) -> bool:
    """Whether `answer` is that of the message `control_id`; what is no acknowledgement is for the caller."""
    if answer == enhanced.NOT_COMMITTED:
        raise ConnectionError("the peer did not store the message")
    if answer == enhanced.COMMITTED:
        return False
    if not control_id:
        return True
    try:
        return hl7v2.read_ack(answer).control_id in ("", control_id)
    except hl7v2.NotHl7Error:
        return True


@asynccontextmanager
async def connect(
    host: str, port: int, *, timeout: float = 30.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[MllpClient]:
    """An open MLLP connection; `timeout` in seconds, for connecting and for each exchange.

    Raises OSError when the peer cannot be reached, TimeoutError.
    """
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=PIECE)
    if (sock := writer.get_extra_info("socket")) is not None:
        keep_alive(sock, KEEPALIVE)
    try:
        yield MllpClient(reader, writer, timeout)
    finally:
        writer.close()
        with suppress(Exception):
            await asyncio.wait_for(writer.wait_closed(), CLOSE_TIMEOUT)
