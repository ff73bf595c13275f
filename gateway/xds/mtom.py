"""multipart/related for MTOM (RFC 2387, XOP 1.0), without I/O: writer and reader.

The writer is deterministic: boundary and content ids are handed in, and a boundary that occurs in a part is
refused.
"""

import re
from collections.abc import Iterable, Iterator

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


class Multipart(Value):
    """A multipart read whole; `root` is the part that `start` names, else the first."""

    root: Part
    parts: tuple[Part, ...]


_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s;"]*))', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """Media type in lower case and its parameters (names in lower case, values unquoted; RFC 2045 §5.1)."""
    named = {
        found[1].lower(): found[3] if found[2] is None else _ESCAPED.sub(r"\1", found[2])
        for found in _PARAMETER.finditer(content_type)
    }
    return content_type.partition(";")[0].strip().lower(), named


def read(content_type: str, body: bytes) -> Multipart:
    """All parts of a multipart/related body. Raises MultipartError."""
    kind, named = parameters(content_type)
    if not kind.startswith("multipart/") or not named.get("boundary"):
        raise MultipartError("the Content-Type announces no multipart with a boundary")
    try:
        boundary = named["boundary"].encode("ascii")
    except UnicodeEncodeError:
        raise MultipartError("the boundary is not ASCII") from None
    parts = tuple(_parts(body, boundary))
    if not parts:
        raise MultipartError("the multipart has no part")
    start = named.get("start", "").strip("<> ")
    root = next((item for item in parts if start and item.content_id == start), parts[0])
    return Multipart(root=root, parts=parts)


def _parts(body: bytes, boundary: bytes) -> Iterator[Part]:
    # A line break is put before the first byte so that a boundary at the very start is found, too.
    data, mark = b"\r\n" + body, b"\r\n--" + boundary
    at = _find(data, mark, 0)
    while not data.startswith(b"--", at + len(mark)):
        line_end = _find(data, b"\r\n", at + len(mark))
        if data[at + len(mark) : line_end].strip(b" \t"):
            raise MultipartError("text after a boundary")
        # From that line break on: a part without headers has its blank line right here.
        head_end = data.find(b"\r\n\r\n", line_end, line_end + _MAX_HEADER)
        if head_end < 0:
            raise MultipartError("the headers of a part never end")
        headers = _read_headers(data[line_end:head_end])
        # From the second line break on: an empty part is followed by its boundary at once.
        at = _find(data, mark, head_end + 2)
        yield Part(headers=headers, data=data[head_end + 4 : at])


def _find(data: bytes, wanted: bytes, begin: int) -> int:
    at = data.find(wanted, begin)
    if at < 0:
        raise MultipartError("the multipart ends before its closing boundary")
    return at


def _read_headers(block: bytes) -> tuple[tuple[str, str], ...]:
    text = re.sub(r"\r\n[ \t]+", " ", block.decode("utf-8", "replace")).strip("\r\n")
    lines = [line for line in text.split("\r\n") if line]
    if any(":" not in line for line in lines):
        raise MultipartError("a line of a part's headers has no name")
    return tuple(
        (name.strip().lower(), value.strip()) for name, value in (line.split(":", 1) for line in lines)
    )
