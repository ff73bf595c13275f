"""Limits of the MLLP server: crawling peers, crowds, memory, junk; whoever reaches one, others are served."""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from gateway import hl7v2
from gateway.config import MllpSettings
from gateway.connectors import mllp_connection, mllp_dialogue
from gateway.connectors.inflight import PIECE
from gateway.connectors.mllp import MllpServer
from gateway.hl7v2 import AckCode
from tests.mllp_support import CR, FS, VT, Taken, framed, refuse, report
from tests.support import PATIENCE

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HERE, THERE = "127.0.0.1", "127.0.0.2"
"""Two addresses of the loopback: two hosts, for the server."""


class Place:
    """A server, and connections to it from chosen addresses, all closed at the end."""

    def __init__(self, server: MllpServer, port: int, taken: Taken) -> None:
        self.server, self.port, self.taken = server, port, taken
        self._open: list[Pair] = []

    async def open(self, address: str = HERE, data: bytes = b"") -> Pair:
        pair = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))
        self._open.append(pair)
        if data:
            pair[1].write(data)
            await pair[1].drain()
        return pair

    async def serves(self, address: str = HERE) -> bool:
        """Whether a new connection from `address` gets its answer."""
        try:
            return await asked(await self.open(address)) is AckCode.AA
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            return False

    def close(self) -> None:
        for _, writer in self._open:
            writer.close()


async def asked(pair: Pair) -> AckCode:
    reader, writer = pair
    writer.write(framed(report("7")))
    async with asyncio.timeout(PATIENCE):
        return hl7v2.read_ack((await reader.readuntil(FS + CR))[1:-2]).code


async def closed(pair: Pair, seconds: float = PATIENCE) -> bool:
    """Whether the server ends the connection in time."""
    try:
        async with asyncio.timeout(seconds):
            return await pair[0].read() == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@asynccontextmanager
async def place(*, limit: int = 1_000_000, **settings: object) -> AsyncIterator[Place]:
    taken = Taken()
    server = MllpServer(taken, refuse, MllpSettings(**settings), limit=limit)  # type: ignore[arg-type]
    one = Place(server, await server.start("127.0.0.1", 0), taken)
    yield one
    one.close()
    await server.stop(1)


# --- time


async def test_silence_inside_a_frame_ends_the_connection_and_silence_between_frames_never() -> None:
    async with place(frame_timeout=0.3) as one:
        patient = await one.open()
        half = await one.open(data=VT + b"MSH|half")
        assert await closed(half)
        await asyncio.sleep(0.5)
        assert await asked(patient) is AckCode.AA


async def test_a_peer_that_crawls_is_given_up_although_it_never_pauses() -> None:
    """A byte in each 50 ms keeps the pause between bytes; the frame as a whole falls behind the rate."""
    async with place(frame_timeout=0.4, min_rate=10_000) as one:
        _, writer = crawler = await one.open(data=VT)
        ended = asyncio.create_task(closed(crawler))
        sent = 0
        while not ended.done() and sent < 60:
            with suppress(ConnectionError):
                writer.write(b"x")
                await writer.drain()
            sent += 1
            await asyncio.sleep(0.05)
        assert await ended
        assert sent < 60
        assert await one.serves()


async def test_a_frame_that_keeps_up_the_rate_may_take_longer_than_the_pause() -> None:
    async with place(frame_timeout=1.0, min_rate=1000) as one:
        reader, writer = await one.open(data=VT + report("7"))
        for _ in range(7):  # 1.4 s in all, 1000 bytes in each 0.2 s
            writer.write(b"NTE|1||" + b"x" * 1000 + b"\r")
            await asyncio.sleep(0.2)
        writer.write(FS + CR)
        assert b"MSA|AA|7" in await asyncio.wait_for(reader.readuntil(FS + CR), PATIENCE)


async def test_the_clock_of_a_frame_starts_anew_with_each_frame() -> None:
    async with place(frame_timeout=1.0, min_rate=100_000) as one:
        reader, writer = await one.open(data=VT + report("1"))
        for number in range(2, 6):  # each packet ends one frame and begins the next
            await asyncio.sleep(0.35)
            writer.write(FS + CR + VT + report(str(number)))
            assert b"MSA|AA|" in await asyncio.wait_for(reader.readuntil(FS + CR), PATIENCE)


