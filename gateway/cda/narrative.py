"""Sections and their human-readable text: the words first, entries refer to them (CDA R2 §4.3.5)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.cda.tree import Element, allowed
from gateway.cda.vocabulary_n3 import SectionSpec
from gateway.cda.writer import Writer
from gateway.model.narrative import Block, blocks_of
from gateway.model.report import Section
from gateway.model.version import VersionIdentity


class Cell(NamedTuple):
    """A table cell: `text` with its line breaks; `id` is what an entry refers to."""

    text: str
    id: str = ""


def open_section(
    out: Writer,
    parent: Element,
    spec: SectionSpec,
    identity: VersionIdentity,
    *,
    title: str = "",
    index: int = 0,
) -> Element:
    """component/section with templates, id, code and title; its text comes next."""
    section = out.add(out.add(parent, "component"), "section")
    for root in spec.templates:
        out.add(section, "templateId", root=root)
    number = f"/{index}" if index else ""
    out.add(section, "id", root=identity.oid(f"section/{spec.key}{number}"))
    out.code(section, "code", spec.code, "")
    out.add(section, "title", title or spec.title)
    return section


class Narrative:
    """The `text` of one section."""

    def __init__(self, out: Writer, section: Element, source: str = "") -> None:
        self.out = out
        self.node = out.add(section, "text", "", source)

    def heading(self, text: str) -> None:
        self.out.add(self.out.add(self.node, "paragraph"), "content", text, styleCode="Bold")

    def paragraph(self, text: str, target: str = "", label: str = "") -> None:
        """A paragraph; with `target` its words (without the label) can be referred to."""
        node = self.out.add(self.node, "paragraph")
        if not target:
            _lines(node, label + text)
            return
        if label:
            node.text = label
        _lines(self.out.add(node, "content", ID=target), text)

    def blocks(self, blocks: Iterable[Block], target: str = "") -> None:
        """Blocks in order. Under `target` all of them can be referred to as one."""
        found = tuple(blocks)
        if not target:
            for block in found:
                self._block(self.node, block)
        elif any(block.items or block.rows or block.heading for block in found):
            item = self.out.add(self.out.add(self.node, "list"), "item", ID=target)
            for block in found:
                self._block(item, block)
        else:
            self.paragraph("\n\n".join(block.text for block in found), target)

    def sections(self, sections: Sequence[Section], shown: str = "") -> None:
        """Sections of one kind, one after the other; `shown` is the title that stands above already."""
        self.blocks(titled_blocks(sections, shown))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        self._table(self.node, "", header, rows)

    def _block(self, parent: Element, block: Block) -> None:
        if block.rows:
            rows = [[Cell(text) for text in row] for row in block.rows]
            self._table(parent, block.text, block.header, rows)
        elif block.items:
            node = self.out.add(parent, "list", listType="ordered" if block.ordered else "unordered")
            if block.text:
                self.out.add(node, "caption", block.text)
            for text in block.items:
                _lines(self.out.add(node, "item"), text)
        elif block.heading:
            self.out.add(self.out.add(parent, "paragraph"), "content", block.text, styleCode="Bold")
        else:
            _lines(self.out.add(parent, "paragraph"), block.text)

    def _table(
        self, parent: Element, caption: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
    ) -> None:
        table = self.out.add(parent, "table", border="0")
        if caption:
            self.out.add(table, "caption", caption)
        if header:
            line = self.out.add(self.out.add(table, "thead"), "tr")
            for text in header:
                _lines(self.out.add(line, "th"), text)
        body = self.out.add(table, "tbody")
        for row in rows:
            line = self.out.add(body, "tr")
            for cell in row:
                node = self.out.add(line, "td")
                _lines(self.out.add(node, "content", ID=cell.id) if cell.id else node, cell.text)


def titled_blocks(sections: Sequence[Section], shown: str = "") -> tuple[Block, ...]:
    """Blocks of all sections; a sender's title other than `shown` heads its own."""
    return tuple(
        block
        for section in sections
        for block in (
            *((Block(text=section.title, heading=True),) if section.title not in ("", shown) else ()),
            *(section.blocks or blocks_of(section.text)),
        )
    )


def title_of(sections: Sequence[Section]) -> str:
    """The sender's title when it can be that of the whole section."""
    return sections[0].title if len(sections) == 1 else ""


def reference(out: Writer, parent: Element, target: str, tag: str = "text") -> None:
    """`<text><reference value="#target"/></text>`, or an originalText."""
    out.add(out.add(parent, tag), "reference", value=f"#{target}")


def _lines(node: Element, text: str) -> None:
    """Text of an element, line breaks as `br`."""
    first, *others = allowed(text).split("\n")
    node.text = first
    for line in others:
        Element("br", node).tail = line
