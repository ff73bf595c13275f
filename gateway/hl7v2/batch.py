"""Several messages in one content: FHS/BHS batches, files of messages, saved frames (HL7 2.5 §2.10.3)."""

from collections.abc import Iterator
from itertools import pairwise

from gateway.hl7v2.dialect import is_field_separator
from gateway.hl7v2.er7 import PADDING

_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
_LINE_ENDS = b"\r\n\x0b\x1c\x00"
_BOM = b"\xef\xbb\xbf"


def split_batch(data: bytes) -> tuple[bytes, ...]:
    """The messages in `data`, each from its MSH on; header and trailer segments of the batch are left out.

    A single message comes back as the very bytes given. What stands before the first MSH and is no
    envelope comes back as the first part, so that it is refused and not lost. () for blank content.
    """
    starts = sorted(_starts(data, b"MSH"))
    envelope = sorted(place for name in _ENVELOPE for place in _starts(data, name))
    if len(starts) == 1 and not envelope and not data[: starts[0]].strip(PADDING):
        return (data,)
    cuts = sorted((*starts, *envelope, len(data)))
    parts = [data[: cuts[0]]]
    messages = set(starts)
    for place, following in pairwise(cuts):
        if place in messages:
            parts.append(data[place:following].removesuffix(_BOM).rstrip(_LINE_ENDS))
    return tuple(part for part in parts if part.strip(PADDING))


def _starts(data: bytes, name: bytes) -> Iterator[int]:
    """Places where a segment of this name begins: at the start of a line, with a field separator behind."""
    place = data.find(name)
    while place >= 0:
        if is_field_separator(data[place + 3 : place + 4]) and _at_line_start(data, place):
            yield place
        place = data.find(name, place + 3)


def _at_line_start(data: bytes, place: int) -> bool:
    before = data[max(0, place - 16) : place].removesuffix(_BOM).rstrip(b" \t")
    return before[-1:] in _LINE_ENDS  # b"" too: the start of the content
