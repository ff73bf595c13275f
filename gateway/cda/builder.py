"""Canonical report → CDA R2 document: the frame of every body, and the unstructured one (N1)."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from gateway.cda.built import Built
from gateway.cda.contents import SHORTENED
from gateway.cda.header import header
from gateway.cda.tree import Element, serialised
from gateway.cda.vocabulary import N1_TEMPLATES
from gateway.cda.writer import MARK, Writer
from gateway.model.findings import Finding
from gateway.model.terms import Identifier
from gateway.model.version import ReportVersion

Body = Callable[[Writer, Element], None]
"""Fills the document's last `component`."""
Heading = Callable[[Writer, ReportVersion, Sequence[Identifier]], None]

_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_OPENED: Final = b'representation="B64">'
_PLACE: Final = _OPENED + MARK.encode() + b"</"
"""Where a content goes: spliced into the bytes, so that a large PDF is copied once; no text holds markup."""


def build_n1(version: ReportVersion, pdf: bytes) -> Built:
    """The unstructured report (CDA R2 level 1, cda.md §5) around a PDF; same input, same bytes.

    The caller has looked at the PDF (`gateway.pdf.inspect`); here it is only enclosed.
    """
    templates = [Identifier(value="", system=root) for root in N1_TEMPLATES]
    return build(version, templates, partial(_pdf_body, pdf=pdf))


def build(
    version: ReportVersion, templates: Sequence[Identifier], body: Body, heading: Heading = header
) -> Built:
    """The document with its header and what `body` writes into its last component."""
    out = Writer(version.site.tz)
    heading(out, version, templates)
    body(out, out.add(out.root, "component"))
    data = _spliced(serialised(out.root).encode(), out.contents)
    return Built(data=data, root=out.root, findings=_distinct(out.findings), traced=out.trace)


def _spliced(data: bytes, contents: list[tuple[Element, bytes]]) -> bytes:
    """The document with each content in its place; the elements keep the beginning of theirs (`lean`)."""
    parts = [_DECLARATION]
    for node, content in contents:
        head, found, data = data.partition(_PLACE)
        assert found, "the body wrote a mark for each content"
        parts += (head, _OPENED, b64encode(content), b"</")
        node.text = b64encode(content[:SHORTENED]).decode()
    return b"".join((*parts, data))


def _pdf_body(out: Writer, component: Element, pdf: bytes) -> None:
    body = out.add(component, "nonXMLBody")
    out.content(body, "text", pdf, "application/pdf")


def _distinct(findings: list[Finding]) -> tuple[Finding, ...]:
    """Each finding once, in order: one value may stand in several elements."""
    return tuple(dict.fromkeys(findings))
