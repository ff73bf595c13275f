"""A small writer over lxml that remembers which canonical value made which element.

Elements are written in document order; an absent value writes nothing unless the caller asks for a
nullFlavor. `Writer.trace` gives (element path, canonical path) pairs, so that a finding on the document
leads back to the field that caused it.
"""

import re
from datetime import datetime, tzinfo
from typing import Final, cast

from lxml import etree

from gateway.cda.reader_parts import format_ts
from gateway.cda.vocabulary import CODE_SYSTEM_NAMES, HL7, PS3_20, SDTC, XSI
from gateway.cda.xml import name
from gateway.model.findings import Finding, finding
from gateway.model.terms import Code, Identifier

NSMAP: Final = cast("dict[str, str]", {None: HL7, "xsi": XSI, "ps3-20": PS3_20, "sdtc": SDTC})
"""lxml takes None for the default namespace; its type stubs do not know that."""
_PREFIXES = {PS3_20: "ps3-20:", SDTC: "sdtc:", HL7: ""}

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 cannot hold (§2.2); a sender's terminal codes, never content."""

UID = re.compile(
    r"[0-2](\.(0|[1-9]\d*))+|[A-Fa-f\d]{8}-[A-Fa-f\d]{4}-[A-Fa-f\d]{4}-[A-Fa-f\d]{4}-[A-Fa-f\d]{12}"
)
"""@root: an OID or a UUID (cda.md §3, row 4)."""


class Writer:
    """Builds one ClinicalDocument; collects findings and traces as it goes. `tz` is the site's local time."""

    def __init__(self, tz: tzinfo) -> None:
        self.root = etree.Element(name("ClinicalDocument"), nsmap=NSMAP)
        self.tz = tz
        self.findings: list[Finding] = []
        self._traces: list[tuple[etree._Element, str]] = []

    def add(
        self, parent: etree._Element, tag: str, text: str = "", source: str = "", /, **attributes: str
    ) -> etree._Element:
        """A child element of the HL7 namespace; empty attributes are left out."""
        node = etree.SubElement(parent, name(tag))
        for key, value in attributes.items():
            if value:
                node.set(key, cleaned(value))
        if text:
            node.text = cleaned(text)
        if source:
            self._traces.append((node, source))
        return node

    def text(self, parent: etree._Element, tag: str, text: str, source: str = "", /) -> None:
        """A child with text, nothing when the text is empty."""
        if text:
            self.add(parent, tag, text, source)

    def extension(self, parent: etree._Element, namespace: str, tag: str, /, **attributes: str) -> None:
        """An element of an extension namespace (sdtc, ps3-20)."""
        node = etree.SubElement(parent, f"{{{namespace}}}{tag}")
        source = attributes.pop("source", "")
        for key, value in attributes.items():
            node.set(key, cleaned(value))
        if source:
            self._traces.append((node, source))

    def null(self, parent: etree._Element, tag: str, flavor: str = "UNK") -> etree._Element:
        return self.add(parent, tag, nullFlavor=flavor)

    def identifier(
        self, parent: etree._Element, tag: str, found: Identifier | None, source: str, authority: str = ""
    ) -> bool:
        """An II with root and extension; `authority` stands in for a system that the sender did not name.

        Writes nothing and returns False when there is no value, or no usable root (AUTHORITY-MISSING).
        """
        if found is None or not found.value:
            return False
        root = self.root_of(found, source, authority)
        if root:
            self.add(parent, tag, "", source, root=root, extension=found.value)
        return bool(root)

    def root_of(self, found: Identifier, source: str, authority: str = "") -> str:
        """The OID or UUID that makes `found` unique, "" with a finding when there is none."""
        root = next((root for root in (found.system, authority) if UID.fullmatch(root)), "")
        if not root:
            self.find("AUTHORITY-MISSING", source)
        return root

    def document_id(self, parent: etree._Element, tag: str, unique_id: str, source: str) -> None:
        """An id of a document: `root`, or `root^extension` of a foreign one."""
        root, _, extension = unique_id.partition("^")
        self.add(parent, tag, "", source, root=root, extension=extension)

    def code(self, parent: etree._Element, tag: str, code: Code, source: str) -> etree._Element:
        """A CD/CE; displayName falls back to the code, since the French header requires one."""
        return self.add(
            parent,
            tag,
            "",
            source,
            code=code.code,
            displayName=code.display or code.code,
            codeSystem=code.system,
            codeSystemName=CODE_SYSTEM_NAMES.get(code.system, ""),
        )

    def time(self, parent: etree._Element, tag: str, moment: datetime | None, source: str) -> bool:
        """A TS with seconds and offset; False and nothing written when there is no time."""
        if moment is None:
            return False
        self.add(parent, tag, "", source, value=format_ts(moment, self.tz))
        return True

    def find(self, code: str, location: str, detail: str = "") -> None:
        self.findings.append(finding(code, location, detail))

    def trace(self) -> tuple[tuple[str, str], ...]:
        """(element path, canonical path) of every traced element, in document order."""
        paths: dict[etree._Element, str] = {self.root: "ClinicalDocument"}
        return tuple((_path(node, paths), source) for node, source in self._traces)


def _path(node: etree._Element, paths: dict[etree._Element, str]) -> str:
    """`ClinicalDocument/recordTarget/patientRole/id[2]`: indexes only where siblings share the name."""
    known = paths.get(node)
    if known is not None:
        return known
    parent = node.getparent()
    assert parent is not None, "only elements of the document are traced"
    base = _path(parent, paths)
    counts: dict[str, int] = {}
    for sibling in parent:
        counts[sibling.tag] = counts.get(sibling.tag, 0) + 1
    seen: dict[str, int] = {}
    for sibling in parent:
        seen[sibling.tag] = seen.get(sibling.tag, 0) + 1
        qualified = etree.QName(sibling)
        step = _PREFIXES[qualified.namespace or HL7] + qualified.localname
        index = f"[{seen[sibling.tag]}]" if counts[sibling.tag] > 1 else ""
        paths[sibling] = f"{base}/{step}{index}"
    return paths[node]


def cleaned(text: str) -> str:
    """The text without the characters that XML cannot hold."""
    return _FORBIDDEN.sub("", text)
