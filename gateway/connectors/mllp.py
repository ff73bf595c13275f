"""MLLP server and client: sockets around the framer of `hl7v2.mllp`.

One message in flight per connection: the next frame is read only after the answer to the one before was
written, so answers can never be matched to the wrong message.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gateway import hl7v2
from gateway.telemetry import metrics

log = logging.getLogger(__name__)

READ_SIZE = 256 * 1024
CLOSE_TIMEOUT = 5.0
"""Seconds that an answer may take to drain to a peer that does not read."""

Handler = Callable[[bytes, str], Awaitable[bytes]]
"""(payload, peer) → payload of the answer."""


@dataclass(slots=True)
class MllpOptions:
    """`limit` bytes a frame; `frame_timeout` seconds without a byte inside a frame; connection cap."""

    limit: int
    frame_timeout: float = 30.0
    max_connections: int = 512
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class MllpServer:
    """Listens, frames, asks the handler, answers. Survives every peer."""

    handler: Handler
    too_large: Callable[[int], bytes]
    """(size) → answer to a frame above the limit, whose payload was never kept."""
    options: MllpOptions
    _server: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _busy: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (asked for with 0). Raises OSError when the address is taken."""
        self._server = await asyncio.start_server(
            self._accept, host, port, limit=READ_SIZE, backlog=256, ssl=self.options.tls
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self, grace: float = 10.0) -> None:
        """Take no new connection, let messages under way be answered, then close."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections - self._busy:
            task.cancel()
        if self._busy:
            await asyncio.wait(set(self._busy), timeout=grace)
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(set(self._connections), timeout=CLOSE_TIMEOUT)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _peer(writer)
        if len(self._connections) >= self.options.max_connections:
            log.warning("connection refused: too many are open", extra={"peer": peer})
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        metrics.CONNECTIONS.inc()
        try:
            await self._converse(reader, writer, peer, task)
        except (ConnectionError, ssl.SSLError, TimeoutError) as fault:
            log.info("connection lost", extra={"peer": peer, "fault": type(fault).__name__})
        except asyncio.CancelledError:
            pass  # stop(): the connection ends between two messages
        finally:
            self._connections.discard(task)
            self._busy.discard(task)
            metrics.CONNECTIONS.dec()
            writer.close()
            with suppress(Exception):
                await asyncio.wait_for(writer.wait_closed(), CLOSE_TIMEOUT)

    async def _converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: str,
        task: asyncio.Task[None],
    ) -> None:
        framer = hl7v2.Framer(self.options.limit)
        while True:
            data = await self._read(reader, framer)
            for event in framer.receive(data) if data else framer.end():
                match event:
                    case hl7v2.Frame(payload=payload):
                        self._busy.add(task)
                        await _answer(writer, await self.handler(payload, peer))
                        self._busy.discard(task)
                    case hl7v2.TooLarge(size=size):
                        metrics.FRAMING_FAULTS.labels("too_large").inc()
                        log.warning("frame too large", extra={"peer": peer, "bytes": size})
                        await _answer(writer, self.too_large(size))
                    case hl7v2.Truncated(count=count, reason=reason):
                        metrics.FRAMING_FAULTS.labels("truncated").inc()
                        log.warning(
                            "partial frame dropped", extra={"peer": peer, "bytes": count, "reason": reason}
                        )
                    case hl7v2.Junk(count=count):
                        metrics.FRAMING_FAULTS.labels("junk").inc()
                        log.info("bytes outside frames", extra={"peer": peer, "bytes": count})
            if not data:
                return

    async def _read(self, reader: asyncio.StreamReader, framer: hl7v2.Framer) -> bytes:
        """The next bytes, b"" at the end. No limit between messages; inside a frame the timeout holds."""
        if not framer.inside:
            return await reader.read(READ_SIZE)
        try:
            return await asyncio.wait_for(reader.read(READ_SIZE), self.options.frame_timeout)
        except TimeoutError:
            log.warning("frame timed out", extra={"bytes": framer.buffered})
            return b""


async def _answer(writer: asyncio.StreamWriter, payload: bytes) -> None:
    writer.write(hl7v2.wrap(payload))
    await asyncio.wait_for(writer.drain(), CLOSE_TIMEOUT)


def _peer(writer: asyncio.StreamWriter) -> str:
    name = writer.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "?"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One message sent and what came back; `seconds` from the first byte sent to the whole answer."""

    answer: bytes
    seconds: float


class MllpClient:
    """One connection, one message in flight. `exchange` raises ConnectionError or TimeoutError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> None:
        self._reader, self._writer, self._timeout = reader, writer, timeout
        self._framer = hl7v2.Framer(limit=1024 * 1024)
        self._frames: list[bytes] = []

    async def exchange(self, payload: bytes) -> Exchange:
        started = time.perf_counter()
        self._writer.write(hl7v2.wrap(payload))
        await self._writer.drain()
        answer = await asyncio.wait_for(self._next(), self._timeout)
        return Exchange(answer, time.perf_counter() - started)

    async def _next(self) -> bytes:
        while not self._frames:
            data = await self._reader.read(READ_SIZE)
            if not data:
                raise ConnectionError("the peer closed the connection without an answer")
            self._frames += [
                event.payload for event in self._framer.receive(data) if isinstance(event, hl7v2.Frame)
            ]
        return self._frames.pop(0)


@asynccontextmanager
async def connect(
    host: str, port: int, *, timeout: float = 30.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[MllpClient]:
    """An open MLLP connection. Raises OSError when the peer cannot be reached."""
    reader, writer = await asyncio.wait_for(
        asyncio.open_connection(host, port, ssl=tls, limit=READ_SIZE), timeout
    )
    try:
        yield MllpClient(reader, writer, timeout)
    finally:
        writer.close()
        with suppress(Exception):
            await asyncio.wait_for(writer.wait_closed(), CLOSE_TIMEOUT)


async def exchange_all(
    host: str,
    port: int,
    payloads: Iterable[bytes],
    *,
    timeout: float = 30.0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Exchange]:
    """Send messages one after the other over one connection."""
    async with connect(host, port, timeout=timeout, tls=tls) as client:
        for payload in payloads:
            yield await client.exchange(payload)
