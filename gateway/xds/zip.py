"""Zip archives (PKWARE APPNOTE 6.3, §4.3): every member deflated, nothing else of the format.

The standard library's `zipfile` costs as much as all that it does not deflate, and deflates with zlib only:
ISA-L takes an eighth of the time for the Base64 of a CDA, at the same size (measured).
"""

import struct
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.model.base import Value

if TYPE_CHECKING:
    from zlib import compressobj, crc32
else:
    try:
        from isal.isal_zlib import compressobj, crc32
    except ImportError:  # a processor without ISA-L: the same format, other bytes
        from zlib import compressobj, crc32

_LEVEL = 1
"""The PDF inside a CDA is Base64 of deflated data: more effort gains nothing."""
_PIECE = 1 << 18
_RAW = -15
"""Window bits of a deflate stream without a header of its own."""
_VERSION, _DEFLATED, _MS_DOS_FILE = 20, 8, 0x20
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_FIRST_YEAR = 1980


class Member(Value):
    """A file of an archive, deflated: `packed` holds `size` bytes with this CRC-32. `name` is ASCII."""

    name: str
    packed: bytes
    size: int
    crc: int


def member(name: str, data: bytes) -> Member:
    """`data` deflated; in pieces, since ISA-L asks for half as much memory again for a large one at once."""
    stream = compressobj(_LEVEL, _DEFLATED, _RAW)
    pieces = [stream.compress(data[at : at + _PIECE]) for at in range(0, len(data), _PIECE)]
    packed = b"".join((*pieces, stream.flush()))
    return Member(name=name, packed=packed, size=len(data), crc=crc32(data))


def archive(members: Iterable[Member], when: datetime) -> bytes:
    """The zip of `members`, all dated `when` (its local fields: zip knows no offset, no year before 1980, and
    counts in steps of two seconds). Made by MS-DOS, plain files: the bytes depend on no machine's umask.

    Below 4 GiB, as every mail is.
    """
    time, date = _dos(when)
    out: list[bytes] = []
    directory: list[bytes] = []
    at = 0
    for one in members:
        name = one.name.encode("ascii")
        same = (0, _DEFLATED, time, date, one.crc, len(one.packed), one.size, len(name), 0)
        out += (_LOCAL.pack(b"PK\3\4", _VERSION, *same), name, one.packed)
        directory += (_CENTRAL.pack(b"PK\1\2", _VERSION, _VERSION, *same, 0, 0, 0, _MS_DOS_FILE, at), name)
        at += _LOCAL.size + len(name) + len(one.packed)
    count, length = len(directory) // 2, sum(map(len, directory))
    return b"".join((*out, *directory, _END.pack(b"PK\5\6", 0, 0, count, count, length, at, 0)))


def _dos(when: datetime) -> tuple[int, int]:
    """(time, date) of MS-DOS (APPNOTE §4.4.6)."""
    date = (max(when.year, _FIRST_YEAR) - _FIRST_YEAR) << 9 | when.month << 5 | when.day
    return when.hour << 11 | when.minute << 5 | when.second // 2, date
