"""The sRGB colour space as an ICC profile (version 2, matrix and curve), computed from IEC 61966-2-1."""

import struct
from functools import cache

_WHITE = (0.9642, 1.0, 0.8249)
"""D50, the profile connection space (ICC.1:2001-04 §7.2)."""
_PRIMARIES = {
    b"rXYZ": (0.4360, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7139),
}
"""Of sRGB, adapted to D50 with the Bradford matrix."""
_SAMPLES = 1024


@cache
def srgb() -> bytes:
    """The profile file."""
    curve = struct.pack(">4sII", b"curv", 0, _SAMPLES) + b"".join(
        struct.pack(">H", round(65535 * _linear(at / (_SAMPLES - 1)))) for at in range(_SAMPLES)
    )
    tags: dict[bytes, bytes] = {
        b"desc": _description(b"sRGB"),
        b"cprt": b"text\0\0\0\0No copyright\0",
        b"wtpt": _xyz(_WHITE),
        **{name: _xyz(value) for name, value in _PRIMARIES.items()},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    return _file(tags)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _fixed(value: float) -> int:
    return round(value * 65536)


def _xyz(value: tuple[float, float, float]) -> bytes:
    return struct.pack(">4sIiii", b"XYZ ", 0, *map(_fixed, value))


def _description(text: bytes) -> bytes:
    """textDescriptionType: ASCII, no Unicode, no ScriptCode part."""
    ascii_part = struct.pack(">4sII", b"desc", 0, len(text) + 1) + text + b"\0"
    return ascii_part + struct.pack(">IIHB", 0, 0, 0, 0) + b"\0" * 67


def _file(tags: dict[bytes, bytes]) -> bytes:
    place = 128 + 4 + 12 * len(tags)
    table, body, known = struct.pack(">I", len(tags)), b"", dict[bytes, int]()
    for name, data in tags.items():
        if data not in known:
            known[data] = place + len(body)
            body += data + b"\0" * (-len(data) % 4)
        table += struct.pack(">4sII", name, known[data], len(data))
    date = struct.pack(">HHHHHH", 2000, 1, 1, 0, 0, 0)
    header = struct.pack(">I4sI4s4s4s", place + len(body), b"\0\0\0\0", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += date + b"acsp" + b"\0" * 28
    header += struct.pack(">iii", *map(_fixed, _WHITE)) + b"\0" * 48
    return header + table + body
