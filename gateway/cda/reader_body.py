"""The structured body of a received CDA → titled sections of narrative blocks. Entries are not read.

Whatever the sender's markup, each word of the narrative comes out once and in order.
"""

import re
from collections.abc import Iterator
from typing import Final

from gateway.cda.reader_people import author
from gateway.cda.tree import Element
from gateway.cda.values import Party
from gateway.cda.xml import attribute, child, children, local, text
from gateway.model.base import Value
from gateway.model.narrative import Block

_SPACES: Final = re.compile(r"[ \t\r\n]+")
_AROUND_BREAK: Final = re.compile(r" *\n *")
_BLOCKS: Final = frozenset(("paragraph", "list", "table"))
ATTACHED: Final = "[Document joint]"
"""Stands in text where a multimedia object is shown."""


class BodySection(Value):
    """One section; `level` 0 for a section of the body, 1 for its sub-section. `code` is LOINC or DCM."""

    code: str
    title: str
    level: int = 0
    blocks: tuple[Block, ...] = ()
    authors: tuple[Party, ...] = ()


def body_sections(root: Element) -> tuple[BodySection, ...]:
    """All sections of a ClinicalDocument in reading order, sub-sections after the text of theirs."""
    return tuple(_sections(child(root, "component/structuredBody"), 0))


def _sections(parent: Element | None, level: int) -> Iterator[BodySection]:
    for component in children(parent, "component"):
        section = child(component, "section")
        if section is None:
            continue
        code = child(section, "code")
        yield BodySection(
            code=attribute(code, "code"),
            title=text(child(section, "title")) or attribute(code, "displayName"),
            level=level,
            blocks=narrative_blocks(child(section, "text")),
            authors=tuple(author(node) for node in children(section, "author")),
        )
        yield from _sections(section, level + 1)


def narrative_blocks(node: Element | None) -> tuple[Block, ...]:
    """Blocks of a narrative element (`text`, `item`); loose words between blocks become paragraphs."""
    return tuple(_blocks(node)) if node is not None else ()


def _blocks(node: Element) -> Iterator[Block]:
    loose: list[str] = [node.text]
    for part in node.children:
        if part.tag in _BLOCKS:
            yield from _paragraph("".join(loose))
            loose = []
            yield from _block(part)
        else:
            loose.append(_inline(part))
        loose.append(part.tail)
    yield from _paragraph("".join(loose))


def _paragraph(raw: str, *, heading: bool = False) -> Iterator[Block]:
    words = tidy(raw)
    if words:
        yield Block(text=words, heading=heading)


def _block(node: Element) -> Iterator[Block]:
    if node.tag == "paragraph":
        yield from _paragraph(_inside(node), heading=_is_bold(node))
    elif node.tag == "list":
        yield from _list(node)
    else:
        yield from _table(node)


def _is_bold(node: Element) -> bool:
    """A paragraph that is all bold titles what follows."""
    only = node.children
    return (
        len(only) == 1
        and not node.text.strip()
        and not only[0].tail.strip()
        and "bold" in attribute(only[0], "styleCode").lower()
    )


def _list(node: Element) -> Iterator[Block]:
    """One item that holds blocks is only a frame around them."""
    items = list(children(node, "item"))
    caption = words_of(found) if (found := child(node, "caption")) is not None else ""
    if len(items) == 1 and any(part.tag in _BLOCKS for part in items[0].children):
        yield from _paragraph(caption, heading=True)
        yield from _blocks(items[0])
        return
    texts = tuple(words for item in items if (words := words_of(item)))
    if texts:
        yield Block(text=caption, items=texts, ordered=attribute(node, "listType") == "ordered")


def _table(node: Element) -> Iterator[Block]:
    caption = words_of(found) if (found := child(node, "caption")) is not None else ""
    head = [_cells(row) for part in children(node, "thead") for row in children(part, "tr")]
    rows = [
        _cells(row)
        for tag in ("tbody", "tfoot")
        for part in children(node, tag)
        for row in children(part, "tr")
    ]
    header = head[0] if head else ()
    rows = [row for row in (*head[1:], *rows) if any(row)]
    if rows or any(header):
        yield Block(text=caption, header=header, rows=tuple(rows) or ((),))


def _cells(row: Element) -> tuple[str, ...]:
    return tuple(words_of(cell) for cell in row.children)


def words_of(node: Element) -> str:
    """Words of an element as a reader sees them, in their lines."""
    return tidy(_inside(node))


def _inside(node: Element) -> str:
    """Words of an element; blocks inside it stand on lines of their own."""
    parts = [node.text]
    for part in node.children:
        parts += [_inline(part), part.tail]
    return "".join(parts)


def _inline(node: Element) -> str:
    kind = local(node)
    if kind == "br":
        return "\v"
    if kind == "renderMultiMedia":
        return ATTACHED
    if kind == "item":
        return f"\v– {_inside(node)}\v"
    if kind in ("paragraph", "list", "table", "tr", "caption"):
        return f"\v{_inside(node)}\v"
    words = _inside(node)
    if kind == "linkHtml":
        target = attribute(node, "href")
        return f"{words} ({target})" if target and target not in words else words
    return f"{words} " if kind in ("td", "th") else words


def tidy(raw: str) -> str:
    """White space as a reader sees it: runs are one space, a break (\\v here) is one line end."""
    lines = _SPACES.sub(" ", raw).replace("\v", "\n")
    return _AROUND_BREAK.sub("\n", lines).strip()
