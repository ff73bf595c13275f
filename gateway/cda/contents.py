"""Large Base64 contents of a document, found in its bytes: in a tree they are copied and read several times.

Nothing is parsed here. What is cut out consists of Base64 characters and blanks alone, between `>` and `<`,
so that the rest is as well-formed as the whole.
"""

import base64
import re
from typing import Final, NamedTuple

LARGE: Final = 4096
"""Characters; contents below it stay where they are."""
SHORTENED: Final = 768
"""Bytes that a large content is cut to: enough to see what it is."""
_KEPT: Final = SHORTENED // 3 * 4
_PIECE: Final = 1 << 20
_MARK: Final = b"B64"
_START_TAG: Final = re.compile(rb"""<[^<>]*\srepresentation\s*=\s*["']B64["'][^<>]*>""")
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BLANKS: Final = b" \t\r\n"


class Lean(NamedTuple):
    """`data` with each large content shortened; `contents`: where those stand in the whole document."""

    data: bytes
    contents: tuple[tuple[int, int], ...]


def lean(data: bytes) -> Lean:
    """A content that is no sound Base64 is left whole, for who reads it to find out."""
    pieces: list[bytes] = []
    spans: list[tuple[int, int]] = []
    kept = position = 0
    while (mark := data.find(_MARK, position)) >= 0:
        tag = data.rfind(b"<", position, mark)
        position = mark + len(_MARK)
        found = _START_TAG.match(data, tag) if tag >= 0 else None
        if found is None:
            continue
        begin = position = found.end()
        end = data.find(b"<", begin)
        if end - begin >= LARGE and _sound(data, begin, end):
            pieces += (data[kept:begin], _head(data, begin, end))
            spans.append((begin, end))
            kept = position = end
    return Lean(b"".join((*pieces, data[kept:])), tuple(spans)) if spans else Lean(data, ())


def decoded(data: bytes, span: tuple[int, int]) -> bytes:
    """The bytes of a content that `lean` found; blanks are no part of them."""
    begin, end = span
    return base64.b64decode(data[begin:end])


def _sound(data: bytes, begin: int, end: int) -> bool:
    """Whole groups of four, `=` at the very end only, nothing else but blanks."""
    others = _others(data, begin, end)
    blanks = others.translate(None, b"=")
    padding = len(others) - len(blanks)
    if blanks.strip(_BLANKS) or (end - begin - len(blanks)) % 4 or padding > 2:
        return False
    return not padding or data[end - 128 : end].translate(None, _BLANKS).endswith(b"=" * padding)


def _others(data: bytes, begin: int, end: int) -> bytes:
    """What is no letter of Base64; piece by piece, so that a large content is never copied as a whole."""
    places = range(begin, end, _PIECE)
    return b"".join([data[at : min(at + _PIECE, end)].translate(None, _LETTERS) for at in places])


def _head(data: bytes, begin: int, end: int) -> bytes:
    """The first characters without blanks, however many of those lead."""
    read = 2 * _KEPT
    packed = b""
    while len(packed) < _KEPT and begin < end:
        packed += data[begin : min(begin + read, end)].translate(None, _BLANKS)
        begin += read
    return packed[:_KEPT]
