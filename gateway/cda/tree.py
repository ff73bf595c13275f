"""The document while it is written: elements by their written names, and their form as bytes.

Much faster than a tree of lxml, which makes nodes for reading. The form is that of libxml2 with indentation:
an element that holds text is left as it is.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

INDENT: Final = "  "
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 cannot hold (§2.2); a sender's terminal codes, never content."""


class Element:
    """An element under its written name (`id`, `ps3-20:accessionNumber`); `tail` is the text behind it.

    `head` is its start tag without the end, attributes included. Names are ours, never a sender's. An
    element does not know its parent: without cycles a document is freed at once.
    """

    __slots__ = ("children", "head", "tag", "tail", "text")

    def __init__(self, tag: str, parent: "Element | None" = None) -> None:
        self.tag = tag
        self.head = f"<{tag}"
        self.children: list[Element] = []
        self.text = ""
        self.tail = ""
        if parent is not None:
            parent.children.append(self)

    def set(self, key: str, value: str) -> None:
        self.head += f' {key}="{_attribute(value)}"'


def serialised(root: Element) -> str:
    """`root` with its content, two blanks a level, one element a line where none of them holds text."""
    out: list[str] = []
    _write(root, out.append, "\n", pretty=True)
    out.append("\n")
    return "".join(out)


def _write(node: Element, out: Callable[[str], None], margin: str, *, pretty: bool) -> None:
    children, text = node.children, node.text
    if not children:
        out(f"{node.head}>{_escaped(text)}</{node.tag}>" if text else f"{node.head}/>")
        return
    out(f"{node.head}>{_escaped(text)}" if text else f"{node.head}>")
    if pretty:
        if text:
            pretty = False
        else:
            for child in children:
                if child.tail:
                    pretty = False
                    break
    inner = margin + INDENT
    for child in children:
        if pretty:
            out(inner)
        _write(child, out, inner, pretty=pretty)
        if child.tail:
            out(_escaped(child.tail))
    out(f"{margin}</{node.tag}>" if pretty else f"</{node.tag}>")


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
            path = f"{base}/{tag}"
            if len(siblings) == 1:
                known[id(siblings[0])] = path
            else:
                known.update((id(one), f"{path}[{number}]") for number, one in enumerate(siblings, 1))
    return ((known[id(node)], second) for node, second in nodes)
