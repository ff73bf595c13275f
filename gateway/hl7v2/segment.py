"""One segment of a message: bytes as received, split into fields when the first one is asked for."""

import base64
import binascii
import re
from contextlib import suppress
from types import MappingProxyType
from typing import Final

from gateway.hl7v2.dialect import Dialect, Parts, Rows
from gateway.hl7v2.faults import Base64Error

HEADERS: Final = frozenset({"MSH", "FHS", "BHS"})
"""Segments whose first field is the field separator itself."""
LARGE: Final = 64 * 1024
"""A larger segment is kept once: as its fields, when it has been split."""
_MOST_FIELDS: Final = 1000
_MOST_PARTS: Final = 100_000
"""Bounds of one split: what lies beyond stays in the last part, so that 50 MB of delimiters do no harm."""
_NULL: Final = b'""'
_WHITESPACE: Final = b" \t\r\n\x00\x0b\x0c"
_BLANKS: Final = tuple(bytes((one,)) for one in _WHITESPACE)
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SHORT: Final = 128
"""Bytes of a field whose leaves are remembered over messages: a feed says the same again and again (codes,
authorities, professionals: two reads of three where all else differs). Longer ones are texts."""
_MOST_KNOWN: Final = 1024
"""Fields remembered of one dialect: those of a hundred messages. Four times as many save one read of 44."""
_ESCAPED_BREAKS: Final = re.compile(rb"\\(?:\.br|X(?:0[DAda])+)\\")


_UNDIVIDED: Final[Parts] = MappingProxyType({})


def part(data: bytes, delimiter: bytes, number: int) -> bytes:
    """The part `number` (from 1) of `data`, b"" when it has none."""
    if len(data) > _SHORT:  # a split would copy the document behind the part that is wanted
        return _part_of_long(data, delimiter, number)
    if delimiter and data.find(delimiter) >= 0:  # `in` asks bytes for a number first, and swallows the error
        found = data.split(delimiter, number)
        return found[number - 1] if 0 < number <= len(found) else b""
    return data if number == 1 else b""


def _part_of_long(data: bytes, delimiter: bytes, number: int) -> bytes:
    if number < 1:
        return b""
    start = 0
    for _ in range(number - 1):
        place = data.find(delimiter, start) if delimiter else -1
        if place < 0:
            return b""
        start = place + len(delimiter)
    end = data.find(delimiter, start) if delimiter else -1
    return data[start:] if end < 0 else data[start:end]


def parts(data: bytes, delimiter: bytes) -> list[bytes]:
    """All parts of `data`."""
    return data.split(delimiter, _MOST_PARTS) if delimiter else [data]


