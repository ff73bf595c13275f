"""A TrueType font for text that is found, marked and copied but never painted; written from nothing.

Two glyphs: an empty .notdef, and a box that stands for every character, so that readers know how much room a
word takes. ISO/IEC 14496-22 (OpenType) tables.
"""

import struct
from functools import cache

UNITS = 1000
"""Of the em; the advance of a character is half of it."""
ADVANCE = 500
ASCENT, DESCENT = 800, -200


@cache
def blank() -> bytes:
    """The font file."""
    glyph = _box()
    tables = {
        b"cmap": _cmap(),
        b"glyf": glyph,
        b"head": struct.pack(
            ">IIIIHHqqhhhhHHhhh",
            0x00010000,
            0x00010000,
            0,
            0x5F0F3CF5,
            0,
            UNITS,
            0,
            0,
            0,
            DESCENT,
            ADVANCE,
            ASCENT,
            0,
            8,
            2,
            0,
            0,
        ),
        b"hhea": struct.pack(
            ">IhhhHhhhhhhhhhhhH",
            0x00010000,
            ASCENT,
            DESCENT,
            0,
            ADVANCE,
            0,
            0,
            ADVANCE,
            1,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            2,
        ),
        b"hmtx": struct.pack(">HhHh", ADVANCE, 0, ADVANCE, 0),
        b"loca": struct.pack(">HHH", 0, 0, len(glyph) // 2),
        b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x00010000, 2, 4, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0),
        b"name": struct.pack(">HHH", 0, 0, 6),
        b"post": struct.pack(">IIhhIIIII", 0x00030000, 0, 0, 0, 1, 0, 0, 0, 0),
    }
    return _file(tables)


def _box() -> bytes:
    """One contour of four points, each with whole coordinates relative to the one before."""
    head = struct.pack(">hhhhh", 1, 0, DESCENT, ADVANCE, ASCENT)
    height = ASCENT - DESCENT
    xs, ys = (0, 0, ADVANCE, 0), (DESCENT, height, 0, -height)
    outline = struct.pack(">HH4B4h4h", 3, 0, 1, 1, 1, 1, *xs, *ys)
    return head + outline


def _cmap() -> bytes:
    """Format 4 with its closing segment only: PDF goes by glyph number."""
    closing = struct.pack(">HHHHHHH", 2, 2, 0, 0, 0xFFFF, 0, 0xFFFF) + struct.pack(">HH", 1, 0)
    subtable = struct.pack(">HHH", 4, 6 + len(closing), 0) + closing
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + subtable


def _file(tables: dict[bytes, bytes]) -> bytes:
    """Directory and tables, with their checksums; `head` gets that of the whole."""
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    head = struct.pack(">IHHHH", 0x00010000, count, 16 * power, power.bit_length() - 1, 16 * (count - power))
    place, directory, body = 12 + 16 * count, b"", b""
    where = 0
    for tag, data in sorted(tables.items()):
        if tag == b"head":
            where = place + len(body)
        directory += struct.pack(">4sIII", tag, _sum(data), place + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    whole = head + directory + body
    adjustment = (0xB1B0AFBA - _sum(whole)) & 0xFFFFFFFF
    return whole[: where + 8] + struct.pack(">I", adjustment) + whole[where + 12 :]


def _sum(data: bytes) -> int:
    padded = data + b"\0" * (-len(data) % 4)
    total: int = sum(struct.unpack(f">{len(padded) // 4}I", padded))
    return total & 0xFFFFFFFF
