"""Taking a mail apart (RFC 2045, 2046): heads by the email package, bodies as they lie in the bytes.

The package's own parser goes through a mail line by line, and a mail with its documents has more than a
thousand: it took half of the simulated operator's time.
"""

import quopri
import re
from binascii import Error, a2b_base64
from collections.abc import Iterator
from email import policy
from email.message import Message
from email.parser import BytesParser
from typing import NamedTuple

_BLANK = re.compile(rb"\r?\n\r?\n")
_LINE_FEED, _CARRIAGE_RETURN = b"\n\r"
_MOST_DEEP = 10
"""Multiparts inside each other."""


class Part(NamedTuple):
    """One entity: its header fields, its media type, and its body as it was sent."""

    head: Message
    kind: str
    body: bytes

    def content(self) -> bytes:
        """The body decoded; b"" for a Base64 that is none."""
        encoding = str(self.head.get("Content-Transfer-Encoding", "")).strip().lower()
        if encoding == "quoted-printable":
            return quopri.decodestring(self.body)
        if encoding != "base64":
            return self.body
        try:
            return a2b_base64(self.body)
        except Error:
            return b""


def entity(data: bytes) -> Part:
    """The header fields of `data`, and what stands behind the first blank line."""
    blank = _BLANK.search(data)
    end, begin = (blank.start(), blank.end()) if blank else (len(data), len(data))
    if data.startswith((b"\r\n", b"\n")):  # no header field at all
        end, begin = 0, data.index(b"\n") + 1
    # The older API of the package takes a quarter of the time, and a load test sends many mails.
    head = BytesParser(policy=policy.compat32).parsebytes(data[:end], headersonly=True)
    return Part(head, head.get_content_type(), data[begin:])


def leaves(whole: Part, depth: int = 0) -> Iterator[Part]:
    """The entities that hold something themselves, in their order."""
    boundary = whole.head.get_boundary() if whole.kind.startswith("multipart/") else None
    if boundary is None or depth == _MOST_DEEP:
        yield whole
        return
    for piece in _pieces(whole.body, boundary.encode("ascii", "surrogateescape")):
        yield from leaves(entity(piece), depth + 1)


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """Between delimiter lines; the line break before a delimiter belongs to it (RFC 2046 §5.1.1)."""
    mark = b"--" + boundary
    begin, place = -1, 0
    while (found := body.find(mark, place)) >= 0:
        place = found + len(mark)
        line = body.find(b"\n", place) + 1 or len(body)
        rest = body[place:line].strip()
        if (found and body[found - 1] != _LINE_FEED) or rest not in (b"", b"--"):
            continue
        if begin >= 0:
            yield body[begin : _before_break(body, found, begin)]
        if rest:
            return
        begin = place = line
    if begin >= 0:  # cut short: what there is
        yield body[begin:]


def _before_break(body: bytes, end: int, begin: int) -> int:
    """Where a piece ends whose delimiter begins at `end`."""
    end = max(begin, end - 1)
    return end - 1 if end > begin and body[end - 1] == _CARRIAGE_RETURN else end
