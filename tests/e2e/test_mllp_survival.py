"""Every tolerance and abuse of MLLP (hl7v2.md §5.1) against a running gateway, then a sign of its life."""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from itertools import count

import pytest

from gateway import hl7v2
from tests.e2e.conftest import Gateway
from tests.support import FIXTURES, PATIENCE

VT, FS, CR = b"\x0b", b"\x1c", b"\r"
REPORT = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes()
LIMIT = 24 * 1024 * 1024
TIMEOUT = "2.0"
NUMBERS = count(1)

Address = tuple[str, int]


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("survival"))
    gateway.serve(GATEWAY_LIMITS__MAX_BYTES=str(LIMIT), GATEWAY_MLLP__FRAME_TIMEOUT=TIMEOUT)
    yield gateway
    assert gateway.process is not None
    assert gateway.process.stop() == 0


@pytest.fixture(scope="module")
def address(survivor: Gateway) -> Address:
    host, _, port = survivor.mllp.removeprefix("mllp://").partition(":")
    return host, int(port)


def message(extra: bytes = b"") -> tuple[bytes, str]:
    """A report of its own exam, and its control id."""
    number = next(NUMBERS)
    control_id = f"LIFE-{number}"
    made = REPORT.replace(b"RIS-2021-000042-1", control_id.encode())
    return made.replace(b"CR-2021-000042", b"CR-LIFE-%06d" % number) + extra, control_id


