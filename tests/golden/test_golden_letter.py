"""The words of a letter's pages, in reading order. Bytes change with typst; words must not."""

import pypdfium2

from gateway import pdf
from tests.golden import golden
from tests.reports import IDENTITY, REPLACEMENT, VERSION


def words(data: bytes) -> bytes:
    pages = (page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(data))
    return "\n\f\n".join(pages).replace("\r\n", "\n").encode() + b"\n"


def test_the_words_of_the_full_letter() -> None:
    golden("letter_full.txt", words(pdf.typeset(pdf.letter(VERSION), IDENTITY.created_at)))


def test_the_words_of_a_replacement() -> None:
    golden("letter_replacement.txt", words(pdf.typeset(pdf.letter(REPLACEMENT), IDENTITY.created_at)))
