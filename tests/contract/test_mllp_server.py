"""The MLLP server over real sockets: tolerances and abuse have a defined end, and the server stays up."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway import hl7v2
from gateway.config import MllpSettings
from gateway.connectors.mllp import MllpServer, connect
from gateway.model.findings import Finding
from tests.support import PATIENCE

VT, FS, CR = b"\x0b", b"\x1c", b"\r"


async def echo(payload: bytes, peer: str) -> bytes:
    assert peer.startswith("127.0.0.1:")
    return b"ACK:" + payload


def refused(head: bytes, problem: Finding) -> bytes:
    return f"{problem.code} {problem.detail} ".encode() + head[:9]


class Running:
    """A server with a handler of the test, and raw access to its port."""

    def __init__(self, server: MllpServer, port: int) -> None:
        self.server, self.port = server, port

    async def raw(self, data: bytes, *, end: bool = False, answers: int = 1) -> bytes:
        """Send bytes as they are; what comes back until the server closes, or is silent after `answers`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        await writer.drain()
        if end:
            writer.write_eof()
        received = b""
        try:
            while True:
                limit = PATIENCE if received.count(FS + CR) < answers else 0.1
                chunk = await asyncio.wait_for(reader.read(65536), limit)
                if not chunk:
                    break
                received += chunk
        except (TimeoutError, ConnectionError):
            pass
        writer.close()
        return received

    async def lives(self) -> None:
        async with connect("127.0.0.1", self.port) as client:
            assert (await client.exchange(b"MSH|alive")).answer == b"ACK:MSH|alive"


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    server = MllpServer(
        handler=echo,
        refuse=refused,
        settings=MllpSettings(frame_timeout=0.5, max_connections=40),
        limit=100_000,
    )
    port = await server.start("127.0.0.1", 0)
    yield Running(server, port)
    await server.stop()


@pytest.mark.req("REQ-02")
@pytest.mark.parametrize(
    ("case", "sent", "answers"),
    [
        ("one frame", VT + b"MSH|a" + FS + CR, [b"MSH|a"]),
        ("two in one packet", VT + b"MSH|a" + FS + CR + VT + b"MSH|b" + FS + CR, [b"MSH|a", b"MSH|b"]),
        ("noise before the start byte", b"\r\n\x00 " + VT + b"MSH|a" + FS + CR, [b"MSH|a"]),
        ("FS without CR before the next", VT + b"MSH|a" + FS + VT + b"MSH|b" + FS + CR, [b"MSH|a", b"MSH|b"]),
        ("LF after FS", VT + b"MSH|a" + FS + b"\n" + VT + b"MSH|b" + FS + CR, [b"MSH|a", b"MSH|b"]),
        ("repeated VT", VT + VT + b"MSH|a" + FS + CR, [b"MSH|a"]),
    ],
)
async def test_framing_is_tolerant(running: Running, case: str, sent: bytes, answers: list[bytes]) -> None:
    received = await running.raw(sent, answers=len(answers))
    assert received == b"".join(VT + b"ACK:" + one + FS + CR for one in answers), case
    await running.lives()


async def test_a_frame_may_arrive_byte_by_byte(running: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    for byte in VT + b"MSH|slow" + FS + CR:
        writer.write(bytes([byte]))
        await writer.drain()
    assert await asyncio.wait_for(reader.readuntil(FS + CR), PATIENCE) == VT + b"ACK:MSH|slow" + FS + CR
    writer.close()


@pytest.mark.req("REQ-08")
async def test_a_frame_above_the_limit_is_answered_and_the_connection_goes_on(running: Running) -> None:
    sent = VT + b"MSH|" + b"x" * 300_000 + FS + CR + VT + b"MSH|next" + FS + CR
    received = await running.raw(sent, answers=2)
    assert received.startswith(VT + b"HL7-TOO-LARGE 300004 bytes, limit 100000 MSH|xxxxx" + FS)
    assert received.endswith(VT + b"ACK:MSH|next" + FS + CR)


async def test_half_a_frame_is_given_up_after_the_timeout_and_never_handled(running: Running) -> None:
    assert await running.raw(VT + b"MSH|half") == b""
    await running.lives()


async def test_a_truncated_message_is_never_acknowledged(running: Running) -> None:
    """VT inside a frame means that the sender started again: the first part is no message."""
    assert (
        await running.raw(VT + b"MSH|lost" + VT + b"MSH|whole" + FS + CR) == VT + b"ACK:MSH|whole" + FS + CR
    )


async def test_above_the_cap_the_connection_that_was_idle_longest_gives_way(running: Running) -> None:
    idle = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(40)]
    await running.lives()
    assert await asyncio.wait_for(idle[0][0].read(1), PATIENCE) == b""
    idle[1][1].write(VT + b"MSH|still here" + FS + CR)
    assert (
        await asyncio.wait_for(idle[1][0].readuntil(FS + CR), PATIENCE)
        == VT + b"ACK:MSH|still here" + FS + CR
    )
    for _, writer in idle:
        writer.close()


async def test_random_bytes_and_a_tls_hello_leave_the_server_up(running: Running) -> None:
    await running.raw(bytes(range(256)) * 50, end=True)
    await running.raw(bytes.fromhex("16030100a5010000a10303") + b"\x5a" * 160, end=True)
    await running.lives()


async def test_a_message_under_way_is_answered_when_the_server_stops() -> None:
    entered = asyncio.Event()

    async def slow(payload: bytes, _: str) -> bytes:
        entered.set()
        await asyncio.sleep(0.3)
        return payload

    server = MllpServer(slow, refused, MllpSettings(), limit=1000)
    port = await server.start("127.0.0.1", 0)
    async with connect("127.0.0.1", port) as client:
        exchange = asyncio.create_task(client.exchange(b"MSH|last"))
        await entered.wait()
        await server.stop()
        assert (await exchange).answer == b"MSH|last"


async def test_the_client_says_when_the_peer_closes_without_an_answer() -> None:
    async def rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    async with server, connect("127.0.0.1", server.sockets[0].getsockname()[1]) as client:
        with pytest.raises(ConnectionError):
            await client.exchange(b"MSH|x")


def test_wrap_is_the_r1_frame() -> None:
    assert hl7v2.wrap(b"MSH") == b"\x0bMSH\x1c\x0d"
