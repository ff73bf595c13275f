"""A small writer that remembers which canonical value made which element.

Elements are written in document order; an absent value writes nothing unless the caller asks for a
nullFlavor. `Writer.trace` gives (element path, canonical path) pairs, so that a finding on the document
leads back to the field that caused it.
"""

import re
from datetime import datetime, tzinfo
from typing import Final

from gateway.cda.reader_parts import format_ts
from gateway.cda.tree import Element, allowed, paths
from gateway.cda.vocabulary import CODE_SYSTEM_NAMES, HL7, PS3_20, SDTC, XSI
from gateway.model.findings import Finding, finding
from gateway.model.terms import Code, Identifier

NAMESPACES: Final = {"xmlns": HL7, "xmlns:xsi": XSI, "xmlns:ps3-20": PS3_20, "xmlns:sdtc": SDTC}

MARK: Final = "PDF"
"""Stands in the element of a content while it is written."""
UID: Final = re.compile(
    r"[0-2](\.(0|[1-9]\d*))+|[A-Fa-f\d]{8}-[A-Fa-f\d]{4}-[A-Fa-f\d]{4}-[A-Fa-f\d]{4}-[A-Fa-f\d]{12}"
)
"""@root: an OID or a UUID (cda.md §3, row 4)."""


class Writer:
    """Builds one ClinicalDocument; collects findings and traces as it goes. `tz` is the site's local time."""

    def __init__(self, tz: tzinfo) -> None:
        self.root = Element("ClinicalDocument")
        for prefix, namespace in NAMESPACES.items():
            self.root.set(prefix, namespace)
        self.tz = tz
        self.findings: list[Finding] = []
        self.contents: list[tuple[Element, bytes]] = []
        """Elements with the Base64 that goes where their mark stands."""
        self._traces: list[tuple[Element, str]] = []

    def add(
        self, parent: Element, tag: str, text: str = "", source: str = "", /, **attributes: str
    ) -> Element:
        """A child element of the HL7 namespace; empty attributes are left out."""
        node = Element(tag, parent)
        for value in attributes.values():
            if not value or not value.isprintable():
                attributes = {key: allowed(one) for key, one in attributes.items() if one}
                break
        if attributes:
            node.attributes = attributes
        if text:
            node.text = allowed(text)
        if source:
            self._traces.append((node, source))
        return node

    def text(self, parent: Element, tag: str, text: str, source: str = "", /) -> None:
        """A child with text, nothing when the text is empty."""
        if text:
            self.add(parent, tag, text, source)

    def content(self, parent: Element, tag: str, data: bytes, media_type: str) -> None:
        """An element that encloses `data` in Base64."""
        node = self.add(parent, tag, MARK, mediaType=media_type, representation="B64")
        self.contents.append((node, data))

    def null(self, parent: Element, tag: str, flavor: str = "UNK") -> Element:
        return self.add(parent, tag, nullFlavor=flavor)

    def identifier(
        self, parent: Element, tag: str, found: Identifier | None, source: str, authority: str = ""
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

    def document_id(self, parent: Element, tag: str, unique_id: str, source: str) -> None:
        """An id of a document: `root`, or `root^extension` of a foreign one."""
        root, _, extension = unique_id.partition("^")
        self.add(parent, tag, "", source, root=root, extension=extension)

    def code(self, parent: Element, tag: str, code: Code, source: str) -> Element:
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

    def time(self, parent: Element, tag: str, moment: datetime | None, source: str) -> bool:
        """A TS with seconds and offset; False and nothing written when there is no time."""
        if moment is None:
            return False
        self.add(parent, tag, "", source, value=format_ts(moment, self.tz))
        return True

    def find(self, code: str, location: str, detail: str = "") -> None:
        self.findings.append(finding(code, location, detail))

    def trace(self) -> tuple[tuple[str, str], ...]:
        """(element path, canonical path) of every traced element, in the order they were written."""
        return tuple(paths(self.root, self._traces))