class Segment:
    """Fields, repetitions, components and subcomponents count from 1, as in the standard.

    `index` is the place in the message from 0, `number` the place among segments of the same name from 1.
    What is missing reads as "". Reading never raises, except `binary`.
    """

    __slots__ = ("_dialect", "_fields", "_leaves", "_raw", "index", "name", "number")

    def __init__(self, name: str, index: int, number: int, raw: bytes, dialect: Dialect) -> None:
        self.name, self.index, self.number = name, index, number
        self._raw, self._dialect = raw, dialect
        self._fields: list[bytes] = []
        self._leaves: dict[int, tuple[Rows, Parts]] = {}

    def __repr__(self) -> str:
        return f"<{self.location()} {self.field_count} fields>"  # never the content

    @property
    def raw(self) -> bytes:
        """The segment without its terminator (continuation lines joined)."""
        return self._raw or self._dialect.field.join(self._fields)

    def _split(self) -> list[bytes]:
        if not self._fields:
            self._fields = self._raw.split(self._dialect.field, _MOST_FIELDS)
            if self.name in HEADERS:
                self._fields.insert(1, self._dialect.field)
            elif len(self._raw) > LARGE:
                self._raw = b""
        return self._fields

    def field(self, field: int) -> bytes:
        """The whole field as received, b"" when there is none."""
        fields = self._fields or self._split()
        return fields[field] if 0 < field < len(fields) else b""

    def verbatim(self, field: int) -> str:
        """The whole field as received, decoded; escapes stay."""
        return self._dialect.decode(self.field(field))

    def value(self, field: int, repetition: int = 1, component: int = 1, subcomponent: int = 1) -> str:
        """One leaf, decoded and unescaped; "" when missing or null (see `is_null`). Base64 stays as it is."""
        fields = self._fields or self._split()
        if not 0 < field < len(fields) or not (data := fields[field]):
            return ""
        dialect = self._dialect
        if field <= 2 and self.name in HEADERS:
            return dialect.decode(data) if repetition == component == subcomponent == 1 else ""
        if repetition > 1 or data.find(dialect.repetition) >= 0:
            data = part(data, dialect.repetition, repetition)
        return _leaf(dialect, data, component, subcomponent)

    def leaves(self, field: int) -> Rows:
        """All that stands in a field, () when it is empty. Split once and kept: not for a document."""
        return (self._leaves.get(field) or self._read(field))[0]

    def leaf(self, field: int, component: int = 1) -> str:
        """A component of the first repetition, by `leaves`."""
        rows = self.leaves(field)
        return rows[0][component - 1] if rows and component <= len(rows[0]) else ""

    def divided(self, field: int, repetition: int, component: int) -> tuple[str, ...]:
        """The subcomponents of a component, as `leaves`; () when it has at most one."""
        return (self._leaves.get(field) or self._read(field))[1].get((repetition, component), ())

    def _read(self, field: int) -> tuple[Rows, Parts]:
        fields = self._fields or self._split()
        data = fields[field] if field < len(fields) else b""
        known = self._dialect.known
        found = known.get(data)
        if found is None:
            found = _rows(self._dialect, data)
            if len(data) <= _SHORT:
                if len(known) >= _MOST_KNOWN:
                    known.clear()  # what is said in every message is back with the next one
                known[data] = found
        self._leaves[field] = found
        return found

    def is_null(self, field: int, repetition: int = 1, component: int = 0) -> bool:
        """The sender asks to delete the value (`""`); `component` 0: of the whole repetition."""
        data = part(self.field(field), self._dialect.repetition, repetition)
        return (part(data, self._dialect.component, component) if component else data) == _NULL

    def repetitions(self, field: int) -> int:
        """How many repetitions the field has; 0 when it is empty."""
        data = self.field(field)
        if not data:
            return 0
        mark = self._dialect.repetition
        if (field <= 2 and self.name in HEADERS) or not mark or data.find(mark) < 0:
            return 1  # `count` takes 20 times as long as `find` to see that a document has none
        return data.count(mark) + 1

    def encoded(self, field: int) -> bool:
        """Whether a document in Base64 stands in the field (ED)."""
        return _carries_base64(self.field(field), self._dialect)

    def components(self, field: int, repetition: int = 1) -> tuple[str, ...]:
        """All components, unescaped; subcomponents stay joined by their delimiter. () when empty."""
        dialect = self._dialect
        data = part(self.field(field), dialect.repetition, repetition)
        if not data:
            return ()
        base64_at = 4 if _carries_base64(data, dialect) else -1
        return tuple(
            dialect.decode(one) if place == base64_at else dialect.leaf(one)
            for place, one in enumerate(parts(data, dialect.component))
        )

    def outline(self, field: int, repetition: int = 1) -> tuple[tuple[int, bytes], ...]:
        """Length and first bytes of each component as received: what stands there, without copying it."""
        data, delimiter = (
            part(self.field(field), self._dialect.repetition, repetition),
            self._dialect.component,
        )
        made: list[tuple[int, bytes]] = []
        begin = 0
        while data and begin <= len(data):
            found = data.find(delimiter, begin) if delimiter else -1
            end = len(data) if found < 0 or len(made) == _MOST_PARTS else found
            made.append((end - begin, data[begin : min(end, begin + 16)]))
            begin = end + 1
        return tuple(made)

    def subcomponents(self, field: int, repetition: int = 1, component: int = 1) -> tuple[str, ...]:
        """All subcomponents of one component, unescaped. () when empty."""
        dialect = self._dialect
        data = part(part(self.field(field), dialect.repetition, repetition), dialect.component, component)
        return tuple(dialect.leaf(one) for one in parts(data, dialect.sub)) if data else ()

    def text(self, field: int) -> str:
        """The whole field as a text: unescaped, repetitions as lines, stray `^` and `&` kept."""
        dialect = self._dialect
        data = self.field(field)
        if not data:
            return ""
        if _carries_base64(data, dialect):
            return dialect.decode(data)
        if data.find(dialect.repetition) < 0:
            return dialect.leaf(data)
        return "\n".join(dialect.leaf(one) for one in parts(data, dialect.repetition))

    def binary(self, field: int, repetition: int = 1, component: int = 5, *, partial: bool = False) -> bytes:
        """Decoded Base64 of a component (ED.5); b"" when it is empty (spec hl7v2.md §4.5 rule 9).

        White space, escaped line breaks and missing padding are tolerated; official samples lack the
        padding. Raises Base64Error when other characters stand in it, or when it was cut off inside a
        byte. `partial` takes the whole bytes of the latter: for mail bodies, which 13 official samples
        cut off so, never for a document.
        """
        dialect = self._dialect
        data = part(part(self.field(field), dialect.repetition, repetition), dialect.component, component)
        if b"\\" in data:
            data = _ESCAPED_BREAKS.sub(b"", data)
        if any(one in data for one in _BLANKS):
            data = data.translate(None, _WHITESPACE)
        if len(data) % 4 == 0:
            with suppress(binascii.Error):  # sound: decoded without another copy
                return binascii.a2b_base64(data, strict_mode=True)
        data = data.rstrip(b"=")
        where = self.location(field, repetition, component)
        if data.translate(None, _BASE64):  # far faster than a pattern on 50 MB
            raise Base64Error(where, "characters outside the Base64 alphabet")
        if len(data) % 4 == 1:
            if not partial:
                raise Base64Error(where, f"cut off: {len(data)} characters")
            data = data[:-1]
        return base64.b64decode(data + b"=" * (-len(data) % 4) if len(data) % 4 else data)

    @property
    def field_count(self) -> int:
        return len(self._split()) - 1

    def populated(self) -> list[int]:
        """Numbers of the fields that hold something (a null counts), in order."""
        return [number for number, data in enumerate(self._split()) if data and number]

    def location(self, field: int = 0, repetition: int = 1, component: int = 0, subcomponent: int = 0) -> str:
        """`PID-3[2].4.2`, `OBX(3)-5`: the occurrence and the repetition are written from the second on."""
        name = f"{self.name}({self.number})" if self.number > 1 else self.name
        if not field:
            return name
        if repetition <= 1 and not subcomponent:  # nearly always: one text is made, not three
            return f"{name}-{field}.{component}" if component else f"{name}-{field}"
        place = f"{name}-{field}[{repetition}]" if repetition > 1 else f"{name}-{field}"
        if not component:
            return place
        return f"{place}.{component}.{subcomponent}" if subcomponent else f"{place}.{component}"


