"""The narrative of a report: text observations in order → sections (spec hl7v2.md §4.3, §4.6).

A section is told by OBX-3 (LOINC, suffix `&GDT` `&IMP`), else by headings inside the text; a text without any
is one section of kind REPORT.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from gateway.hl7v2 import Segment, parse_dtm
from gateway.mapping import hl7_types as types
from gateway.mapping import rtf
from gateway.mapping.codes import CodeMaps
from gateway.mapping.hl7_reader import Group, Reader
from gateway.model.base import replace
from gateway.model.report import Section, SectionKind

TEXT_TYPES: Final = frozenset({b"TX", b"FT", b"ST", b""})
"""OBX-2 of report text; some feeds leave OBX-2 empty (LinuxForHealth samples)."""
WITHDRAWN: Final = frozenset({b"D", b"X", b"W"})
"""OBX-11 of lines that no longer belong to the report."""
_NOT_NARRATIVE: Final = re.compile(
    rb"(?:study|series|sop|sr) instance uid|(?:^|\^)113014(?:$|\^)|MetaDMPMSS", re.IGNORECASE
)
"""OBX-3 of identifiers (RAD-28, RAD-128) and of the volet's metadata."""
_LINE_END: Final = re.compile(r"\r\n|[\r\n\x0b\x0c]")
_LEFT_OUT: Final = re.compile(r"[\x00-\x08\x0e-\x1f\ufffe\uffff]")
"""What no document can hold; reading the message has told it (TEXT-CONTROL-CHARACTER)."""
_HEADING: Final = re.compile(
    r"\s*(?P<words>[^\W\d][^:\n]{1,48}?)\s*(?:(?P<colon>:)\s*(?P<rest>.*)|)$", re.DOTALL
)
_LONGEST_HEADING: Final = 80
"""Characters above which a line without colon is text: the pattern allows 50, and blanks inside."""
_RTF: Final = rtf.MARK.decode("ascii")
"""Some senders put an RTF into a text observation as it is."""


class Line:
    """One line of narrative, where it stood and the section that its observation names."""

    __slots__ = ("kind", "location", "text")

    def __init__(self, text: str, location: str, kind: SectionKind | None) -> None:
        self.text, self.location, self.kind = text, location, kind


def is_text(segment: Segment) -> bool:
    """Whether this OBX carries narrative (not an identifier, a flag or an embedded document)."""
    if segment.field(2).strip() not in TEXT_TYPES or segment.field(11).strip() in WITHDRAWN:
        return False
    return _narrative(segment.field(3)) and not carries_base64(segment)


@lru_cache(maxsize=1024)
def _narrative(observation: bytes) -> bool:
    """By OBX-3."""
    return not _NOT_NARRATIVE.search(observation)


def carries_base64(segment: Segment) -> bool:
    """An ED by OBX-5.4, even where OBX-2 says text: `^application^pdf^Base64^…`."""
    data = segment.field(5)
    if data.find(b"64", 0, 512) < 0:  # nearly every text
        return False
    return b"base64" in data[:512].lower() and segment.value(5, 1, 4).strip().upper() == "BASE64"


_NOTHING: Final[Mapping[int, str]] = MappingProxyType({})


def sections(
    scope: Group, reader: Reader, rich: Mapping[int, str] = _NOTHING, *, whole: SectionKind | None = None
) -> tuple[Section, ...]:
    """All sections of the report, in the order of their first line.

    `rich`: texts of embedded documents (RTF) by the index of their observation, read at its place.
    `whole`: all lines are one section of this kind, headings and all.
    """
    gathered: dict[tuple[SectionKind, str], list[Line]] = {}
    if whole is not None:
        return _signed(_assemble({(whole, ""): _lines(scope, reader, rich)}, reader), scope, reader)
    current: tuple[SectionKind, str] = (SectionKind.REPORT, "")
    for line in _lines(scope, reader, rich):
        if line.kind is not None and line.kind is not SectionKind.REPORT:
            gathered.setdefault((line.kind, ""), []).append(line)
            continue
        heading = _heading(line.text, reader.profile.codes)
        if heading is None:
            gathered.setdefault(current, []).append(line)
            continue
        kind, title, rest = heading
        current = (kind, title)
        first = gathered.setdefault(current, [])
        if rest:
            first.append(Line(rest, line.location, line.kind))
    return _signed(_assemble(gathered, reader), scope, reader)


