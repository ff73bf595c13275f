"""Documents embedded in observations (ED): found by their first bytes, whatever OBX-5.2–5.4 say."""

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.hl7v2 import Base64Error, Message, Segment, cisis
from gateway.mapping import rtf
from gateway.mapping.hl7_reader import Group, Reader
from gateway.mapping.hl7_text import carries_base64, is_text
from gateway.model.findings import Severity
from gateway.model.report import Attachment
from gateway.model.submission import Blob

PDF: Final = "application/pdf"
CDA: Final = "text/xml"
RTF: Final = "application/rtf"
_HEAD: Final = 1024
"""Bytes within which a PDF must show its mark (ISO 32000-1 annex H: some writers put blanks before it)."""


class Embedded(NamedTuple):
    """One embedded document: its bytes, media type by its first bytes ("" unknown), and where it stood."""

    data: bytes
    media_type: str
    segment: Segment
    location: str

    def blob(self, sha256: str) -> Blob:
        return Blob(sha256=sha256, media_type=self.media_type, data=self.data)

    @property
    def attachment(self) -> Attachment:
        return Attachment(
            sha256=hashlib.sha256(self.data).hexdigest(),
            media_type=self.media_type,
            size=len(self.data),
            title=self.segment.value(3, 1, 2).strip(),
        )


def is_document(segment: Segment) -> bool:
    """An OBX with an embedded document: ED, or a text whose OBX-5.4 says Base64; no mail body."""
    if segment.field(2).strip() != b"ED" and not carries_base64(segment):
        return False
    return segment.leaf(3, 3) != cisis.METADATA_SYSTEM


def carries_cda(message: Message) -> bool:
    """By MSH-21 (`…^CISIS_CDA_HL7_V2`), or by an observation that says XML in OBX-5.3."""
    if message.profile.partition("^")[2] in cisis.TRANSMISSION_PROFILES:
        return True
    return any(is_document(segment) and says_xml(segment) for segment in message.all("OBX"))


def says_xml(segment: Segment) -> bool:
    """By OBX-5.3."""
    head = segment.field(5)[:512].upper()
    return b"XML" in head and segment.value(5, 1, 3).strip().upper() == "XML"


def is_content(segment: Segment) -> bool:
    """Whether this OBX carries the report: narrative or a document."""
    return is_document(segment) or (is_text(segment) and bool(segment.field(5).strip()))


def sniff(data: bytes) -> str:
    """`application/pdf`, `application/rtf`, `text/xml` (a ClinicalDocument) or ""."""
    if b"%PDF-" in data[:_HEAD]:
        return PDF
    if data[:64].lstrip().startswith(rtf.MARK):
        return RTF
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and b"ClinicalDocument" in data[:65536]:
        return CDA
    return ""


def embedded(scope: Group, reader: Reader) -> tuple[Embedded, ...]:
    """All embedded documents, in order; broken Base64 is a finding."""
    made: list[Embedded] = []
    for segment in scope.segments:
        if segment.name != "OBX" or not is_document(segment):
            continue
        reader.mark(segment, 2, 3, 4, 5, 11)
        for repetition in range(1, segment.repetitions(5) + 1):
            if (document := _embedded(segment, repetition, reader)) is not None:
                made.append(document)
    return tuple(made)


def _embedded(segment: Segment, repetition: int, reader: Reader) -> Embedded | None:
    """ED.5; senders that leave ED.2–4 out put the Base64 into another component."""
    components = segment.outline(5, repetition)
    if not components:
        return None
    place = 5 if len(components) >= 5 and components[4][0] else _longest(components)
    if b"://" in components[place - 1][1]:
        return None  # a pointer: nothing is fetched from an address inside a message
    try:
        data = segment.binary(5, repetition, place)
    except Base64Error as wrong:
        reader.trail.take((wrong.finding,))
        return None
    return Embedded(data, sniff(data), segment, segment.location(5, repetition, place)) if data else None


def _longest(components: tuple[tuple[int, bytes], ...]) -> int:
    return max(range(len(components)), key=lambda place: components[place][0]) + 1


def rich_texts(documents: tuple[Embedded, ...]) -> dict[int, str]:
    """The text of each embedded RTF, by the index of its observation."""
    found: dict[int, str] = {}
    for document in documents:
        if document.media_type == RTF and (text := rtf.text(document.data)):
            index = document.segment.index
            found[index] = f"{found[index]}\n{text}" if index in found else text
    return found


def attachments(
    documents: tuple[Embedded, ...], rich: Mapping[int, str], reader: Reader, *, alone: bool
) -> tuple[tuple[Attachment, ...], tuple[Blob, ...]]:
    """The PDFs of a classic report, each once. An RTF gives its text only, which `rich` holds.

    Another kind of document is PDF-INVALID: an error when the report has nothing else (`alone`).
    """
    kept: dict[str, tuple[Attachment, Blob]] = {}
    for document in documents:
        if document.media_type == PDF:
            attachment = document.attachment
            if attachment.sha256 not in kept:
                reader.trail.source(f"attachments[{len(kept)}]", document.location)
                kept[attachment.sha256] = (attachment, document.blob(attachment.sha256))
    for document in documents:
        if document.media_type == RTF and document.segment.index in rich:
            reader.trail.at("RTF-TEXT", document.location)
        elif document.media_type != PDF:
            severity = Severity.ERROR if alone and not kept else Severity.WARNING
            detail = "an RTF without words" if document.media_type == RTF else "no PDF mark"
            reader.trail.at("PDF-INVALID", document.location, detail, severity)
    return tuple(one for one, _ in kept.values()), tuple(one for _, one in kept.values())