def _rows(dialect: Dialect, data: bytes) -> tuple[Rows, Parts]:
    """What `Segment.leaves` and `Segment.divided` say of a field."""
    if not data:
        return (), _UNDIVIDED
    text = data.decode(dialect.codec)
    if text.isalnum():  # no delimiter, no blank: dates, flags, numbers
        return ((text,),), _UNDIVIDED
    chosen = dialect.delimiters
    component, sub = chosen.component, chosen.subcomponent
    made: list[tuple[str, ...]] = []
    divided: dict[tuple[int, int], tuple[str, ...]] = {}
    escaped = bool(chosen.escape) and chosen.escape in text
    for number, row in enumerate(text.split(chosen.repetition) if chosen.repetition else (text,), 1):
        cells = row.split(component) if component else [row]
        if sub and sub in row:
            for place, cell in enumerate(cells):
                if sub in cell:
                    divided[number, place + 1] = parts = _divide(dialect, cell, sub)
                    cells[place] = parts[0]
        if escaped:
            whole = part(data, dialect.repetition, number)
            cells = [_leaf(dialect, whole, place, 1) for place in range(1, len(cells) + 1)]
        cells = [cell.strip() for cell in cells]
        made.append(tuple(["" if cell == '""' else cell for cell in cells]) if '""' in row else tuple(cells))
    return tuple(made), divided or _UNDIVIDED


def _divide(dialect: Dialect, cell: str, sub: str) -> tuple[str, ...]:
    if dialect.delimiters.escape in cell:
        found = (dialect.leaf(one.encode(dialect.codec)) for one in cell.split(sub))
        return tuple(map(str.strip, found))
    return tuple(["" if one == '""' else one.strip() for one in cell.split(sub)])


def _leaf(dialect: Dialect, data: bytes, component: int, subcomponent: int) -> str:
    """One leaf of a repetition, decoded and unescaped; Base64 stays as it is."""
    if component == 5 and _carries_base64(data, dialect):
        return dialect.decode(part(data, dialect.component, 5)) if subcomponent == 1 else ""
    if component > 1 or data.find(dialect.component) >= 0:
        data = part(data, dialect.component, component)
    if subcomponent > 1 or data.find(dialect.sub) >= 0:
        data = part(data, dialect.sub, subcomponent)
    return dialect.leaf(data)


def _carries_base64(data: bytes, dialect: Dialect) -> bool:
    """Whether a repetition is an ED whose encoding (ED.4) is Base64, in any case."""
    if data.find(b"64", 0, 512) < 0:  # nearly every text
        return False
    head = data[:512].lower()
    return b"base64" in head and part(head, dialect.component, 4).strip() == b"base64"
