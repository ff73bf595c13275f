"""Own rules on the body: the inside of an N1, which no official rule looks at, and references of an N3."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from gateway.cda.tree import Element, descendants
from gateway.cda.values import CdaHeader
from gateway.cda.vocabulary import N1_TEMPLATES, TEMPLATE_UNSTRUCTURED
from gateway.cda.xml import attribute, child, words
from gateway.model.findings import Finding, finding

_TEMPLATES: Final = "ClinicalDocument/templateId"
_TEXT: Final = "ClinicalDocument/component/nonXMLBody/text"


def n1_templates(root: Element, values: CdaHeader) -> Iterator[Finding]:
    """Exactly the three of an unstructured document, and its own one on no structured body."""
    if values.body == "structured":
        if TEMPLATE_UNSTRUCTURED in values.roots:
            yield finding("CDA-RULE", _TEMPLATES, "template of an unstructured document on a structured body")
    elif len(values.template_ids) != len(N1_TEMPLATES) or values.roots != frozenset(N1_TEMPLATES):
        yield finding("CDA-RULE", _TEMPLATES, f"{len(values.template_ids)} templateIds, not the three of N1")


def text_representation(root: Element, values: CdaHeader) -> Iterator[Finding]:
    if values.body == "structured":
        return
    node = child(root, "component/nonXMLBody/text")
    if node is None:
        yield finding("CDA-RULE", _TEXT, "missing")
        return
    if attribute(node, "representation") != "B64":
        yield finding("CDA-RULE", f"{_TEXT}/@representation", "not B64")
    if values.body == "other":
        yield finding("CDA-RULE", f"{_TEXT}/@mediaType", "neither application/pdf nor text/plain")


def base64_strict(root: Element, values: CdaHeader) -> Iterator[Finding]:
    """RFC 4648 alphabet and padding; line breaks are common in examples and pass."""
    if values.body in ("pdf", "text") and _decoded(root) is None:
        yield finding("HL7-BASE64", _TEXT)


def pdf_magic(root: Element, values: CdaHeader) -> Iterator[Finding]:
    begins = (_packed(root) or "").lstrip().startswith(_PDF_IN_BASE64)
    if values.body == "text" and begins:
        yield finding("CDA-RULE", f"{_TEXT}/@mediaType", "a PDF that is declared as text")
    if values.body != "pdf" or begins:
        return
    content = _decoded(root)
    if content is not None and not content.startswith(b"%PDF-"):
        yield finding("PDF-INVALID", _TEXT, "no %PDF- at the start")


def references_resolve(root: Element, values: CdaHeader) -> Iterator[Finding]:
    """Each `reference value="#x"` needs an ID="x" in the text of its own section (or one around it).

    The official N3 example has a dangling one: a warning.
    """
    if values.body != "structured":
        return
    said: dict[Element, frozenset[str]] = {}
    for node, sections in _references(root):
        around = [one for one in sections if child(one, "text") is not None] or [sections[-1]]
        for one in around:
            if one not in said:
                said[one] = _said(one)
        target = attribute(node, "value")[1:]
        if not any(target in said[one] for one in around):
            own = f"section[code/@code='{_code(sections[-1])}']//" if len(sections) > 1 else ""
            place = f"ClinicalDocument//{own}reference"
            yield finding("CDA-ADVICE", place, "a reference leads to no text of its section")


def _references(root: Element) -> list[tuple[Element, tuple[Element, ...]]]:
    """Each reference to an ID, with the document and the sections that it stands in, outermost first."""
    found: list[tuple[Element, tuple[Element, ...]]] = []
    pending: list[tuple[Element, tuple[Element, ...]]] = [(root, (root,))]
    while pending:
        node, sections = pending.pop()
        if node.tag == "reference" and attribute(node, "value").startswith("#"):
            found.append((node, sections))
        inner = (*sections, node) if node.tag == "section" else sections
        pending += [(one, inner) for one in reversed(node.children)]
    return found


def _said(section: Element) -> frozenset[str]:
    """IDs in the text of a section; in all of it where it has none."""
    nodes = descendants(child(section, "text") or section)
    return frozenset([attribute(node, "ID") for node in nodes if "ID" in node.attributes])


def _code(section: Element) -> str:
    found = attribute(child(section, "code"), "code")
    return found if _CODE.fullmatch(found) else "?"


_CODE: Final = re.compile(r"[\w.-]{1,20}")


def sections_present(root: Element, values: CdaHeader) -> Iterator[Finding]:
    """A structured body says something: at least one section, and words in one of them."""
    if values.body != "structured":
        return
    body = child(root, "component/structuredBody")
    texts = [] if body is None else [node for node in descendants(body) if node.tag == "text"]
    if not any(words(node).strip() for node in texts):
        yield finding("CDA-RULE", "ClinicalDocument/component/structuredBody", "no word in any section")


def media_sound(root: Element, values: CdaHeader) -> Iterator[Finding]:
    """Documents inside a structured body: strict Base64, a PDF that is one, each shown where it stands."""
    inside = descendants(root)
    shown = {attribute(node, "referencedObject") for node in inside if node.tag == "renderMultiMedia"}
    held = set()
    for index, node in enumerate([node for node in inside if node.tag == "observationMedia"], 1):
        place = f"ClinicalDocument//observationMedia[{index}]"
        held.add(attribute(node, "ID"))
        value = child(node, "value")
        if attribute(value, "nullFlavor"):
            continue
        content = decoded(value)
        if content is None:
            yield finding("HL7-BASE64", f"{place}/value")
        elif attribute(value, "mediaType") == "application/pdf" and not content.startswith(b"%PDF-"):
            yield finding("PDF-INVALID", f"{place}/value", "no %PDF- at the start")
        if attribute(node, "ID") not in shown:
            yield finding("CDA-ADVICE", place, "a document that no text shows")
    if shown - held:
        yield finding("CDA-ADVICE", "ClinicalDocument//renderMultiMedia", "shows no document")


def decoded(node: Element | None) -> bytes | None:
    """Content of a Base64 element; None when it is empty or breaks the alphabet or the padding."""
    packed = "" if node is None else "".join(node.text.split())
    try:
        return base64.b64decode(packed, validate=True) if packed else None
    except (binascii.Error, ValueError):
        return None


_PDF_IN_BASE64: Final = ("JVBERi0", "JVBERi1", "JVBERi2", "JVBERi3")
"""`%PDF-` and the first two bits of what follows."""


def _packed(root: Element) -> str | None:
    node = child(root, "component/nonXMLBody/text")
    return None if node is None else node.text


def _decoded(root: Element) -> bytes | None:
    return decoded(child(root, "component/nonXMLBody/text"))
