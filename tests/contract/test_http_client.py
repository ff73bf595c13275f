"""The HTTP client of the DMP against a scripted server: framing, kept connections, what comes too early."""

import asyncio
import select
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.connectors import tls
from gateway.connectors.http import Answer, Call, Client, HttpError
from tests.contract.test_dmp_sender import Exchange, Server, server
from tests.support import PATIENCE
from tests.unit.pki_files import pki

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"


def raw(answer: bytes, *, hang_up: bool = False) -> Callable[[Exchange], Awaitable[None]]:
    async def script(exchange: Exchange) -> None:
        await exchange.read_body()
        exchange.writer.write(answer)
        await exchange.writer.drain()
        if hang_up:
            exchange.writer.close()

    return script


@asynccontextmanager
async def client(keep_alive: float = PATIENCE) -> AsyncIterator[Client]:
    made = Client(tls.client_context(ca=pki().ca), timeout=PATIENCE, keep_alive=keep_alive, limit=1000)
    try:
        yield made
    finally:
        made.close()


async def post(http: Client, peer: Server, body: bytes = b"<a/>") -> Answer:
    return await asyncio.to_thread(http.post, Call(peer.url, {"Content-Type": "text/xml"}, body))


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 4\r\n\r\n<b/>",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n<b\r\n2\r\n/>\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 4\r\n\r\n<b/>",
    ],
    ids=["length", "chunked", "continue"],
)
async def test_an_answer_with_an_end_is_read_and_its_connection_kept(answer: bytes) -> None:
    async with server(raw(answer)) as peer, client() as http:
        for _ in range(3):
            found = await post(http, peer)
            assert (found.status, found.headers["content-type"], found.body) == (200, "text/xml", b"<b/>")
    assert peer.connections == 1


async def test_an_address_is_asked_for_in_ascii() -> None:
    async with server(raw(HEAD + b"Content-Length: 0\r\n\r\n")) as peer, client() as http:
        call = Call(f"{peer.url}/d\xe9p\xf4t%20a b?x=1&y=é", {}, b"")
        await asyncio.to_thread(http.post, call)
    assert peer.requests[0].head.startswith(
        b"POST /repository/d%C3%A9p%C3%B4t%20a%20b?x=1&y=%C3%A9 HTTP/1.1\r\n"
    )


async def test_a_name_that_is_none_is_no_address() -> None:
    async with client() as http:
        for url in ("https://a..b/", "https://\xe9\udc80/"):
            with pytest.raises(HttpError, match=r"ConnectError|InvalidURL"):
                await asyncio.to_thread(http.post, Call(url, {}, b""))


async def test_an_answer_that_ends_with_the_connection_is_read() -> None:
    async with server(raw(HEAD + b"\r\n<b/>", hang_up=True)) as peer, client() as http:
        assert [(await post(http, peer)).body for _ in range(2)] == [b"<b/>", b"<b/>"]
    assert peer.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 5\r\n\r\n<b/>",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\n<b/>\r\n",
        HEAD + b"Content-Length: four\r\n\r\n<b/>",
    ],
    ids=["short", "no last chunk", "no number"],
)
async def test_a_cut_answer_is_none(answer: bytes) -> None:
    async with server(raw(answer, hang_up=True)) as peer, client() as http:
        with pytest.raises(HttpError, match="RemoteProtocolError"):
            await post(http, peer)


async def test_a_connection_that_the_peer_closed_while_it_was_idle_is_not_used() -> None:
    closing = raw(HEAD + b"Content-Length: 4\r\n\r\n<b/>", hang_up=True)
    async with server(closing) as peer, client() as http:
        for number in range(1, 4):
            assert (await post(http, peer)).body == b"<b/>"
            await asyncio.to_thread(_farewell, http)
            assert peer.connections == number
    assert len(peer.requests) == 3, "each was sent once"


def _farewell(http: Client) -> None:
    """Wait until the peer's end of the kept connection is seen here."""
    ((_, connection, _),) = http._idle
    polled = select.poll()
    polled.register(connection, select.POLLIN)
    assert polled.poll(1000 * PATIENCE)


async def test_an_old_connection_is_not_used() -> None:
    async with server(raw(HEAD + b"Content-Length: 0\r\n\r\n")) as peer, client(keep_alive=0.0) as http:
        for _ in range(2):
            await post(http, peer)
    assert peer.connections == 2


async def test_requests_at_a_time_have_connections_of_their_own_and_keep_them() -> None:
    both = asyncio.Barrier(2)

    async def together(exchange: Exchange) -> None:
        await exchange.read_body()
        await both.wait()
        await exchange.answer(200, b"<b/>")

    async with server(together) as peer, client() as http:
        for _ in range(3):
            await asyncio.gather(post(http, peer), post(http, peer))
    assert peer.connections == 2


async def test_an_answer_before_the_end_of_the_request_is_heard() -> None:
    async def too_large(exchange: Exchange) -> None:
        await exchange.answer(413, b"")
        exchange.writer.transport.set_write_buffer_limits(0)
        await exchange.writer.drain()
        await asyncio.sleep(0.2)
        exchange.writer.close()

    async with server(too_large) as peer, client() as http:
        try:
            assert (await post(http, peer, b"x" * 40_000_000)).status == 413
        except HttpError as fault:  # a reset may overtake the answer
            assert fault.code == "WriteError"


async def test_an_answer_beyond_the_limit_is_not_kept() -> None:
    async with server(raw(HEAD + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001)) as peer, client() as http:
        assert not (await post(http, peer)).whole


async def test_a_call_that_is_given_up_ends() -> None:
    arrived = asyncio.Event()

    async def silent(exchange: Exchange) -> None:
        await exchange.read_body()
        arrived.set()
        await asyncio.sleep(PATIENCE)

    async with server(silent) as peer, client() as http:
        call = Call(peer.url, {}, b"<a/>")
        posting = asyncio.create_task(asyncio.to_thread(http.post, call))
        await arrived.wait()
        call.abort()
        with pytest.raises(HttpError, match="R"):
            await asyncio.wait_for(posting, PATIENCE / 2)
        assert call.left
