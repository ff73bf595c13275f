"""The document as values: elements by their written names, the same whether it is being written or was read.

Much cheaper than a tree of lxml, whose nodes are made anew each time one looks at them. The form as bytes is
that of libxml2 with indentation: an element that holds text is left as it is.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

INDENT: Final = "  "
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 cannot hold (§2.2); a sender's terminal codes, never content."""

_CHILDLESS: Final[list["Element"]] = []
_BARE: Final[dict[str, str]] = {}
"""Shared by all elements that hold nothing, which most do: never filled."""


class Element:
    """An element under its written name (`id`, `ps3-20:accessionNumber`); `tail` is the text behind it.

    Of what was read, names outside the namespaces of the header stand in Clark form (`gateway.cda.xml`). An
    element does not know its parent: without cycles a document is freed at once. `children` and `attributes`
    are for reading; what is added goes through the parent of the next element, and `set`.
    """

    __slots__ = ("attributes", "children", "tag", "tail", "text")

    def __init__(self, tag: str, parent: "Element | None" = None) -> None:
        self.tag = tag
        self.attributes = _BARE
        self.children = _CHILDLESS
        self.text = ""
        self.tail = ""
        if parent is not None:
            if parent.children:
                parent.children.append(self)
            else:
                parent.children = [self]

    def set(self, key: str, value: str) -> None:
        self.attributes = {**self.attributes, key: allowed(value)}

    def get(self, key: str) -> str:
        """ "" for an attribute that is not there."""
        return self.attributes.get(key, "")


def allowed(text: str) -> str:
    """`text` without the characters that no XML holds: a reader will not see them either."""
    return text if text.isprintable() else _FORBIDDEN.sub("", text)


def descendants(node: Element) -> list[Element]:
    """`node` and all below it, in the order of the document."""
    found: list[Element] = []
    pending = [node]
    while pending:
        one = pending.pop()
        found.append(one)
        if one.children:
            pending += one.children[::-1]
    return found


def serialised(root: Element) -> str:
    """`root` with its content, two blanks a level, one element a line where none of them holds text."""
    out: list[str] = []
    _write(root, out, "", "\n", True)
    out.append("\n")
    return "".join(out)


def _write(node: Element, out: list[str], lead: str, margin: str, pretty: bool) -> None:
    """`lead` stands before the element; `margin` begins its lines where they are `pretty`."""
    children, text = node.children, node.text
    head = f"{lead}<{node.tag}"
    for key, value in node.attributes.items():
        head += f' {key}="{_attribute(value)}"'
    if not children:
        out.append(f"{head}>{_escaped(text)}</{node.tag}>" if text else f"{head}/>")
        return
    out.append(f"{head}>{_escaped(text)}" if text else f"{head}>")
    if pretty:
        if text:
            pretty = False
        else:
            for child in children:
                if child.tail:
                    pretty = False
                    break
    inner = margin + INDENT
    lead = inner if pretty else ""
    for child in children:
        _write(child, out, lead, inner, pretty)
        if child.tail:
            out.append(_escaped(child.tail))
    out.append(f"{margin}</{node.tag}>" if pretty else f"</{node.tag}>")


def _escaped(text: str) -> str:
    """Content: what is printable and holds no markup stays as it is, as nearly every text."""
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text if text.isprintable() else _FORBIDDEN.sub("", text).replace("\r", "&#13;")


def _attribute(value: str) -> str:
    text = _escaped(value)
    if '"' in text:
        text = text.replace('"', "&quot;")
    return text if text.isprintable() else text.replace("\n", "&#10;").replace("\t", "&#9;")


def paths(root: Element, nodes: Iterable[tuple[Element, str]]) -> Iterator[tuple[str, str]]:
    """(path, second) of each (element, second): `ClinicalDocument/recordTarget/patientRole/id[2]`.

    Indexes stand only where siblings share the name.
    """
    known = {id(root): root.tag}
    pending = [root]
    while pending:
        parent = pending.pop()
        base = known[id(parent)]
        named: dict[str, list[Element]] = {}
        for one in parent.children:
            named.setdefault(one.tag, []).append(one)
            pending.append(one)
        for tag, siblings in named.items():
            path = f"{base}/{tag.rpartition('}')[2]}"
            if len(siblings) == 1:
                known[id(siblings[0])] = path
            else:
                known.update((id(one), f"{path}[{number}]") for number, one in enumerate(siblings, 1))
    return ((known[id(node)], second) for node, second in nodes)
