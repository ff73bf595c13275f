"""multipart/related for MTOM (RFC 2387, XOP 1.0), without I/O: writer, incremental reader, whole reader.

The writer is deterministic: boundary and content ids are handed in, and a boundary that occurs in a part is
refused. The reader takes bytes in any pieces and never holds more than one piece and a boundary.
"""

import re
from collections.abc import Iterable, Iterator
from email.message import Message
from typing import Protocol

from gateway.model.base import Value

XOP_XML = "application/xop+xml"
_MAX_HEADER = 16 * 1024


class Part(Value):
    """One part: header names in lower case; `content_id` without angle brackets."""

    headers: tuple[tuple[str, str], ...]
    data: bytes

    @property
    def content_type(self) -> str:
        return dict(self.headers).get("content-type", "")

    @property
    def content_id(self) -> str:
        return dict(self.headers).get("content-id", "").strip("<> ")


class MultipartError(ValueError):
    """The bytes are not the multipart that their Content-Type announces."""


# ---------------------------------------------------------------- writing


def part(content_id: str, content_type: str, data: bytes) -> Part:
    """A binary part as MTOM wants it."""
    return Part(
        headers=(
            ("content-type", content_type),
            ("content-transfer-encoding", "binary"),
            ("content-id", f"<{content_id}>"),
        ),
        data=data,
    )


def write(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    """The body in pieces (`b"".join` or stream them). Raises ValueError when a part holds the boundary."""
    delimiter = b"--" + boundary.encode("ascii")
    for item in parts:
        if delimiter in item.data:
            raise ValueError("the boundary occurs inside a part: choose another one")
        head = "".join(f"{_title(name)}: {value}\r\n" for name, value in item.headers)
        yield delimiter + b"\r\n" + head.encode("utf-8") + b"\r\n"
        yield item.data
        yield b"\r\n"
    yield delimiter + b"--\r\n"


def _title(name: str) -> str:
    return "Content-ID" if name == "content-id" else name.title()


# ---------------------------------------------------------------- reading


class PartBegin(Value):
    headers: tuple[tuple[str, str], ...]


class PartData(Value):
    data: bytes


class PartEnd(Value):
    pass


Event = PartBegin | PartData | PartEnd


class _Step(Protocol):
    def __call__(self) -> tuple[Event, ...] | None: ...


class Reader:
    """State machine: `feed` pieces, get events; `finish` raises when the closing boundary never came.

    States: preamble → headers → data → (headers | epilogue).
    """

    def __init__(self, boundary: str) -> None:
        self._mark = b"\r\n--" + boundary.encode("ascii")
        # A line break is put before the first byte so that a boundary at the very start is found, too.
        self._buffer = bytearray(b"\r\n")
        self._step: _Step = self._preamble
        self.finished = False

    def feed(self, piece: bytes) -> tuple[Event, ...]:
        """Events that `piece` completes, in order. Raises MultipartError."""
        if self.finished:
            return ()
        self._buffer += piece
        events: list[Event] = []
        while not self.finished and (made := self._step()) is not None:
            events += made
        return tuple(events)

    def finish(self) -> None:
        """Say that no more bytes come. Raises MultipartError for a multipart that was cut off."""
        if not self.finished:
            raise MultipartError("the multipart ends before its closing boundary")

    def _preamble(self) -> tuple[Event, ...] | None:
        at = self._buffer.find(self._mark)
        if at < 0:
            self._keep_tail()
            return None
        return self._delimiter(at, ())

    def _delimiter(self, at: int, before: tuple[Event, ...]) -> tuple[Event, ...] | None:
        """The boundary stands at `at`: end of the multipart, or one more part."""
        after = at + len(self._mark)
        line_end = self._buffer.find(b"\r\n", after)
        if self._buffer[after : after + 2] == b"--":
            self.finished = True
            self._buffer.clear()
            return before
        if line_end < 0:
            if len(self._buffer) - after > _MAX_HEADER:
                raise MultipartError("a boundary line never ends")
            return None
        if self._buffer[after:line_end].strip(b" \t"):
            raise MultipartError("text after a boundary")
        # Leave the line break: a part without headers has its blank line right here.
        del self._buffer[:line_end]
        self._step = self._headers
        return before

    def _headers(self) -> tuple[Event, ...] | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEADER:
                raise MultipartError("the headers of a part never end")
            return None
        headers = _read_headers(bytes(self._buffer[:end]))
        # Leave a line break again: an empty part is followed by its boundary at once.
        del self._buffer[: end + 2]
        self._step = self._first_data
        return (PartBegin(headers=headers),)

    def _first_data(self) -> tuple[Event, ...] | None:
        if self._buffer.startswith(self._mark):
            return self._end_of_part(0)
        if len(self._buffer) < len(self._mark) and self._mark.startswith(bytes(self._buffer)):
            return None
        del self._buffer[:2]
        self._step = self._data
        return ()

    def _data(self) -> tuple[Event, ...] | None:
        at = self._buffer.find(self._mark)
        if at > 0:
            data = bytes(self._buffer[:at])
            del self._buffer[:at]
            return (PartData(data=data),)
        if at == 0:
            return self._end_of_part(0)
        if data := self._keep_tail():
            return (PartData(data=data),)
        return None

    def _end_of_part(self, at: int) -> tuple[Event, ...] | None:
        return self._delimiter(at, (PartEnd(),))

    def _keep_tail(self) -> bytes:
        """Give out what cannot be the start of a boundary."""
        spare = len(self._buffer) - len(self._mark) + 1
        if spare <= 0:
            return b""
        data = bytes(self._buffer[:spare])
        del self._buffer[:spare]
        return data


def _read_headers(block: bytes) -> tuple[tuple[str, str], ...]:
    text = re.sub(r"\r\n[ \t]+", " ", block.decode("utf-8", "replace")).strip("\r\n")
    lines = [line for line in text.split("\r\n") if line]
    if any(":" not in line for line in lines):
        raise MultipartError("a line of a part's headers has no name")
    return tuple(
        (name.strip().lower(), value.strip()) for name, value in (line.split(":", 1) for line in lines)
    )


class Multipart(Value):
    """A multipart read whole; `root` is the part that `start` names, else the first."""

    root: Part
    parts: tuple[Part, ...]


def parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """Media type in lower case and its parameters (names in lower case, values unquoted)."""
    message = Message()
    message["content-type"] = content_type.replace("\r", " ").replace("\n", " ")
    found = message.get_params(unquote=True) or [("", "")]
    return found[0][0].strip().lower(), {name.lower(): value for name, value in found[1:]}


def read(content_type: str, body: bytes) -> Multipart:
    """All parts of a multipart/related body. Raises MultipartError."""
    kind, named = parameters(content_type)
    if not kind.startswith("multipart/") or not named.get("boundary"):
        raise MultipartError("the Content-Type announces no multipart with a boundary")
    try:
        reader = Reader(named["boundary"])
    except UnicodeEncodeError:
        raise MultipartError("the boundary is not ASCII") from None
    parts: list[Part] = []
    data = bytearray()
    headers: tuple[tuple[str, str], ...] = ()
    for event in reader.feed(body):
        match event:
            case PartBegin():
                headers = event.headers
            case PartData():
                data += event.data
            case PartEnd():
                parts.append(Part(headers=headers, data=bytes(data)))
                data.clear()
    reader.finish()
    if not parts:
        raise MultipartError("the multipart has no part")
    start = named.get("start", "").strip("<> ")
    root = next((item for item in parts if start and item.content_id == start), parts[0])
    return Multipart(root=root, parts=tuple(parts))
