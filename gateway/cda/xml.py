"""Reading XML that strangers wrote: no DTD, no entities, no network; and small helpers over lxml.

Every XML document of unknown origin in this room goes through `parse`.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from lxml import etree

from gateway.cda.vocabulary import HL7
from gateway.model.findings import Finding, finding

MAX_BYTES: Final = 50 * 1024 * 1024
"""Cap of one document (architecture decision 21); the libxml2 limits are lifted only below it."""
HUGE_FROM: Final = 8 * 1024 * 1024
"""libxml2 refuses text nodes above 10 MB by itself: larger documents need `huge_tree`."""

ENCODINGS: Final = frozenset({"UTF-8", "US-ASCII", "ASCII", "ISO-8859-1", "ISO-8859-15", "WINDOWS-1252"})
"""Encodings in which `<!DOCTYPE` is the same nine bytes, so that the refusal below cannot be dodged."""

_ENCODING: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BOM: Final = b"\xef\xbb\xbf"


class CdaError(Exception):
    """The bytes are no CDA that can be read; `findings` say why (CDA-INVALID)."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(map(str, findings)))
        self.findings = findings


def invalid(detail: str, location: str = "ClinicalDocument") -> CdaError:
    return CdaError(finding("CDA-INVALID", location, detail))


def parse(data: bytes) -> etree._Element:
    """Root element of `data`, comments and processing instructions left out.

    Raises CdaError for anything that is not well-formed, is too large, has a DOCTYPE or an encoding that
    could hide one.
    """
    if len(data) > MAX_BYTES:
        raise invalid(f"{len(data)} bytes, at most {MAX_BYTES} are read")
    declared = _ENCODING.match(data.removeprefix(_BOM)[:200])
    if declared and declared[1].decode("ascii").upper() not in ENCODINGS:
        raise invalid("encoding other than UTF-8")
    if b"\0" in data[:200]:
        raise invalid("encoding other than UTF-8")
    if _prolog_end(data).startswith(b"<!"):
        raise invalid("document type declaration: refused")
    try:
        return etree.fromstring(data, _parser(huge=len(data) >= HUGE_FROM))
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise invalid(f"not well-formed at line {line}, column {column}") from None


def _parser(*, huge: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        huge_tree=huge,
    )


def _prolog_end(data: bytes) -> bytes:
    """The first bytes after XML declaration, comments and processing instructions."""
    position = len(_BOM) if data.startswith(_BOM) else 0
    while True:
        while data[position : position + 1] in (b" ", b"\t", b"\r", b"\n"):
            position += 1
        for opening, closing in ((b"<?", b"?>"), (b"<!--", b"-->")):
            if data.startswith(opening, position):
                end = data.find(closing, position + len(opening))
                position = len(data) if end < 0 else end + len(closing)
                break
        else:
            return data[position : position + 9]


def name(tag: str) -> str:
    """Clark name of an HL7 v3 element."""
    return f"{{{HL7}}}{tag}"


def child(node: etree._Element | None, path: str) -> etree._Element | None:
    """First descendant along `path` (`a/b/c`, HL7 names), None when any step is absent."""
    for step in _steps(path):
        if node is None:
            return None
        node = next(node.iterchildren(step), None)
    return node


@cache  # paths are written in this room, so they are few
def _steps(path: str) -> tuple[str, ...]:
    return tuple(map(name, path.split("/")))


def children(node: etree._Element | None, tag: str) -> Iterator[etree._Element]:
    """Children named `tag` (HL7 namespace)."""
    return iter(()) if node is None else node.iterchildren(*_steps(tag))


def text(node: etree._Element | None) -> str:
    """Text of an element with its inner elements' text, white space collapsed."""
    if node is None:
        return ""
    found = "".join(map(str, node.itertext())) if len(node) else node.text or ""
    return " ".join(found.split())


def attribute(node: etree._Element | None, key: str) -> str:
    return "" if node is None else (node.get(key) or "").strip()
