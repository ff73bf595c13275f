"""Large Base64 contents of a document, found in its bytes: as a tree they take several times their size.

Nothing is parsed here. What is cut out consists of Base64 characters and blanks alone, between `>` and `<`,
so that the rest is as well-formed as the whole.
"""

import base64
import re
from typing import NamedTuple

LARGE = 1 << 20
"""Contents below it stay where they are."""
_KEPT = 4096
"""Characters that stand for a large content: enough to see by its first bytes what it is."""
_CONTENT = re.compile(
    rb"""representation\s*=\s*["']B64["'][^<>]*>([A-Za-z0-9+/=\s]{%d,})<""" % LARGE  # up to the end tag
)
_BLANKS = b" \t\r\n"


class Lean(NamedTuple):
    """`data` with each large content shortened; `contents`: where those stand in the whole document."""

    data: bytes
    contents: tuple[tuple[int, int], ...]


def lean(data: bytes) -> Lean:
    """A content that is no sound Base64 is left whole, for who reads it to find out."""
    if len(data) < LARGE:
        return Lean(data, ())
    spans = tuple(found.span(1) for found in _CONTENT.finditer(data) if _sound(data, *found.span(1)))
    if not spans:
        return Lean(data, ())
    pieces, position = [], 0
    for begin, end in spans:
        pieces += [data[position:begin], _head(data, begin)]
        position = end
    return Lean(b"".join((*pieces, data[position:])), spans)


def decoded(data: bytes, span: tuple[int, int]) -> bytes:
    """The bytes of a content that `lean` found."""
    packed = data[slice(*span)]
    return base64.b64decode(packed.translate(None, _BLANKS) if _blanks(packed, 0, len(packed)) else packed)


def _sound(data: bytes, begin: int, end: int) -> bool:
    """Whole groups of four, `=` at the very end only."""
    tail = data[max(begin, end - 128) : end].translate(None, _BLANKS)
    padding = len(tail) - len(tail.rstrip(b"="))
    characters = end - begin - _blanks(data, begin, end)
    return padding <= 2 and padding == data.count(b"=", begin, end) and characters % 4 == 0


def _blanks(data: bytes, begin: int, end: int) -> int:
    return sum(data.count(bytes((one,)), begin, end) for one in _BLANKS)


def _head(data: bytes, begin: int) -> bytes:
    packed = data[begin : begin + 2 * _KEPT].translate(None, _BLANKS)[:_KEPT]
    return packed[: len(packed) // 4 * 4]
