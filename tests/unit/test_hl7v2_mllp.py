"""MLLP framing: each tolerance and each fault of spec hl7v2.md §5.1, on bytes wrapped by hand."""

import time
import tracemalloc
from collections.abc import Iterable

import pytest

from gateway.hl7v2 import (
    Event,
    Frame,
    Framer,
    FramerOptions,
    Junk,
    TooLarge,
    Truncated,
    TruncationReason,
    wrap,
)

VT, FS = b"\x0b", b"\x1c"
A = Frame(payload=b"MSH|a")
B = Frame(payload=b"MSH|b")

CASES: list[tuple[str, bytes, tuple[Event, ...]]] = [
    ("one frame", b"\x0bMSH|a\x1c\r", (A,)),
    ("two frames in one packet", b"\x0bMSH|a\x1c\r\x0bMSH|b\x1c\r", (A, B)),
    ("end without carriage return", b"\x0bMSH|a\x1c\x0bMSH|b\x1c", (A, B)),
    ("line feed behind the end", b"\x0bMSH|a\x1c\n\x0bMSH|b\x1c\r\n", (A, B)),
    ("blanks, line ends and NULs before the start", b"\r\n \t\x00\x00\x0bMSH|a\x1c\r", (A,)),
    ("repeated start", b"\x0b\x0b\x0bMSH|a\x1c\r", (A,)),
    ("line ends inside the payload", b"\x0bMSH|\r\nPID\x1c\r", (Frame(payload=b"MSH|\r\nPID"),)),
    ("empty frame", b"\x0b\x1c\r", (Frame(payload=b""),)),
    ("commit byte of MLLP R2", b"\x0b\x06\x1c\r", (Frame(payload=b"\x06"),)),
    ("bytes between frames", b"\x0bMSH|a\x1c\rnoise\x0bMSH|b\x1c\r", (A, Junk(count=5), B)),
    ("end byte outside a frame", b"\x1c\r\x0bMSH|a\x1c\r", (Junk(count=1), A)),
    (
        "start inside a frame: the partial is dropped, the next one taken",
        b"\x0bMSH|lost\x0bMSH|a\x1c\r",
        (Truncated(count=8, reason=TruncationReason.RESTARTED), A),
    ),
    (
        "bytes before a partial frame are told before it, in whatever packets",
        b"noise\x0bMSH|lost\x0bMSH|a\x1c\rmore\x0bMSH|ha",
        (
            Junk(count=5),
            Truncated(count=8, reason=TruncationReason.RESTARTED),
            A,
            Junk(count=4),
            Truncated(count=6, reason=TruncationReason.STREAM_ENDED),
        ),
    ),
    (
        "stream ends inside a frame",
        b"\x0bMSH|a\x1c\r\x0bMSH|ha",
        (A, Truncated(count=6, reason=TruncationReason.STREAM_ENDED)),
    ),
    (
        "frame above the limit: skipped to its end, then on",
        b"\x0b" + b"M" * 30 + b"\x1c\r\x0bMSH|a\x1c\r",
        (TooLarge(size=30, head=b"M" * 20), A),
    ),
    (
        "start inside a frame above the limit",
        b"\x0b" + b"M" * 30 + b"\x0bMSH|a\x1c\r",
        (Truncated(count=30, reason=TruncationReason.RESTARTED), A),
    ),
    (
        "stream ends inside a frame above the limit",
        b"\x0b" + b"M" * 30,
        (Truncated(count=30, reason=TruncationReason.STREAM_ENDED),),
    ),
    ("frame just at the limit", b"\x0b" + b"M" * 20 + b"\x1c", (Frame(payload=b"M" * 20),)),
    ("TLS hello on the plain port", b"\x16\x03\x01\x02", (Junk(count=4),)),
]


def heard(stream: bytes, size: int, options: FramerOptions | None = None) -> tuple[Event, ...]:
    """Events of `stream` in packets of `size`; runs of junk added up."""
    framer = Framer(20, options=options)
    events: list[Event] = []
    packets = [stream[n : n + size] for n in range(0, len(stream), size)]
    for told in (*(framer.receive(packet) for packet in packets), framer.end()):
        for event in told:
            if isinstance(event, Junk) and events and isinstance(events[-1], Junk):
                event = Junk(count=events.pop().count + event.count)  # type: ignore[attr-defined]
            events.append(event)
    assert not framer.inside
    assert framer.buffered == 0
    return tuple(events)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(("stream", "events"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.req("REQ-02")
def test_stream_is_framed(stream: bytes, events: tuple[Event, ...], size: int) -> None:
    assert heard(stream, size) == events


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"MSH|a\x1c\rMSH|b\x1c\r", (A, B)),
        (b"noise MMSMSH|a\x1c\r", (Junk(count=8), A)),
        (b"\x0bMSH|a\x1c\rMSH|b\x1c", (A, B)),
        (b"MS", (Junk(count=2),)),
        (b"M\x0bMSH|a\x1c", (Junk(count=1), A)),
    ],
)
def test_missing_start_is_taken_from_a_peer_that_may(
    stream: bytes, events: tuple[Event, ...], size: int
) -> None:
    assert heard(stream, size, FramerOptions(missing_start=True)) == events


