"""Several messages in one content: FHS/BHS batches, files of messages, saved frames (HL7 2.5 §2.10.3).

One frame is answered by one frame: a sender that waits for one answer would take a second one for that to its
next message.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from gateway.hl7v2.ack import read_ack
from gateway.hl7v2.dialect import is_field_separator
from gateway.hl7v2.er7 import PADDING
from gateway.hl7v2.times import format_dtm
from gateway.hl7v2.writer import Verbatim, message, segment

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


def miscounted(data: bytes, found: int) -> str:
    """Where the batch says it has another number of messages than the `found` ones (BTS-1), "" elsewhere."""
    stated = [data[at + 4 : at + 16].split(data[at + 3 : at + 4])[0].split() for at in _starts(data, b"BTS")]
    counts = [words[0] for words in stated if words]
    if not counts or not all(one.isdigit() for one in counts) or sum(map(int, counts)) == found:
        return ""
    return f"BTS-1 says {sum(map(int, counts))}, {found} came"


def answer_several(data: bytes, answers: tuple[bytes, ...], *, now: datetime, control_id: str) -> bytes:
    """The acknowledgements of the messages in `data`, in order, as one content.

    A batch is answered by a batch (HL7 2.5 §2.10.3.3) that names it: BHS-12 is its BHS-11. Without envelope
    refusals stand first: a sender that reads only the first MSA must not take one for an acceptance.
    """
    opened = tuple(_opening(data))
    if not opened:
        refused = [one for one in answers if not read_ack(one).accepted]
        return b"".join((*refused, *(one for one in answers if one not in refused)))
    heads = (_envelope(fields, now, control_id) for fields in opened)
    tails = {b"BHS": segment("BTS", str(len(answers))), b"FHS": segment("FTS", "1")}
    ends = (tails[fields[0]] for fields in reversed(opened))
    return b"".join((message(*heads), *answers, message(*ends)))


def _opening(data: bytes) -> Iterator[list[bytes]]:
    """FHS and BHS before the first message, cut into fields."""
    for line in data[: max(0, data.find(b"MSH"))].replace(b"\n", b"\r").split(b"\r"):
        bare = line.strip(PADDING)
        if bare[:3] in (b"FHS", b"BHS") and is_field_separator(bare[3:4]):
            yield bare.split(bare[3:4])


def _envelope(fields: list[bytes], now: datetime, control_id: str) -> str:
    """FHS or BHS of the answer: fields 3–4 and 5–6 of the sender change places, 12 is its field 11."""

    def said(number: int) -> Verbatim:
        return Verbatim(fields[number - 1].decode("ascii", "replace") if len(fields) >= number else "")

    blank = (None,) * 3
    return segment(
        fields[0].decode("ascii"),
        said(5),
        said(6),
        said(3),
        said(4),
        format_dtm(now),
        *blank,
        control_id,
        said(11),
    )


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
