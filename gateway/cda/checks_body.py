"""Own rules on the body: the inside of an N1, which no official rule looks at, and references of an N3."""

import base64
import binascii
from collections.abc import Iterator

from lxml import etree

from gateway.cda.values import CdaHeader
from gateway.cda.vocabulary import N1_TEMPLATES, TEMPLATE_UNSTRUCTURED
from gateway.cda.xml import attribute, child, name
from gateway.model.findings import Finding, finding

_TEMPLATES = "ClinicalDocument/templateId"
_TEXT = "ClinicalDocument/component/nonXMLBody/text"


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
    if values.body != "pdf":
        return
    content = _decoded(root)
    if content is not None and not content.startswith(b"%PDF-"):
        yield finding("PDF-INVALID", _TEXT, "no %PDF- at the start")


def references_resolve(root: etree._Element, values: CdaHeader) -> Iterator[Finding]:
    """Each `reference value="#x"` needs an ID="x"; the official N3 example has a dangling one: a warning."""
    if values.body != "structured":
        return
    known = {node.get("ID") for node in root.iter() if node.get("ID")}
    for node in root.iter(name("reference")):
        target = attribute(node, "value")
        if target.startswith("#") and target[1:] not in known:
            yield finding("CDA-ADVICE", "ClinicalDocument//reference", "a reference leads to no text")


def _decoded(root: etree._Element) -> bytes | None:
    node = child(root, "component/nonXMLBody/text")
    packed = "" if node is None else "".join((node.text or "").split())
    try:
        return base64.b64decode(packed, validate=True) if packed else None
    except (binascii.Error, ValueError):
        return None
