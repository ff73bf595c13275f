"""Control characters inside fields: no document can hold them (XML 1.0 §2.2), so their loss is told."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from gateway.hl7v2.segment import LARGE, Segment
from gateway.model.findings import Finding, finding

_CONTROLS: Final = bytes(set(range(0x20)) - set(b"\t\n\r"))
_LEFT_OUT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NARRATIVE: Final = frozenset({("OBX", 5), ("NTE", 3)})
_LINE_ENDS: Final = str.maketrans("", "", "\x0b\x0c")
"""VT and FF end a line of narrative: nothing of it is lost."""
_MOST: Final = 50
"""Fields that get a finding of their own."""


def suspicious(rows: Sequence[bytes], escape: str) -> bool:
    """Whether any field may hold one, as it is or in hexadecimal. Documents are not looked through."""
    body = b"\r".join([row for row in rows if len(row) <= LARGE])
    if len(body.translate(None, _CONTROLS)) != len(body):
        return True
    return bool(escape) and body.find(escape.encode() + b"X") >= 0


def controls(segments: Sequence[Segment]) -> tuple[Finding, ...]:
    """One finding for each field that holds some."""
    return tuple(islice(_found(segments), _MOST))


def _found(segments: Sequence[Segment]) -> Iterator[Finding]:
    for segment in segments:
        if len(segment.raw) > LARGE:
            continue
        for field in segment.populated():
            text = "" if segment.encoded(field) else segment.text(field)
            if (segment.name, field) in _NARRATIVE:
                text = text.translate(_LINE_ENDS)
            if codes := dict.fromkeys(_LEFT_OUT.findall(text)):
                said = ", ".join(f"U+{ord(one):04X}" for one in codes)
                yield finding("TEXT-CONTROL-CHARACTER", segment.location(field), said)
