"""Narrative: paragraphs, lists and simple tables, and plain text as the shortest form of them."""

import re
from itertools import groupby
from typing import Final

from gateway.model.base import Value


class Block(Value):
    """One block of narrative in reading order: what its filled fields say.

    A table has `rows` (and perhaps a `header`), a list has `items`, anything else is a paragraph of `text`
    with its line breaks as `\\n`. In a list or table, `text` is the caption. `heading` marks a paragraph that
    titles what follows.
    """

    text: str = ""
    heading: bool = False
    items: tuple[str, ...] = ()
    ordered: bool = False
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


BULLETS: Final = "-–—•*·"
_BULLET = re.compile(rf"[ \t]*(?P<sign>[{re.escape(BULLETS)}])[ \t]+(?P<rest>\S.*)")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")


def blocks_of(text: str) -> tuple[Block, ...]:
    """Plain text → blocks: blank lines part paragraphs, two or more lines with one bullet make a list.

    A lone line with a dash stays as it is (it may be a minus). Nothing but bullets and white space at the
    ends of paragraphs is left out.
    """
    found: list[Block] = []
    for part in _BLANK_LINES.split(_LINE_ENDS.sub("\n", text)):
        lines = part.strip("\n").split("\n")
        for listed, run in groupby(_bulleted(lines), key=lambda item: item[1]):
            content = [line for line, _ in run]
            if listed:
                found.append(Block(items=tuple(content)))
            elif any(line.strip() for line in content):
                found.append(Block(text="\n".join(content)))
    return tuple(found)


def _bulleted(lines: list[str]) -> list[tuple[str, str]]:
    """(line, sign): the line without its bullet and the sign, or the line as it is and ""."""
    matches = [_BULLET.fullmatch(line) for line in lines]
    signs = [match["sign"] if match else "" for match in matches]
    found = []
    for index, (line, match) in enumerate(zip(lines, matches, strict=True)):
        beside = (signs[index - 1] if index else "", signs[index + 1] if index + 1 < len(signs) else "")
        if match is not None and match["sign"] in beside:
            found.append((match["rest"], match["sign"]))
        else:
            found.append((line, ""))
    return found


def text_of(blocks: tuple[Block, ...]) -> str:
    """Blocks → plain text: blank lines between blocks, `- ` before items, cells parted by ` | `."""
    return "\n\n".join(_plain(block) for block in blocks)


def _plain(block: Block) -> str:
    lines = [block.text] if block.text else []
    for number, item in enumerate(block.items, 1):
        sign = f"{number}." if block.ordered else "-"
        lines.append(f"{sign} {item}")
    lines += [" | ".join(row) for row in (block.header, *block.rows) if row]
    return "\n".join(lines)
