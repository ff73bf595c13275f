"""What a page shows: the report as a letter, ready to be set as PDF/A or HTML."""

from gateway.model.base import Value
from gateway.model.narrative import Block


class LetterSection(Value):
    """Heading and paragraphs, in reading order; a paragraph keeps its line breaks as `\\n`.

    `blocks` stand in for the paragraphs where there are lists or tables. `level` 1 is a sub-section.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    level: int = 0


class Letter(Value):
    """A report as people read it, in French. Rows are (label, value) pairs already in words.

    `ins` is the matricule as printed (15 characters), "" when the identity has none.
    """

    title: str
    sender: tuple[str, ...]
    """Letterhead: name of the structure, address lines, telephone."""
    identity: tuple[tuple[str, str], ...]
    ins: str = ""
    exam: tuple[tuple[str, str], ...] = ()
    recipients: tuple[str, ...] = ()
    sections: tuple[LetterSection, ...] = ()
    signature: tuple[str, ...] = ()
    """« Validé électroniquement par … le … »."""
    footer: str = ""
    language: str = "fr"