# --- crowds


@pytest.mark.req("REQ-02")
async def test_idle_connections_of_one_address_take_no_place_from_another() -> None:
    async with place(max_connections=20, max_per_address=10) as one:
        crowd = [await one.open(HERE) for _ in range(40)]
        assert await one.serves(THERE)
        assert await one.serves(HERE)
        assert await closed(crowd[0])
        assert not await closed(crowd[-1], 0.05)


async def test_the_crowded_address_gives_way_when_all_places_are_taken() -> None:
    async with place(max_connections=10, max_per_address=100) as one:
        quiet = await one.open(THERE)
        crowd = [await one.open(HERE) for _ in range(9)]
        assert await one.serves(THERE)
        assert await closed(crowd[0])
        assert await asked(quiet) is AckCode.AA


async def test_who_has_sent_something_stays_longer_than_who_never_did() -> None:
    async with place(max_per_address=3) as one:
        active = await one.open()
        assert await asked(active) is AckCode.AA
        silent = [await one.open() for _ in range(2)]
        assert await one.serves()
        assert await closed(silent[0])
        assert await asked(active) is AckCode.AA


async def test_a_connection_inside_a_frame_is_never_closed_for_another() -> None:
    async with place(max_per_address=3) as one:
        halves = [await one.open(data=VT + b"MSH|") for _ in range(3)]
        await asyncio.sleep(0.1)
        assert not await one.serves(HERE)
        assert await one.serves(THERE)
        reader, writer = halves[0]
        writer.write(report("7").removeprefix(b"MSH|") + FS + CR)
        assert b"MSA|AA|7" in await asyncio.wait_for(reader.readuntil(FS + CR), PATIENCE)


async def test_connections_stay_below_what_the_system_can_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (266, 266))
    async with place(max_connections=1000) as one:
        crowd = [await one.open() for _ in range(140)]
        assert await one.serves(THERE)
        assert await closed(crowd[0])
    assert "ulimit" in caplog.text


async def test_when_the_system_gives_no_connection_the_server_waits_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, iter((errno.EMFILE, errno.ECONNABORTED))

    async def short_of_files(listener: socket.socket) -> tuple[socket.socket, object]:
        if (reason := next(failures, None)) is not None:
            raise OSError(reason, os.strerror(reason))
        return await accept(listener)

    monkeypatch.setattr(loop, "sock_accept", short_of_files)
    async with place() as one:
        assert await one.serves()
    assert "cannot accept a connection" in caplog.text


async def test_places_come_back() -> None:
    async with place(max_per_address=5, frame_timeout=0.2) as one:
        for _ in range(3):
            halves = [await one.open(data=VT + b"MSH|") for _ in range(5)]
            assert all([await closed(half) for half in halves])
        assert await one.serves()


def test_a_silent_peer_is_asked_by_tcp_whether_it_lives() -> None:
    with socket.socket() as sock:
        mllp_connection.keep_alive(sock, 60.0)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    with socket.socket() as sock:
        mllp_connection.keep_alive(sock, 0)
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


# --- memory and junk


async def test_frames_that_do_not_fit_into_memory_are_read_one_after_the_other() -> None:
    """Nobody is cut off for it: TCP holds the senders back, and small messages pass."""
    large = framed(report("1", text="x" * 600_000))
    async with place(max_buffered=1_000_000, limit=1_000_000) as one:
        pairs = [await one.open(data=large[:500_000]) for _ in range(8)]
        for _, writer in pairs:
            writer.write(large[500_000:])
        inflight = one.server._terms.inflight
        most = 0
        for reader, _ in pairs:
            waiting = asyncio.create_task(reader.readuntil(FS + CR))
            end = asyncio.get_running_loop().time() + PATIENCE
            while not waiting.done():
                most = max(most, inflight.held)
                assert asyncio.get_running_loop().time() < end
                await asyncio.sleep(0.001)
            assert hl7v2.read_ack((await waiting)[1:-2]).code is AckCode.AA
        assert most < 1_000_000 + 600_000 + 2 * PIECE
        assert (inflight.held, inflight.crowded) == (0, False)


