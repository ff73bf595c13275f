"""A letter → the plain data that the template sets: French spaces, breaks in overlong words, fixed columns.

Done here because the same rules as typst `show` rules cost a quarter of the time of a page (measured).
"""

import re
import unicodedata
from typing import Any

from gateway.model.letter import Letter, LetterSection
from gateway.model.narrative import Block
from gateway.model.wording import NBSP

_BREAK = "\N{ZERO WIDTH SPACE}"
_BEFORE_HIGH_SIGN = re.compile(" (?=[:;!?»])")
_OVERLONG = re.compile(r"\S{60,}")
_CODE = re.compile(r"\S{24,}")
_JOINT = re.compile(r"([./?&=])")
_COLUMNS = re.compile(r"\S {3,}\S|\t")
_TAB = " " * 8


def page(letter: Letter) -> dict[str, Any]:
    """The fields of `Letter` as JSON takes them.

    A paragraph is `{"text": …}`, or `{"fixed": …}` where a RIS laid text out in columns: fixed pitch, spaces
    as they came.
    """
    return {
        "title": _text(letter.title),
        "author": letter.sender[0] if letter.sender else "",
        "language": letter.language,
        "sender": [_text(one) for one in letter.sender],
        "identity": _rows(letter.identity),
        "recipients": [_text(one) for one in letter.recipients],
        "exam": _rows(letter.exam),
        "sections": [_section(one) for one in letter.sections],
        "signature": [_text(one) for one in letter.signature],
        "footer": _text(letter.footer),
    }


def _section(section: LetterSection) -> dict[str, Any]:
    return {
        "title": _text(section.title),
        "level": section.level + 1,
        "paragraphs": [_paragraph(one) for one in section.paragraphs],
        "blocks": [_block(one) for one in section.blocks],
    }


def _block(block: Block) -> dict[str, Any]:
    return {
        "caption": _text(block.text),
        "heading": block.heading,
        "items": [_text(one) for one in block.items],
        "ordered": block.ordered,
        "header": [_cell(one) for one in block.header],
        "rows": [[_cell(one) for one in row] for row in block.rows],
        "paragraph": _paragraph(block.text),
    }


def _paragraph(text: str) -> dict[str, str]:
    if _COLUMNS.search(text):
        return {"fixed": text.replace("\t", _TAB).replace(" ", NBSP)}
    return {"text": "\n".join(line.rstrip() for line in _text(text).split("\n"))}


def _rows(rows: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """The pairs, and how wide the column of their labels is: em."""
    longest = max((len(label) for label, _ in rows), default=0)
    pairs = [[_text(label), _text(value)] for label, value in rows]
    return {"wide": min(1 + 0.45 * longest, 17), "pairs": pairs}


def _text(text: str) -> str:
    """French puts a space before some signs and inside guillemets: it must not end a line. A word that is
    wider than the page (a path, a row of dashes) breaks anywhere."""
    spaced = _BEFORE_HIGH_SIGN.sub(NBSP, text).replace("« ", f"«{NBSP}")
    return _OVERLONG.sub(_anywhere, spaced)


def _anywhere(word: re.Match[str]) -> str:
    """Between any two signs, but not before a combining one."""
    return "".join(sign if unicodedata.combining(sign) else _BREAK + sign for sign in word[0])[1:]


def _cell(text: str) -> str:
    """A UID or an address in a table may break after its points and slashes."""
    return _CODE.sub(lambda word: _JOINT.sub(rf"\1{_BREAK}", word[0]), _text(text))
