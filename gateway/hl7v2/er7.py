"""Reader of ER7, the `|^~\\&` encoding of HL7 v2: lossless, lazy, tolerant; every tolerance is a finding.

Rules: spec hl7v2.md §4.5. Bytes are cut into segments here; a segment is cut into fields when it is read.
"""

import re
from functools import lru_cache
from itertools import islice
from typing import Final

from gateway.hl7v2 import charsets
from gateway.hl7v2.controls import controls, suspicious
from gateway.hl7v2.dialect import Delimiters, Dialect, delimiters, dialect, is_field_separator
from gateway.hl7v2.faults import Base64Error, NotHl7Error
from gateway.hl7v2.message import VERSIONS, Message
from gateway.hl7v2.segment import Segment, part
from gateway.model.findings import Finding, finding

__all__ = ["Base64Error", "Message", "NotHl7Error", "Segment", "read", "read_header"]

PADDING: Final = b"\x00\t\n\x0b\x0c\r\x1c \xef\xbb\xbf"
"""What may stand around a message and means nothing: blanks, NUL, MLLP bytes left in a file, UTF-8 BOM."""
_BASE64_LINE: Final = re.compile(rb"[A-Za-z0-9+/=\s]*")
_BASE64_WITHIN: Final = 1024
"""Bytes of a field within which ED.4 must stand."""
_BARE: Final = (
    rb"MSH|EVN|PID|PD1|NK1|PV1|PV2|ROL|PRT|ORC|OBR|OBX|NTE|TQ1|TQ2|TXA|IPC|SPM|AL1|DG1|IN1|MRG|CTI|FT1"
    rb"|MSA|ERR|SFT|BTS|FTS|Z[A-Z0-9]{2}"
)
"""Names that make a segment without any field. Another word of three capitals alone on its line (`IRM`) is
text of a report whose line breaks were not escaped: as a segment it would swallow the lines behind it."""
_MOST_LINES: Final = 2_000_000
_MOST_SEGMENTS: Final = 100_000
"""Bounds against content made of line ends; a 50 MB document in lines of 76 characters has 690 000."""
_MOST_TOLD: Final = 50
"""Continued segments that get a finding of their own."""
_LONGEST_HEADER: Final = 64 * 1024
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff", b"M\x00S", b"\x00M\x00")


def read(data: bytes, charset: str | None = None) -> Message:
    """The message in `data`, whose bytes stay available as `message.raw`.

    `charset` (a MSH-18 value or codec name) is the site's word against what the sender declares.
    Raises NotHl7Error when `data` has no MSH with a field separator. A content of several messages is read
    as one, with the error finding HL7-SEVERAL-MESSAGES: cut it with `split_batch` first.
    """
    body = data if data[:3] == b"MSH" else data.lstrip(PADDING)
    if body[:3] != b"MSH" or not is_field_separator(body[3:4]):
        raise NotHl7Error(_why_not(data, body))
    rows, broken = _rows(_lines(body), body[3:4])
    if len(rows) > _MOST_SEGMENTS:
        raise NotHl7Error(f"{len(rows)} segments", "HL7-TOO-LARGE")
    encoding = part(rows[0], body[3:4], 2)[:16].decode("utf-8", "replace").rstrip()
    chosen, odd = delimiters(body[3:4].decode("ascii"), encoding)
    for index, lines in broken.items():
        rows[index] = _joined(rows[index], lines, chosen)
    beyond = b"\r".join([row for row in rows if not row.isascii()])  # no document: Base64 is ASCII
    found = charsets.detect(beyond, _declared(rows[0], chosen), charset)
    message = Message(data, _segments(rows, dialect(chosen, found.codec)), found.codec, chosen)
    message.findings = _findings(message, odd, found.problem, broken, _line_feeds(body))
    if suspicious(rows, chosen.escape):
        message.findings += controls(message.segments)
    return message


def read_header(data: bytes, *, whole: bool = False) -> Message | None:
    """A message of MSH alone, the first line of `data`, which may be cut off anywhere behind it.

    None when that line is no MSH, or has no end: a MSH-10 that was cut off would name another message.
    `whole`: nothing was cut off, a line without an end is complete.
    """
    body = data.lstrip(PADDING)
    ends = [place for end in (b"\r", b"\n") if (place := body.find(end, 0, _LONGEST_HEADER)) >= 0]
    if not ends and not whole:
        return None
    try:
        return read(body[: min(ends, default=_LONGEST_HEADER)])
    except NotHl7Error:
        return None


