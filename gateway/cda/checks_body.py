"""Own rules on the body: the inside of an N1, which no official rule looks at, and references of an N3."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from gateway.cda.values import CdaHeader
from gateway.cda.vocabulary import N1_TEMPLATES, TEMPLATE_UNSTRUCTURED
from gateway.cda.xml import attribute, child, name
from gateway.model.findings import Finding, finding

_TEMPLATES: Final = "ClinicalDocument/templateId"
_TEXT: Final = "ClinicalDocument/component/nonXMLBody/text"


def n1_templates(root: etree._Element, values: CdaHeader) -> Iterator[Finding]:
    """Exactly the three of an unstructured document, and its own one on no structured body."""
    if values.body == "structured":
        if TEMPLATE_UNSTRUCTURED in values.roots:
            yield finding("CDA-RULE", _TEMPLATES, "template of an unstructured document on a structured body")
    elif len(values.template_ids) != len(N1_TEMPLATES) or values.roots != frozenset(N1_TEMPLATES):
        yield finding("CDA-RULE", _TEMPLATES, f"{len(values.template_ids)} templateIds, not the three of N1")


def text_representation(root: etree._Element, values: CdaHeader) -> Iterator[Finding]:
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


def base64_strict(root: etree._Element, values: CdaHeader) -> Iterator[Finding]:
    """RFC 4648 alphabet and padding; line breaks are common in examples and pass."""
    if values.body in ("pdf", "text") and _decoded(root) is None:
        yield finding("HL7-BASE64", _TEXT)


def pdf_magic(root: etree._Element, values: CdaHeader) -> Iterator[Finding]:
    begins = (_packed(root) or "").lstrip().startswith(_PDF_IN_BASE64)
    if values.body == "text" and begins:
        yield finding("CDA-RULE", f"{_TEXT}/@mediaType", "a PDF that is declared as text")
    if values.body != "pdf" or begins:
        return
    content = _decoded(root)
    if content is not None and not content.startswith(b"%PDF-"):
        yield finding("PDF-INVALID", _TEXT, "no %PDF- at the start")


def references_resolve(root: etree._Element, values: CdaHeader) -> Iterator[Finding]:
    """Each `reference value="#x"` needs an ID="x" in the text of its own section (or one around it).

    The official N3 example has a dangling one: a warning.
    """
    if values.body != "structured":
        return
    known: dict[etree._Element, set[str]] = {}
    for node in root.iter(name("reference")):
        target = attribute(node, "value")
        if not target.startswith("#"):
            continue
        section = next(node.iterancestors(name("section")), root)
        if section not in known:
            known[section] = _known_ids(section)
        if target[1:] not in known[section]:
            own = f"section[code/@code='{_code(section)}']//" if section is not root else ""
            place = f"ClinicalDocument//{own}reference"
            yield finding("CDA-ADVICE", place, "a reference leads to no text of its section")


def _known_ids(section: etree._Element) -> set[str]:
    """IDs in the text of a section and of those around it; outside any section, all of the document."""
    around = (section, *section.iterancestors(name("section")))
    texts = [found for item in around if (found := child(item, "text")) is not None]
    return {attribute(node, "ID") for found in texts or [section] for node in found.iter() if node.get("ID")}


def _code(section: etree._Element) -> str:
    found = attribute(child(section, "code"), "code")
    return found if _CODE.fullmatch(found) else "?"


_CODE: Final = re.compile(r"[\w.-]{1,20}")


def sections_present(root: etree._Element, values: CdaHeader) -> Iterator[Finding]:
    """A structured body says something: at least one section, and words in one of them."""
    if values.body != "structured":
        return
    body = child(root, "component/structuredBody")
    texts = [] if body is None else list(body.iter(name("text")))
    if not any("".join(map(str, node.itertext())).strip() for node in texts):
        yield finding("CDA-RULE", "ClinicalDocument/component/structuredBody", "no word in any section")


def media_sound(root: etree._Element, values: CdaHeader) -> Iterator[Finding]:
    """Documents inside a structured body: strict Base64, a PDF that is one, each shown where it stands."""
    shown = {attribute(node, "referencedObject") for node in root.iter(name("renderMultiMedia"))}
    held = set()
    for index, node in enumerate(root.iter(name("observationMedia")), 1):
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


def decoded(node: etree._Element | None) -> bytes | None:
    """Content of a Base64 element; None when it is empty or breaks the alphabet or the padding."""
    packed = "" if node is None else "".join((node.text or "").split())
    try:
        return base64.b64decode(packed, validate=True) if packed else None
    except (binascii.Error, ValueError):
        return None


_PDF_IN_BASE64: Final = ("JVBERi0", "JVBERi1", "JVBERi2", "JVBERi3")
"""`%PDF-` and the first two bits of what follows."""


def _packed(root: etree._Element) -> str | None:
    node = child(root, "component/nonXMLBody/text")
    return None if node is None else node.text


def _decoded(root: etree._Element) -> bytes | None:
    return decoded(child(root, "component/nonXMLBody/text"))
