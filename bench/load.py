"""An MLLP sender that measures: many connections, as fast as they go or at a steady rate."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

FIXTURE = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "hl7v2" / "oru_report.er7"
SIZE = 2048
"""Bytes of one message."""
_MOST_TEXT = 10_000
_CONTROL, _SET = b"RIS-2021-000042-1", b"CR-2021-000042^"
_VARYING = (
    b"|984375862^",
    b"|105234751^",
    b"V20210108-17^",
    b"~000003^",
    b"MARIE-LOUISE^",
    b"|28 ",
    b"0144534551^",
    b".1876360|",
)
"""What every message of a real feed says anew, and so do these: orders, stay, person, study. A number is put
before the last character of each."""

_ONE_MAIL = b"\rOBX|6|CE|DESTMSSANTEPAT^Destinataire Patient^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F"
"""The message has the patient's mailbox, who would get a mail beside the requester's (table of flags, volet
Transmission)."""


@dataclass(frozen=True)
class Figures:
    """Result of one load: acknowledged (AA) and refused messages, seconds, sorted latencies in seconds."""

    taken: int
    refused: int
    seconds: float
    latencies: tuple[float, ...]

    @property
    def rate(self) -> float:
        return self.taken / self.seconds

    def percentile(self, share: float) -> float:
        """Latency in milliseconds that `share` of the messages stay below; nan without messages."""
        if not self.latencies:
            return float("nan")
        return 1000 * self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


def messages(prefix: str, size: int = SIZE, mails: int = 2) -> Iterator[bytes]:
    """Frames of about `size` bytes, each a new report of its own; what is above a few kB is a PDF.

    `mails`: 2, to the requester and the patient, or 1, to the requester alone.
    """
    text = FIXTURE.read_bytes().rstrip(b"\r\n") + (_ONE_MAIL if mails == 1 else b"")
    control, report = prefix.encode() + b"-%010d", b"CR-" + prefix.encode() + b"-%010d^"
    text = text.replace(_CONTROL, b"<control>").replace(_SET, b"<set>").replace(b"%", b"%%")
    text = text.replace(b"<control>", control).replace(b"<set>", report)
    for value in _VARYING:
        assert value in text, value
        text = text.replace(value, value[:-1] + b"%010d" + value[-1:])
    places = text.count(b"%010d")
    filled = len(text % ((0,) * places))
    if size > _MOST_TEXT:
        tail = (
            b"\rOBX|6|ED|^PDF||^application^pdf^Base64^%s" + b"QUJD" * ((size - filled) // 4) + b"||||||F\r"
        )
        for number in count():
            head = b64encode(b"%%PDF-1.4 %012d" % number)  # each its own document
            yield b"\x0b" + text % ((number,) * places) + tail % head + b"\x1c\r"
    line = b" Examen de contr\xc3\xb4le."
    padding = line * max(0, (size - filled) // len(line))
    text = text.replace(b"|Examen sans", b"|" + padding + b"Examen sans", 1)
    for number in count():
        yield b"\x0b" + text % ((number,) * places) + b"\x1c\r"


async def closed_loop(
    port: int, *, connections: int, seconds: float, prefix: str, size: int = SIZE
) -> Figures:
    """Each connection sends the next message as soon as the last one is acknowledged."""
    stream, end = messages(prefix, size), time.perf_counter() + seconds
    return await _run(port, connections, [_as_fast(stream, end) for _ in range(connections)])


async def counted(port: int, *, connections: int, number: int, prefix: str, mails: int = 2) -> Figures:
    """`number` messages, as fast as they go."""
    frames = ((0.0, frame) for frame in islice(messages(prefix, mails=mails), number))
    return await _run(port, connections, [frames] * connections)


async def steady(port: int, *, connections: int, seconds: float, rate: float, prefix: str) -> Figures:
    """`rate` messages a second over all connections; latency counts from the moment that was planned."""
    stream, start = messages(prefix), time.perf_counter() + 0.1
    step = connections / rate
    turns = [
        _planned(stream, start + number / rate, step, int(seconds / step)) for number in range(connections)
    ]
    return await _run(port, connections, turns)


Turn = Iterator[tuple[float, bytes]]
"""(moment planned, 0 = at once; frame) of one connection."""


def _as_fast(stream: Iterator[bytes], end: float) -> Turn:
    while time.perf_counter() < end:
        yield 0.0, next(stream)


def _planned(stream: Iterator[bytes], first: float, step: float, number: int) -> Turn:
    for turn in range(number):
        yield first + turn * step, next(stream)


async def _run(port: int, connections: int, turns: list[Turn]) -> Figures:
    assert len(turns) == connections
    start = time.perf_counter()
    results = await asyncio.gather(*(_connection(port, turn) for turn in turns))
    seconds = time.perf_counter() - start
    latencies = sorted(latency for taken, _ in results for latency in taken)
    return Figures(len(latencies), sum(refused for _, refused in results), seconds, tuple(latencies))


async def _connection(port: int, turns: Turn) -> tuple[list[float], int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken: list[float] = []
    refused = 0
    for planned, frame in turns:
        now = time.perf_counter()
        if planned > now:
            await asyncio.sleep(planned - now)
        begin = planned or now
        writer.write(frame)
        answer = await reader.readuntil(b"\x1c\r")
        if b"MSA|AA|" in answer:
            taken.append(time.perf_counter() - begin)
        else:
            refused += 1
    writer.close()
    return taken, refused