async def answers(address: Address, data: bytes, expected: int) -> list[hl7v2.Ack]:
    """The acknowledgements that come back for raw bytes."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    acks: list[hl7v2.Ack] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while len(acks) < expected:
                framed = await reader.readuntil(FS + CR)
                assert framed[:1] == VT
                acks.append(hl7v2.read_ack(framed[1:-2]))
        await asyncio.sleep(0.05)
        assert not reader._buffer  # type: ignore[attr-defined]  # nothing more than expected
    finally:
        writer.close()
    return acks


async def lives(address: Address) -> None:
    """A new sender gets AA for a new report, while others do what they do."""
    payload, control_id = message()
    async with asyncio.timeout(PATIENCE):
        (ack,) = await answers(address, VT + payload + FS + CR, 1)
    assert (ack.code, ack.control_id) == ("AA", control_id)


# --- tolerances: taken as if nothing were odd

A, B = message(), message()
TOLERATED: dict[str, tuple[bytes, list[str]]] = {
    "as the standard says": (VT + A[0] + FS + CR, [A[1]]),
    "two frames in one packet": (VT + A[0] + FS + CR + VT + B[0] + FS + CR, [A[1], B[1]]),
    "FS without CR": (VT + A[0] + FS + VT + B[0] + FS, [A[1], B[1]]),
    "LF behind FS": (VT + A[0] + FS + b"\n" + VT + B[0] + FS + b"\n", [A[1], B[1]]),
    "CRLF and blanks before VT": (b"\r\n \t\r\n" + VT + A[0] + FS + CR, [A[1]]),
    "NUL between messages": (VT + A[0] + FS + CR + b"\x00" + VT + B[0] + FS + CR, [A[1], B[1]]),
    "repeated VT": (VT * 4 + A[0] + FS + CR, [A[1]]),
    "segments ended by LF": (VT + A[0].replace(b"\r", b"\n") + FS + CR, [A[1]]),
    "segments ended by CRLF": (VT + A[0].replace(b"\r", b"\r\n") + FS + CR, [A[1]]),
    "noise between frames": (b"noise" + VT + A[0] + FS + CR + b"noise", [A[1]]),
    "a start byte inside: only what follows counts": (VT + A[0][:300] + VT + B[0] + FS + CR, [B[1]]),
}


@pytest.mark.req("REQ-02")
@pytest.mark.parametrize("case", TOLERATED)
async def test_tolerance(address: Address, case: str) -> None:
    sent, expected = TOLERATED[case]
    acks = await answers(address, sent, len(expected))
    assert [(ack.code, ack.control_id) for ack in acks] == [("AA", one) for one in expected]
    await lives(address)


async def test_frame_marks_split_over_packets(address: Address) -> None:
    payload, control_id = message()
    reader, writer = await asyncio.open_connection(*address)
    for packet in (VT, payload[:1], payload[1:500], payload[500:], FS, CR):
        writer.write(packet)
        await asyncio.sleep(0.02)
    framed = await asyncio.wait_for(reader.readuntil(FS + CR), PATIENCE)
    assert hl7v2.read_ack(framed[1:-2]).control_id == control_id
    writer.close()
    await lives(address)


# --- sizes


@pytest.mark.req("REQ-08")
async def test_a_frame_of_20_mb_is_taken(address: Address) -> None:
    line = b"NTE|1||" + b"x" * 993 + b"\r"
    payload, control_id = message(line * 20_000)
    assert len(payload) > 20_000_000
    (ack,) = await answers(address, VT + payload + FS + CR, 1)
    assert (ack.code, ack.control_id) == ("AA", control_id)
    await lives(address)


@pytest.mark.req("REQ-02", "REQ-08")
async def test_a_frame_above_the_cap_is_refused_by_name_and_the_connection_goes_on(address: Address) -> None:
    payload, control_id = message(b"NTE|1||" + b"x" * (LIMIT + 1000))
    behind, behind_id = message()
    acks = await answers(address, VT + payload + FS + CR + VT + behind + FS + CR, 2)
    assert [(ack.code, ack.control_id) for ack in acks] == [("AE", control_id), ("AA", behind_id)]
    assert "HL7-TOO-LARGE" in acks[0].errors[0]
    await lives(address)


# --- abuses

Abuse = Callable[[Address, AsyncExitStack], Awaitable[None]]


async def _open(address: Address, held: AsyncExitStack, data: bytes = b"") -> asyncio.StreamReader:
    reader, writer = await asyncio.open_connection(*address)
    held.callback(writer.close)
    if data:
        with suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
    return reader


async def _idle(address: Address, held: AsyncExitStack) -> None:
    for _ in range(500):
        await _open(address, held)


async def _halves(address: Address, held: AsyncExitStack) -> None:
    for _ in range(200):
        await _open(address, held, VT + REPORT[:1000])


async def _noise(address: Address, held: AsyncExitStack) -> None:
    chaos = random.Random(72)
    for _ in range(20):
        await _open(address, held, chaos.randbytes(50_000))


async def _flood(address: Address, held: AsyncExitStack) -> None:
    await _open(address, held, b"GET / HTTP/1.1\r\n" * 500_000)


async def _hello(address: Address, held: AsyncExitStack) -> None:
    with pytest.raises((OSError, TimeoutError)):
        async with asyncio.timeout(PATIENCE):
            context = ssl.create_default_context()
            await asyncio.open_connection(*address, ssl=context, server_hostname="localhost")


async def _resets(address: Address, held: AsyncExitStack) -> None:
    for _ in range(100):
        _, writer = await asyncio.open_connection(*address)
        writer.write(VT + REPORT)
        writer.transport.abort()


async def _deaf(address: Address, held: AsyncExitStack) -> None:
    """Many messages, no answer ever read, then gone."""
    _, writer = await asyncio.open_connection(*address)
    with suppress(ConnectionError):
        writer.write((VT + b"MSH|^~\\&|nobody reads" + FS + CR) * 300)
        await writer.drain()
    writer.transport.abort()


async def _hollow(address: Address, held: AsyncExitStack) -> None:
    await _open(address, held, (VT + FS + CR) * 100 + FS * 1000 + VT * 10_000)


async def _bars(address: Address, held: AsyncExitStack) -> None:
    """Delimiters by the million in one segment, segments by the hundred thousand."""
    await answers(address, VT + b"MSH|^~\\&" + b"|^~&" * 1_000_000 + FS + CR, 1)
    await answers(address, VT + REPORT + b"OBX|\r" * 200_000 + FS + CR, 1)


ABUSES: tuple[Abuse, ...] = (_idle, _halves, _noise, _flood, _hello, _resets, _deaf, _hollow, _bars)


@pytest.mark.req("REQ-02", "REQ-08")
@pytest.mark.parametrize("abuse", ABUSES)
async def test_the_gateway_lives_during_and_after(address: Address, abuse: Abuse) -> None:
    async with AsyncExitStack() as held:
        await abuse(address, held)
        await lives(address)
    await lives(address)


async def test_half_frames_are_dropped_and_their_connections_closed(address: Address) -> None:
    async with AsyncExitStack() as held:
        reader = await _open(address, held, VT + REPORT)
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    await lives(address)


async def test_idle_connections_are_still_good_after_a_while(address: Address) -> None:
    reader, writer = await asyncio.open_connection(*address)
    await asyncio.sleep(2 * float(TIMEOUT))
    payload, control_id = message()
    writer.write(VT + payload + FS + CR)
    framed = await asyncio.wait_for(reader.readuntil(FS + CR), PATIENCE)
    assert hl7v2.read_ack(framed[1:-2]).control_id == control_id
    writer.close()


async def test_the_log_holds_neither_identity_nor_text(survivor: Gateway, address: Address) -> None:
    async with AsyncExitStack() as held:
        await _hello(address, held)
        await answers(address, VT + REPORT[:-20] + VT + message()[0] + FS + CR, 1)
        await answers(address, VT + REPORT + b"NTE|1||" + b"x" * LIMIT + FS + CR, 1)
    written = (survivor.folder / "log").read_text()
    assert "TLS on the plain port" in written
    assert "partial frame dropped" in written
    for secret in ("PAT-TROIS", "279035121518989", "Parenchyme"):
        assert secret not in written
