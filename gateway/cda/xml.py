"""Reading XML that strangers wrote: no DTD, no entities, no network; and small helpers over its elements.

Every XML document of unknown origin in this room goes through `parse`.
"""

import re
from collections import Counter
from typing import Final, cast

from lxml import etree

from gateway.cda.tree import Element
from gateway.cda.vocabulary import HL7, PS3_20, SDTC, XSI
from gateway.model.findings import Finding, finding

MAX_BYTES: Final = 50 * 1024 * 1024
"""Cap of one document (architecture decision 21); the libxml2 limits are lifted only below it."""
HUGE_FROM: Final = 8 * 1024 * 1024
"""libxml2 refuses text nodes above 10 MB by itself: larger documents need `huge_tree`."""
MAX_TAGS: Final = 500_000
MAX_DEPTH: Final = 256
MAX_ATTRIBUTES: Final = 64
"""No report comes near: start and end tags of a document, elements inside each other (libxml2's own limit,
which rises with `huge_tree`), attributes of one element (lxml needs the square of their number to read them:
100 000 held a core for 40 s)."""

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


def parse(data: bytes, *, whole: bool = True) -> Element:
    """Root element of `data`, comments and processing instructions left out.

    What stands in a structured body is left out where the caller does not want the `whole`.

    Elements of HL7 v3 have their bare name, those of the header's other namespaces the prefix under which we
    write them; any other keeps its namespace (`{urn:x}name`, `{}name`).

    Raises CdaError for anything that is not well-formed, is too large, has a DOCTYPE or an encoding that
    could hide one, or more tags or levels than any report.
    """
    if len(data) > MAX_BYTES:
        raise invalid(f"{len(data)} bytes, at most {MAX_BYTES} are read")
    if data.count(b"<") > MAX_TAGS:
        raise invalid(f"more than {MAX_TAGS} tags")
    declared = _ENCODING.match(data.removeprefix(_BOM)[:200])
    if declared and declared[1].decode("ascii").upper() not in ENCODINGS:
        raise invalid("encoding other than UTF-8")
    if b"\0" in data[:200]:
        raise invalid("encoding other than UTF-8")
    if _prolog_end(data).startswith(b"<!"):
        raise invalid("document type declaration: refused")
    try:
        return _tree(etree.fromstring(data, _parser(huge=len(data) >= HUGE_FROM)), whole)
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


_PREFIXES: Final = {HL7: "", PS3_20: "ps3-20:", SDTC: "sdtc:", XSI: "xsi:"}
_XSI: Final = f"{{{XSI}}}"
_BODY: Final = f"{{{HL7}}}component/{{{HL7}}}structuredBody"


def _tree(root: etree._Element, whole: bool) -> Element:
    """The same elements as values. Strangers nest as deep as they like: no call inside another."""
    if not whole:
        for body in root.findall(_BODY):
            del body[:]
    names: dict[str, str] = {}
    top = _element(root, None, names)
    around, made = [root], [top]  # the elements that are open, outermost first
    for node in root.iterdescendants():
        parent = node.getparent()
        while around[-1] is not parent:
            around.pop()
            made.pop()
        around.append(node)
        made.append(_element(node, made[-1], names))
        if len(around) > MAX_DEPTH:
            raise invalid(f"elements nested deeper than {MAX_DEPTH}")
    return top


def _element(node: etree._Element, parent: Element | None, names: dict[str, str]) -> Element:
    clark = node.tag
    tag = names.get(clark)
    if tag is None:
        tag = names[clark] = _written(clark if clark.startswith("{") else f"{{}}{clark}")
    made = Element(tag, parent)
    if len(node.attrib) > MAX_ATTRIBUTES:
        raise invalid(f"an element of more than {MAX_ATTRIBUTES} attributes")
    attributes = dict(node.items())
    for key in attributes:
        if str(key).startswith("{"):
            attributes = {str(one).replace(_XSI, "xsi:"): value for one, value in attributes.items()}
            break
    if attributes:
        made.attributes = cast(dict[str, str], attributes)
    made.text = node.text or ""
    made.tail = node.tail or ""
    return made


def _written(clark: str) -> str:
    namespace, _, local = clark[1:].rpartition("}")
    prefix = _PREFIXES.get(namespace)
    return clark if prefix is None else prefix + local


def child(node: Element | None, path: str) -> Element | None:
    """First descendant along `path` (`a/b/c`, names as `parse` gives them), None when any step is absent."""
    for step in path.split("/") if "/" in path else (path,):
        if node is None:
            return None
        found: Element | None = None
        for one in node.children:
            if one.tag == step:
                found = one
                break
        node = found
    return node


def children(node: Element | None, tag: str) -> list[Element]:
    """Children named `tag`."""
    return [] if node is None else [one for one in node.children if one.tag == tag]


def words(node: Element) -> str:
    """Text of an element and of all inside it, as it stands."""
    if not node.children:
        return node.text
    parts: list[str] = []
    pending: list[Element | str] = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            parts.append(one)
            continue
        parts.append(one.text)
        for inner in reversed(one.children):
            pending += (inner.tail, inner)
    return "".join(parts)


def text(node: Element | None) -> str:
    """Text of an element with its inner elements' text, white space collapsed."""
    return "" if node is None else " ".join(words(node).split())


def local(node: Element) -> str:
    """Name without its namespace."""
    return node.tag.rpartition("}")[2].rpartition(":")[2]


def attribute(node: Element | None, key: str) -> str:
    return "" if node is None else node.get(key).strip()


def places(root: Element) -> dict[Element, str]:
    """Every element's path from the root, without the name of the root: `component/structuredBody/…`; of
    several with one name each has its number."""
    found: dict[Element, str] = {}
    pending = [(root, "")]
    while pending:
        node, path = pending.pop()
        counts = Counter([one.tag for one in node.children])
        seen: Counter[str] = Counter()
        for one in node.children:
            seen[one.tag] += 1
            found[one] = f"{path}{one.tag}" + (f"[{seen[one.tag]}]" if counts[one.tag] > 1 else "")
            pending.append((one, f"{found[one]}/"))
    return found
