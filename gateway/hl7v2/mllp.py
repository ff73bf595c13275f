"""MLLP framing as a state machine: bytes in, frozen events out; no socket (spec hl7v2.md §5.1).

    <VT 0x0B> payload <FS 0x1C> <CR 0x0D>

A payload holds neither VT nor FS, so one byte decides. A frame ends at FS: the CR behind it, when it comes,
is padding like all blanks, line ends and NULs between frames. That one reading gives the tolerances at
once: FS without CR, LF after FS, CRLF or NUL before VT, FS and CR in two packets, several frames in one.

    state      on VT                       on FS
    OUTSIDE    a frame begins              stray byte
    INSIDE     cut off: begin anew         the frame is complete
    SKIPPING   cut off: begin anew         end of a frame above the limit

What a second VT cuts off is dropped and told; what follows it is a frame of its own, which the reader
refuses unless it is a message. Work is linear in the bytes, whatever the size of the chunks.
"""

from enum import Enum, StrEnum

from gateway.model.base import Value

VT, FS, CR = 0x0B, 0x1C, 0x0D
_START, _END, _END_CR = bytes([VT]), bytes([FS]), bytes([FS, CR])
_PADDING = b" \t\r\n\x00"
_HEAD = 4096
"""Bytes kept of a frame above the limit: enough for MSH, so that its sender can be answered by name."""
_HEADER = b"MSH"


class TruncationReason(StrEnum):
    RESTARTED = "a start byte inside the frame"
    STREAM_ENDED = "the stream ended inside the frame"


class Event(Value):
    """What the framer says of the stream."""


class Frame(Event):
    """A complete frame."""

    payload: bytes


class Junk(Event):
    """`count` bytes between frames that are no padding. One run may be told in several events."""

    count: int


class Truncated(Event):
    """`count` bytes of a frame that never ended: dropped, never to be acknowledged."""

    count: int
    reason: TruncationReason


class TooLarge(Event):
    """A frame of `size` bytes passed, above the limit; only its first bytes, `head`, were kept."""

    size: int
    head: bytes = b""


class FramerOptions(Value):
    """Deviations allowed to one peer beyond the tolerances that all peers have.

    `missing_start`: a message may begin without VT, at its `MSH`.
    """

    missing_start: bool = False


class _State(Enum):
    OUTSIDE = 0
    INSIDE = 1
    SKIPPING = 2