def test_missing_start_is_junk_by_default() -> None:
    assert heard(b"MSH|a\x1c\r", 1000) == (Junk(count=6),)


def test_state_is_visible() -> None:
    framer = Framer(20)
    assert (framer.inside, framer.buffered) == (False, 0)
    framer.receive(b"\x0bMSH|")
    assert (framer.inside, framer.buffered) == (True, 4)
    framer.receive(b"M" * 30)
    assert framer.inside
    assert framer.buffered == 20  # the head only
    framer.receive(FS)
    assert (framer.inside, framer.buffered) == (False, 0)


def test_frame_above_the_limit_keeps_its_header_for_the_answer() -> None:
    framer = Framer(10_000)
    head = b"MSH|^~\\&|RIS||||||ORU^R01|42|P|2.5\r"
    framer.receive(VT + head)
    for _ in range(50):
        framer.receive(b"x" * 1000)
    (event,) = framer.receive(FS)
    assert isinstance(event, TooLarge)
    assert event.size == len(head) + 50_000
    assert event.head.startswith(head)
    assert len(event.head) == 4096


def test_frame_above_the_limit_is_not_held_in_memory() -> None:
    framer, packet = Framer(1_000_000), b"x" * 65_536
    framer.receive(VT)
    tracemalloc.start()
    for _ in range(800):  # 52 MB
        framer.receive(packet)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("stream", "size"),
    [
        (VT + b"x" * 20_000_000 + FS, 65_536),
        (VT + b"x" * 300_000 + FS, 1),
        (VT * 600_000, 600_000),
        ((VT + FS) * 100_000 + b"x" * 1_000_000, 1_200_000),
        (FS * 600_000, 600_000),
    ],
    ids=["large frame", "single bytes", "starts only", "empty frames", "ends only"],
)
def test_work_grows_with_the_bytes_only(stream: bytes, size: int) -> None:
    framer, started = Framer(50_000_000), time.process_time()
    for position in range(0, len(stream), size):
        framer.receive(stream[position : position + size])
    assert time.process_time() - started < 8  # quadratic work needs more for each of these


def test_payload_is_wrapped() -> None:
    assert wrap(b"MSH|a") == b"\x0bMSH|a\x1c\x0d"


@pytest.mark.parametrize("payload", [b"a\x0bb", b"a\x1cb"])
def test_payload_that_no_frame_can_carry_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be framed"):
        wrap(payload)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"\x0bMSH|a\x1c\r",),
        (b"\x0b\x1c\r",),
        (b"\x0bMSH|above the limit\x1c\r",),
        (b"\x0bMSH\x1cj\x1c\r",),
        (b"\x0bMSH|a\x0bMSH|b\x1c\r",),
        (b"\x0bMSH|a\x1c\r\x0bMSH|b\x1c\r",),
        (b"M", b"\x0bMSH|a\x1c\r"),
        (b"\x0bMSH|", b"\x0bMSH|a\x1c\r"),
    ],
)
@pytest.mark.parametrize("missing_start", [False, True])
def test_a_frame_in_one_piece_says_what_its_bytes_say_one_by_one(
    pieces: tuple[bytes, ...], missing_start: bool
) -> None:
    def told(parts: Iterable[bytes]) -> list[Event]:
        framer = Framer(8, options=FramerOptions(missing_start=missing_start))
        events = [event for part in parts for event in framer.receive(part)]
        return joined([*events, *framer.end()])

    def joined(events: list[Event]) -> list[Event]:
        """One run of junk may be told in several events."""
        runs: list[Event] = []
        for event in events:
            if isinstance(event, Junk) and runs and isinstance(runs[-1], Junk):
                event = Junk(count=runs.pop().count + event.count)
            runs.append(event)
        return runs

    assert told(pieces) == told(bytes([one]) for piece in pieces for one in piece)
