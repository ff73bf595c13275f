"""Canonical report → CDA R2 document: the frame of every body, and the unstructured one (N1)."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Final

from gateway.cda.built import Built
from gateway.cda.header import header
from gateway.cda.tree import Element, serialised
from gateway.cda.vocabulary import N1_TEMPLATES
from gateway.cda.writer import Writer
from gateway.model.base import replace
from gateway.model.findings import Finding
from gateway.model.terms import Identifier
from gateway.model.version import ReportVersion

Body = Callable[[Writer, Element], None]
"""Fills the document's last `component`."""
Heading = Callable[[Writer, ReportVersion, Sequence[Identifier]], None]

_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_PLACE: Final = b">PDF</text>"
"""Where the Base64 goes: spliced into the serialised bytes, so that a large PDF is copied once."""


def build_n1(version: ReportVersion, pdf: bytes) -> Built:
    """The unstructured report (CDA R2 level 1, cda.md §5) around a PDF; same input, same bytes.

    The caller has looked at the PDF (`gateway.pdf.inspect`); here it is only enclosed.
    """
    templates = [Identifier(value="", system=root) for root in N1_TEMPLATES]
    built = build(version, templates, _pdf_body)
    return spliced(built, ((_PLACE, (b">", b64encode(pdf), b"</text>")),))


def spliced(built: Built, contents: Sequence[tuple[bytes, tuple[bytes, ...]]]) -> Built:
    """`built` with each (place, pieces) put in; a place is markup of the body, so no text can hold it."""
    data, parts = built.data, []
    for place, content in contents:
        head, found, data = data.partition(place)
        assert found, "the body wrote a mark for each content"
        parts += [head, *content]
    return replace(built, data=b"".join((*parts, data)))


def build(
    version: ReportVersion, templates: Sequence[Identifier], body: Body, heading: Heading = header
) -> Built:
    """The document with its header and what `body` writes into its last component."""
    out = Writer(version.site.tz)
    heading(out, version, templates)
    body(out, out.add(out.root, "component"))
    data = _DECLARATION + serialised(out.root).encode()
    return Built(data=data, findings=_distinct(out.findings), traced=out.trace)


def _pdf_body(out: Writer, component: Element) -> None:
    """nonXMLBody/text, with a mark that `spliced` replaces."""
    body = out.add(component, "nonXMLBody")
    out.add(body, "text", "PDF", mediaType="application/pdf", representation="B64")


def _distinct(findings: list[Finding]) -> tuple[Finding, ...]:
    """Each finding once, in order: one value may stand in several elements."""
    return tuple(dict.fromkeys(findings))
