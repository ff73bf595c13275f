"""A small HTTP/1.1 server over h11 that can also do what a good server never does: cut a connection."""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import h11

from conformance.simulators.threads import Listener, complain, farewell, secured

MAX_BYTES = 60 * 1024 * 1024
READ_SIZE = 16 * 1024
"""TLS gives no more at a time."""
_POST = re.compile(rb"POST (/[!-~]*) HTTP/1\.1\r\n((?:[!-9;-~]+:[^\r\n\0]*\r\n)+)\r\n")
_UNUSUAL = frozenset({"transfer-encoding", "expect", "upgrade"})
_LONGEST_HEAD = 16 * 1024


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


Handler = Callable[[Request], Coroutine[Any, Any, Response | None]]
"""Runs in the event loop, one request beside the other. None: the connection is reset without an answer."""
Quick = Callable[[Request], Response | None]
"""Runs in the thread of the connection. None: the handler answers."""
Answer = Callable[[Request], Response | None]


async def serve(
    handler: Handler, host: str, port: int, tls: ssl.SSLContext | None = None, quick: Quick | None = None
) -> Listener:
    """Listen; `port` 0 takes a free one. `quick` is for many requests: those are also read quickly."""
    loop = asyncio.get_running_loop()

    def answer(request: Request) -> Response | None:
        response = quick(request) if quick is not None else None
        if response is None:
            with suppress(CancelledError):  # the loop ends
                response = asyncio.run_coroutine_threadsafe(handler(request), loop).result()
        return response

    def converse(plain: socket.socket) -> None:
        with secured(plain, tls) as connection:
            read = b"" if quick is None else _quickly(answer, connection)
            if read is not None:
                _strictly(answer, connection, read)

    return Listener(converse, host, port)


def _quickly(answer: Answer, connection: socket.socket) -> bytes | None:
    """Posts of a known length, one behind the other; h11 costs more than all the rest of such an exchange. It
    gets what is not of this form: what was read of it. None: the conversation is over."""
    heard = bytearray()
    while True:
        while (end := heard.find(b"\r\n\r\n")) < 0:
            data = connection.recv(READ_SIZE)
            heard += data
            if not data or len(heard) > _LONGEST_HEAD:
                return bytes(heard) or None
        found = _plain_post(heard, end + 4)
        if found is None:
            return bytes(heard)
        request, length = found
        body = _filled(connection, heard, end + 4, length)
        response = answer(request._replace(body=body))
        if response is None or not _sent(connection, response, _plain_head(response) + response.body):
            return None


def _plain_post(heard: bytearray, end: int) -> tuple[Request, int] | None:
    """The head that ends there, with the length of its body; None: it needs the whole of HTTP/1.1."""
    head = _POST.fullmatch(heard, 0, end)
    if head is None:
        return None
    lines = [line.partition(":") for line in head[2].decode("latin-1").split("\r\n")[:-1]]
    headers = {name.lower(): value.strip() for name, _, value in lines}
    length = headers.get("content-length", "")
    if len(headers) < len(lines) or not length.isdecimal() or not _UNUSUAL.isdisjoint(headers):
        return None
    if int(length) > MAX_BYTES or headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return Request("POST", head[1].decode("ascii").partition("?")[0], headers, b""), int(length)


def _filled(connection: socket.socket, heard: bytearray, begin: int, length: int) -> bytes:
    """The body that begins there; it and what stands before are gone from `heard`. Raises OSError."""
    body = bytearray(length)
    known = heard[begin : begin + length]
    body[: len(known)] = known
    del heard[: begin + length]
    filled = len(known)
    with memoryview(body) as view:
        while filled < length:
            much = connection.recv_into(view[filled:])
            if not much:
                raise ConnectionError("a request was cut")
            filled += much
    return bytes(body)


def _plain_head(response: Response) -> bytes:
    return (
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
        f"Content-Type: {response.content_type}\r\nContent-Length: {len(response.body)}\r\n\r\n"
    ).encode("latin-1")


def _strictly(answer: Answer, connection: socket.socket, read: bytes) -> None:
    """All of HTTP/1.1. `read`: what was read already."""
    protocol = h11.Connection(h11.SERVER)
    if read:
        protocol.receive_data(read)
    try:
        while _exchange(answer, connection, protocol):
            protocol.start_next_cycle()
    except h11.ProtocolError as error:
        complain(error)


def _exchange(answer: Answer, connection: socket.socket, protocol: h11.Connection) -> bool:
    """One request and its response; False: it was the last one."""
    request = _read(protocol, connection)
    if request is None:
        return False
    too_large = len(request.body) > MAX_BYTES
    response = Response(413, "text/plain", b"too large") if too_large else answer(request)
    if response is None or not _sent(connection, response, _encode(protocol, response)):
        return False
    if protocol.our_state is h11.DONE and protocol.their_state is h11.DONE:
        return True
    farewell(connection)
    return False


def _sent(connection: socket.socket, response: Response, data: bytes) -> bool:
    """With the flaw of the response; False: the connection is to be cut."""
    if response.flaw == "never":
        connection.recv(READ_SIZE)
        return False
    connection.sendall(data[: len(data) // 2] if response.flaw == "half" else data)
    if response.flaw == "twice":
        connection.sendall(data)
    return response.flaw != "half"


def _read(protocol: h11.Connection, connection: socket.socket) -> Request | None:
    """The next request, None at the end of the stream. A body above MAX_BYTES is cut right after it."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            if protocol.they_are_waiting_for_100_continue:
                go = protocol.send(h11.InformationalResponse(status_code=100, headers=[]))
                connection.sendall(go or b"")
            protocol.receive_data(connection.recv(READ_SIZE))
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