def _signed(made: tuple[Section, ...], scope: Group, reader: Reader) -> tuple[Section, ...]:
    """Addenda with their author and time: OBX-16 and OBX-14 of the observation that holds them."""
    wanted = {
        f"sections[{place}]": place for place, one in enumerate(made) if one.kind is SectionKind.ADDENDUM
    }
    if not wanted:
        return made
    sources = {one.path.removesuffix(".text"): one.source for one in reversed(reader.trail.provenance)}
    texts = {segment.location(5): segment for segment in scope.all("OBX")}
    signed = list(made)
    for path, place in wanted.items():
        segment = texts.get(sources.get(path, ""))
        if segment is None:
            continue
        author, moment = types.xcn(scope, segment, 16, 1), parse_dtm(segment.leaf(14), reader.profile.site.tz)
        if author is not None:
            reader.mark(segment, 16)
            reader.trail.source(f"{path}.author", segment.location(16))
        if moment is not None:
            reader.mark(segment, 14)
            reader.trail.source(f"{path}.authored_at", segment.location(14))
        signed[place] = replace(made[place], author=author, authored_at=moment)
    return tuple(signed)


def _assemble(gathered: dict[tuple[SectionKind, str], list[Line]], reader: Reader) -> tuple[Section, ...]:
    made: list[Section] = []
    for (kind, title), lines in gathered.items():
        text = "\n".join(line.text for line in lines).strip("\n")
        if not text.strip():
            continue
        seen = ""
        for line in lines:
            if line.location != seen:
                seen = line.location
                reader.trail.source(f"sections[{len(made)}].text", seen)
        made.append(Section(kind=kind, text=text, title=title))
    return tuple(made)


def _lines(scope: Group, reader: Reader, rich: Mapping[int, str]) -> list[Line]:
    """Lines of all text observations: one OBX per line, `\\.br\\`, repetitions, an empty OBX as blank line.

    An NTE behind a text observation goes on with it. Trailing blanks are dropped, indentation stays.
    """
    lines: list[Line] = []
    kind: SectionKind | None = None
    narrative = False
    for segment in scope.segments:
        if segment.name == "OBX":
            narrative = is_text(segment)
            if narrative:
                kind = _kind(segment, reader)
                reader.mark(segment, 2, 3, 4, 5, 11)
                _split(segment, 5, kind, lines)
            elif segment.index in rich:
                kind = _kind(segment, reader)
                location = segment.location(5)
                lines += [Line(line.rstrip(), location, kind) for line in rich[segment.index].split("\n")]
        elif segment.name == "NTE" and narrative and segment.value(3):
            reader.mark(segment, 2, 3, 4)
            _split(segment, 3, kind, lines)
    return lines


def _split(segment: Segment, field: int, kind: SectionKind | None, lines: list[Line]) -> None:
    location, text = segment.location(field), segment.text(field)
    if text.startswith(_RTF):
        text = rtf.text(text.encode("cp1252", "replace"))
    for line in (text,) if text.isprintable() else _LINE_END.split(_LEFT_OUT.sub("", text)):
        lines.append(Line(line.rstrip(), location, kind))


def _kind(segment: Segment, reader: Reader) -> SectionKind | None:
    """By suffix (`71020&IMP`), by LOINC code in either triple, by label; None when OBX-3 tells nothing."""
    codes = reader.profile.codes
    if (parts := reader.scope.divided(segment, 3, 1, 1)) and (suffix := parts[1]):
        hit = codes.section("suffix", suffix)
        return hit.value if hit else None
    for place in (1, 4):
        if (code := segment.leaf(3, place)) and (hit := codes.section("loinc", code)):
            return hit.value
    label = segment.leaf(3, 2)
    hit = codes.section("heading", label) if label and len(label) < 50 else None
    return hit.value if hit else None


def _heading(text: str, codes: CodeMaps) -> tuple[SectionKind, str, str] | None:
    """(kind, title, rest of the line) when a line is a known heading: alone, or before a colon."""
    if ":" not in text and len(text.strip()) > _LONGEST_HEADING:
        return None
    match = _HEADING.fullmatch(text)
    if match is None:
        return None
    words = match["words"].strip(" .-–_*#=")
    hit = codes.section("heading", words)
    if hit is None:
        return None
    return hit.value, words, (match["rest"] or "").strip()
