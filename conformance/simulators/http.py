"""A small HTTP/1.1 server over h11 that can also do what a good server never does: cut a connection."""

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import h11

MAX_BYTES = 60 * 1024 * 1024
READ_SIZE = 256 * 1024


class Request(NamedTuple):
    """A whole request. `headers` has lower-case names; the last value of a repeated header wins."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Response(NamedTuple):
    """`flaw`: `half`, cut after half of its bytes; `twice`, sent twice; `never`, withheld until the other
    side gives up."""

    status: int
    content_type: str
    body: bytes
    flaw: str = ""


Handler = Callable[[Request], Awaitable[Response | None]]
"""None: the connection is reset without an answer."""


async def serve(handler: Handler, host: str, port: int, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    """Listen; `port` 0 takes a free one (see `port_of`)."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _converse(handler, reader, writer)
        except (h11.ProtocolError, ConnectionError, TimeoutError, ssl.SSLError) as error:
            print(f"connection ended: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            writer.close()

    return await asyncio.start_server(converse, host, port, ssl=tls, limit=READ_SIZE)


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def _converse(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = h11.Connection(h11.SERVER)
    while True:
        request = await _read(connection, reader, writer)
        if request is None:
            return
        too_large = len(request.body) > MAX_BYTES
        response = Response(413, "text/plain", b"too large") if too_large else await handler(request)
        if response is None:
            writer.transport.abort()
            return
        data = _encode(connection, response)
        if response.flaw == "never":
            await reader.read()
            return
        writer.write(data[: len(data) // 2] if response.flaw == "half" else data)
        if response.flaw == "twice":
            writer.write(data)
        await writer.drain()
        if response.flaw == "half":
            writer.transport.abort()
            return
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return
        connection.start_next_cycle()


async def _read(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """The next request, None at the end of the stream. A body above MAX_BYTES is cut right after it."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go = connection.send(h11.InformationalResponse(status_code=100, headers=[]))
                writer.write(go or b"")
            connection.receive_data(await reader.read(READ_SIZE))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BYTES:
                break
        elif isinstance(event, h11.EndOfMessage):
            break
        else:
            return None
    assert head is not None
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return Request(head.method.decode(), head.target.decode().partition("?")[0], headers, bytes(body))


def _encode(connection: h11.Connection, response: Response) -> bytes:
    head = h11.Response(
        status_code=response.status,
        reason=HTTPStatus(response.status).phrase.encode(),
        headers=[
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(response.body))),
        ],
    )
    parts = (head, h11.Data(data=response.body), h11.EndOfMessage())
    return b"".join(connection.send(part) or b"" for part in parts)


def tls_context(cert: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer; with `client_ca` a client must show a certificate that it issued."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
