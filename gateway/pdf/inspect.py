"""What a received PDF is: pages, PDF/A claim, text, encryption. Cheap look first, pikepdf only when asked."""

import io
import re
import zlib
from typing import Any

from gateway.model.base import Value
from gateway.model.findings import Finding, finding

MAGIC = b"%PDF-"
_WINDOW = 1024
"""Readers accept the magic anywhere in the first KiB (ISO 32000-1, implementation note 13); we do not."""

_DAMAGE = (AttributeError, LookupError, RuntimeError, TypeError, ValueError, zlib.error)
"""What a broken object graph makes of reading it: a missing key, a number where a stream should be…"""

_LOOK = 1 << 20
"""Bytes of a stream that are looked at: a bomb of a stream must not be unpacked whole."""
_RARE_LOOK = 1 << 16
"""Packed size up to which streams of rarer filters (LZW, ASCII85) are unpacked."""

_PART = re.compile(rb"pdfaid:part\s*(?:=\s*[\"']|>)\s*(\d)")
_CONFORMANCE = re.compile(rb"pdfaid:conformance\s*(?:=\s*[\"']|>)\s*([A-Za-z])")


class PdfFacts(Value):
    """What `inspect` saw. `pdfa` is the claim of the XMP metadata (`1b`, `3u`), "" without one."""

    pages: int = 0
    version: str = ""
    pdfa: str = ""
    has_text: bool = False
    encrypted: bool = False
    findings: tuple[Finding, ...] = ()


def looks_like_pdf(data: bytes) -> bool:
    """Whether the bytes start as a PDF; costs nothing."""
    return data.startswith(MAGIC)


def inspect(data: bytes, location: str = "") -> PdfFacts:
    """The facts of a PDF, with findings (PDF-INVALID, PDF-NOT-PDFA, PDF-NO-TEXT) at `location`."""
    if not looks_like_pdf(data):
        detail = "%PDF- is not at the start" if MAGIC in data[:_WINDOW] else "no %PDF- at the start"
        return PdfFacts(findings=(finding("PDF-INVALID", location, detail),))
    import pikepdf

    try:
        with pikepdf.open(io.BytesIO(data)) as pdf:
            return _facts(pdf, location)
    except pikepdf.PasswordError:
        problem = finding("PDF-INVALID", location, "protected by a password")
        return PdfFacts(encrypted=True, findings=(problem,))
    except (pikepdf.PdfError, *_DAMAGE):
        return PdfFacts(findings=(finding("PDF-INVALID", location, "damaged"),))


def _facts(pdf: Any, location: str) -> PdfFacts:
    pages = len(pdf.pages)
    claim = _claim(pdf)
    has_text = any(_has_text(page.obj) for page in pdf.pages)
    found = []
    if not pages:
        found.append(finding("PDF-INVALID", location, "no page"))
    if not claim.startswith("1"):
        found.append(finding("PDF-NOT-PDFA", location, f"PDF/A-{claim}" if claim else "no PDF/A claim"))
    if pages and not has_text:
        found.append(finding("PDF-NO-TEXT", location, f"{pages} pages"))
    return PdfFacts(
        pages=pages,
        version=str(pdf.pdf_version),
        pdfa=claim,
        has_text=has_text,
        encrypted=bool(pdf.is_encrypted),
        findings=tuple(found),
    )


_SHOWS_TEXT = re.compile(rb"(?:^|[\s\])>])(?:Tj|TJ|'|\")(?=\s|$)")


def _has_text(page: Any) -> bool:
    """Whether a page, or a form on it, shows text: a scan has no text operator."""
    contents = page.get("/Contents")
    streams = [] if contents is None else _each(contents)
    return any(_SHOWS_TEXT.search(_start_of(stream)) for stream in (*streams, *_forms(page)))


def _start_of(stream: Any) -> bytes:
    """The first MiB of a stream's content."""
    packed = bytes(stream.read_raw_bytes())
    kind = stream.get("/Filter")
    if kind is None:
        return packed[:_LOOK]
    if [str(item) for item in _each(kind)] == ["/FlateDecode"] and stream.get("/DecodeParms") is None:
        return zlib.decompressobj().decompress(packed, _LOOK)
    return bytes(stream.read_bytes()) if len(packed) <= _RARE_LOOK else b""


def _each(one_or_array: Any) -> list[Any]:
    """PDF writes a list of one as the thing itself."""
    import pikepdf

    return list(one_or_array) if isinstance(one_or_array, pikepdf.Array) else [one_or_array]


def _forms(page: Any) -> list[Any]:
    """Form XObjects directly on the page (some producers put the whole page into one)."""
    resources = page.get("/Resources")
    objects = resources.get("/XObject") if resources is not None else None
    if objects is None:
        return []
    return [item for _, item in objects.items() if item.get("/Subtype") == "/Form"]


def _claim(pdf: Any) -> str:
    """`1b` from the XMP packet (ISO 19005-1 §6.7.11), read without a parser: only two fixed names matter."""
    metadata = pdf.Root.get("/Metadata")
    if metadata is None:
        return ""
    packet = _start_of(metadata)
    part, conformance = _PART.search(packet), _CONFORMANCE.search(packet)
    return (part[1] + (conformance[1] if conformance else b"")).decode("ascii").lower() if part else ""