class Framer:
    """Feed it what the socket gives; it never raises and holds at most `limit` bytes of payload."""

    def __init__(self, limit: int, *, options: FramerOptions | None = None) -> None:
        self._limit, self._options = limit, options or FramerOptions()
        self._state = _State.OUTSIDE
        self._buffer = bytearray()
        self._size = 0
        """Payload bytes of the frame under way."""
        self._junk = 0
        self._events: list[Event] = []
        self._maybe = b""
        """`M` or `MS` at the end of the last chunk, which may become a header (missing_start only)."""

    @property
    def inside(self) -> bool:
        """A frame has begun and has not ended: the inter-byte timeout applies."""
        return self._state is not _State.OUTSIDE

    @property
    def buffered(self) -> int:
        """Bytes held in memory."""
        return len(self._buffer) + len(self._maybe)

    @property
    def size(self) -> int:
        """Payload bytes so far of the frame under way, kept or not; 0 outside a frame."""
        return self._size

    @property
    def head(self) -> bytes:
        """The first bytes of the frame under way, as `TooLarge.head` gives them."""
        return bytes(self._buffer[:_HEAD])

    def receive(self, data: bytes) -> tuple[Event, ...]:
        """The events that `data`, the next bytes of the stream, completes."""
        if self._state is _State.OUTSIDE and data.endswith(_END_CR) and self._is_whole(data):
            return (Frame(payload=data[1:-2]),)
        data = self._maybe + data
        self._maybe = b""
        start = end = -1
        position, length = 0, len(data)
        while position < length:
            # Either mark is searched only once past the last one found: the whole chunk is read once.
            if start < position:
                start = _find(data, _START, position)
            if end < position:
                end = _find(data, _END, position)
            mark = min(start, end)
            if self._options.missing_start and self._state is _State.OUTSIDE:
                position = self._hunt(data, position, mark)
            else:
                self._take(data, position, mark)
                position = mark
            if position == mark < length:
                _TRANSITIONS[self._state, data[mark]](self)
                position += 1
        return self._told()

    def end(self) -> tuple[Event, ...]:
        """The events at the end of the stream. The framer may then be used for another one."""
        self._junk += len(self._maybe)
        self._maybe = b""
        if self._state is not _State.OUTSIDE:
            self._tell_junk()
            self._events.append(Truncated(count=self._size, reason=TruncationReason.STREAM_ENDED))
            self._reset(_State.OUTSIDE)
        return self._told()

    def _is_whole(self, data: bytes) -> bool:
        """Outside: `data` is one frame and nothing else, as nearly always. Then no state changes."""
        return (
            data.startswith(_START)
            and data.find(_END) == len(data) - 2
            and data.find(_START, 1) < 0
            and len(data) - 3 <= self._limit
            and not self._maybe
        )

    # --- what the bytes between two marks mean

    def _take(self, data: bytes, start: int, stop: int) -> None:
        if self._state is _State.OUTSIDE:
            self._junk += len(data[start:stop].translate(None, _PADDING))
            return
        self._size += stop - start
        if self._size > self._limit:
            if self._state is _State.INSIDE:
                self._state = _State.SKIPPING
                kept = min(self._limit, _HEAD)
                self._buffer = (self._buffer[:kept] + data[start : min(stop, start + kept)])[:kept]
        else:
            self._buffer += data if stop - start == len(data) else memoryview(data)[start:stop]

    def _hunt(self, data: bytes, position: int, mark: int) -> int:
        """Outside, for a peer that omits VT: open a frame at `MSH`; returns where to go on."""
        header = data.find(_HEADER, position, mark)
        if header >= 0:
            self._take(data, position, header)
            self._open()
            return header
        stop = mark
        if mark == len(data):
            kept = next((n for n in (2, 1) if data.endswith(_HEADER[:n], position)), 0)
            self._maybe = data[mark - kept : mark]
            stop = mark - kept
        self._take(data, position, stop)
        return mark

    # --- transitions

    def _open(self) -> None:
        self._reset(_State.INSIDE)

    def _stray(self) -> None:
        self._junk += 1

    def _restart(self) -> None:
        if self._size:  # a VT right behind a VT is a repeated start byte, harmless
            self._tell_junk()
            self._events.append(Truncated(count=self._size, reason=TruncationReason.RESTARTED))
        self._reset(_State.INSIDE)

    def _complete(self) -> None:
        self._tell_junk()
        self._events.append(Frame(payload=bytes(self._buffer)))
        self._reset(_State.OUTSIDE)

    def _skipped(self) -> None:
        self._tell_junk()
        self._events.append(TooLarge(size=self._size, head=bytes(self._buffer)))
        self._reset(_State.OUTSIDE)

    def _reset(self, state: _State) -> None:
        self._state, self._size = state, 0
        self._buffer = bytearray()  # a new one: clearing would keep the memory of a large frame

    # --- telling

    def _tell_junk(self) -> None:
        if self._junk:
            self._events.append(Junk(count=self._junk))
            self._junk = 0

    def _told(self) -> tuple[Event, ...]:
        self._tell_junk()
        events, self._events = tuple(self._events), []
        return events


_TRANSITIONS = {
    (_State.OUTSIDE, VT): Framer._open,
    (_State.OUTSIDE, FS): Framer._stray,
    (_State.INSIDE, VT): Framer._restart,
    (_State.INSIDE, FS): Framer._complete,
    (_State.SKIPPING, VT): Framer._restart,
    (_State.SKIPPING, FS): Framer._skipped,
}


def _find(data: bytes, mark: bytes, position: int) -> int:
    found = data.find(mark, position)
    return found if found >= 0 else len(data)


def wrap(payload: bytes) -> bytes:
    """`payload` as a frame; raises ValueError when it holds VT or FS, which no frame can carry."""
    if _START in payload or _END in payload:
        raise ValueError("a payload with VT or FS cannot be framed")
    return b"%b%b%b\r" % (_START, payload, _END)