async def test_who_holds_others_back_must_not_dawdle_and_small_messages_pass() -> None:
    async with place(max_buffered=200_000, frame_timeout=0.5, min_rate=10_000) as one:
        dawdling = await one.open(data=VT + b"x" * 300_000)
        held_back = await one.open(data=VT + b"MSH|^~\\&|" + b"x" * 150_000)
        assert await one.serves()
        writer = dawdling[1]
        with suppress(ConnectionError):
            while not dawdling[0].at_eof():  # a byte now and then: alone it would have 30 s
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
                held_back[1].write(b"x" * 5_000)
        assert await one.serves()


async def test_a_peer_that_speaks_no_mllp_is_closed_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mllp_connection, "JUNK_LIMIT", 10_000)
    caplog.set_level(logging.INFO)
    async with place() as one:
        pair = await one.open()
        with suppress(ConnectionError):
            for _ in range(20):
                pair[1].write(b"GET / HTTP/1.1\r\nHost: gateway\r\n" * 40)
                await pair[1].drain()
                await asyncio.sleep(0.01)
        assert await closed(pair)
        assert await one.serves()
    said = [record.getMessage() for record in caplog.records]
    assert sum("bytes outside frames" in line for line in said) == 1
    assert sum("this is no MLLP" in line for line in said) == 1


async def test_a_peer_that_does_not_read_its_answers_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mllp_dialogue, "ANSWER_TIMEOUT", 0.2)
    monkeypatch.setattr(mllp_connection, "CLOSE_TIMEOUT", 0.2)

    async def loud(payload: bytes, _: str) -> bytes:
        return b"x" * 4_000_000

    server = MllpServer(loud, refuse, MllpSettings(), limit=1000)
    port = await server.start("127.0.0.1", 0)
    deaf = socket.create_connection(("127.0.0.1", port))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for number in range(4):
        deaf.sendall(framed(report(str(number))))
    async with asyncio.timeout(PATIENCE):
        while server._crowd:  # noqa: ASYNC110  # the server says nothing when it gives a connection up
            await asyncio.sleep(0.05)
    deaf.close()
    await server.stop(0)


# --- start and stop


async def test_every_address_of_a_name_is_served_on_one_port() -> None:
    taken = Taken()
    server = MllpServer(taken, refuse, MllpSettings(), limit=1000)
    port = await server.start("localhost", 0)
    addresses = {one.getsockname()[0] for one in server._listeners}
    for address in addresses:
        pair = await asyncio.open_connection(address, port)
        assert await asked(pair) is AckCode.AA
        pair[1].close()
    await server.stop(1)
    assert "127.0.0.1" in addresses
    if "::1" in addresses:
        assert any(peer.startswith("[::1]:") for peer in taken.peers)


async def test_an_address_that_is_taken_is_told_at_the_start() -> None:
    async with place() as one:
        other = MllpServer(Taken(), refuse, MllpSettings(), limit=1000)
        with pytest.raises(OSError, match="in use"):
            await other.start("127.0.0.1", one.port)
        await other.stop()  # harmless


async def test_frames_behind_the_one_under_way_are_left_to_be_sent_again_when_the_server_stops() -> None:
    entered, taken = asyncio.Event(), Taken()

    async def slow(payload: bytes, peer: str) -> bytes:
        entered.set()
        await asyncio.sleep(0.2)
        return await taken(payload, peer)

    server = MllpServer(slow, refuse, MllpSettings(), limit=1000)
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(framed(report("1")) + framed(report("2")))
    await entered.wait()
    await server.stop(5)
    rest = await asyncio.wait_for(reader.read(), PATIENCE)
    assert rest.count(FS) == 1
    assert b"MSA|AA|1" in rest
    assert taken.payloads == [report("1")]  # the second was neither handled nor acknowledged
    writer.close()