def _segments(rows: list[bytes], spoken: Dialect) -> tuple[Segment, ...]:
    numbers: dict[bytes, int] = {}
    segments = []
    for index, row in enumerate(rows):
        name = row[:3]
        numbers[name] = number = numbers.get(name, 0) + 1
        segments.append(Segment(name.decode("ascii"), index, number, row, spoken))
    return tuple(segments)


def _why_not(data: bytes, body: bytes) -> str:
    if not body:
        return "empty content"
    if data.startswith(_UTF_16):
        return "UTF-16 text: HL7 v2 is exchanged in UTF-8 or ISO 8859-15"
    if body[:3] in (b"FHS", b"BHS"):
        return "a batch of messages"
    if body[:3] == b"MSH":
        return "MSH without field separator"
    return "no MSH at the start"


def _lines(body: bytes) -> list[bytes]:
    """Lines by CR, LF and CRLF alike, without the FS that a saved frame leaves at an end, nor NUL."""
    if b"\n" not in body:
        lines = body.split(b"\r", _MOST_LINES)
    elif b"\r" not in body:
        lines = body.split(b"\n", _MOST_LINES)
    else:
        lines = body.replace(b"\r\n", b"\r").replace(b"\n", b"\r").split(b"\r", _MOST_LINES)
    if len(lines) > _MOST_LINES:  # counting before would take as long as everything else of a large message
        raise NotHl7Error(f"more than {_MOST_LINES} lines", "HL7-TOO-LARGE")
    if b"\x1c" in body or b"\x00" in body:
        return [line.rstrip(b"\x1c\x00") for line in lines]
    return lines


def _line_feeds(body: bytes) -> bool:
    """Whether LF ends segments; one at the very end is how editors end a file."""
    first = body.find(b"\n")
    return first >= 0 and bool(body[first : first + 64].strip(PADDING))


@lru_cache(maxsize=16)
def _segment_start(separator: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"[A-Z][A-Z0-9]{2}" + re.escape(separator) + rb"|(?:" + _BARE + rb")\Z")


def _rows(lines: list[bytes], separator: bytes) -> tuple[list[bytes], dict[int, list[bytes]]]:
    """First lines of the segments, and the lines that continue one of them (by its index)."""
    starts = _segment_start(separator).match
    rows: list[bytes] = []
    broken: dict[int, list[bytes]] = {}
    for line in lines:
        if starts(line):
            rows.append(line)
        elif bare := line.strip(PADDING):
            if starts(bare):  # an indented segment, or one behind a stray NUL or BOM
                rows.append(line.lstrip(PADDING))
            else:
                broken.setdefault(len(rows) - 1, []).append(line)
    return rows, broken


def _joined(row: bytes, lines: list[bytes], chosen: Delimiters) -> bytes:
    """A segment that raw line breaks cut: joined by nothing inside Base64, by a blank elsewhere."""
    field, marker = chosen.field.encode(), f"{chosen.component}base64{chosen.component}".encode()

    def ends_in_base64(line: bytes) -> bool:
        return marker in line.rpartition(field)[2][:_BASE64_WITHIN].lower()

    pieces, within = [row], ends_in_base64(row)
    for line in lines:
        head = line.partition(field)[0]
        pieces.append(line if within and _BASE64_LINE.fullmatch(head) else b" " + line)
        if field in line:
            within = ends_in_base64(line)
    return b"".join(pieces)


def _declared(header: bytes, chosen: Delimiters) -> str:
    """MSH-18, first repetition."""
    value = part(header, chosen.field.encode(), 18)[:32].decode("ascii", "replace")
    return value.split(chosen.repetition)[0] if chosen.repetition else value


def _findings(
    message: Message, odd: str, problem: str, broken: dict[int, list[bytes]], terminated_otherwise: bool
) -> tuple[Finding, ...]:
    """What was not as it should be, each with its place."""
    found: list[Finding] = []
    if odd:
        found.append(finding("HL7-DELIMITERS", "MSH-2", odd))
    if problem:
        found.append(finding("HL7-CHARSET", "MSH-18", problem))
    if message.version not in VERSIONS:
        read_as = f"{'unknown' if message.version else 'empty'}, read as {message.known_version}"
        found.append(finding("HL7-VERSION", "MSH-12", read_as))
    for index, lines in islice(broken.items(), _MOST_TOLD):
        place = message.segments[index].location()
        found.append(finding("HL7-CONTINUATION-LINE", place, f"{len(lines)} lines joined"))
    if terminated_otherwise:
        found.append(finding("HL7-TERMINATOR", "MSH"))
    headers = sum(one.name == "MSH" for one in message.segments)
    if headers > 1:
        found.append(finding("HL7-SEVERAL-MESSAGES", "MSH(2)", f"{headers} messages"))
    return tuple(found)
