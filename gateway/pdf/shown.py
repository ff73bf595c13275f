"""The pages of a PDF as they are shown: image, words and where they stand."""

import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

DPI = 200
MOST_PIXELS = 16_000_000
"""Of a page; a larger page gets fewer dots an inch."""
MOST_PAGES = 300
_POINTS = 72
_FAR = 1000.0
_FINE = 100
"""Steps in a point when places are asked of the renderer, which knows whole numbers only."""


class ConvertError(ValueError):
    """The PDF cannot be shown: damaged, protected by a password, or far too long."""


class Word(NamedTuple):
    """A run of characters with its box, in the page's own space."""

    text: str
    left: float
    bottom: float
    right: float
    top: float


Matrix = tuple[float, float, float, float, float, float]
"""a b c d e f, as in a content stream."""


class Page(NamedTuple):
    """A page as it is shown: size in points, image (RGB or grey), words in their order.

    `turn` leads from the page's own space to where it is shown: cut to its crop box, turned by its rotation.
    """

    width: float
    height: float
    image: Any
    words: tuple[Word, ...]
    turn: Matrix


def pages(data: bytes) -> Iterator[Page]:
    """In order. Raises ConvertError."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise ConvertError(f"it cannot be opened: {error}") from None
    try:
        if len(document) > MOST_PAGES:
            raise ConvertError(f"{len(document)} pages, at most {MOST_PAGES} are converted")
        document.init_forms()
        for number in range(len(document)):
            try:
                yield _page(document[number])
            except pypdfium2.PdfiumError as error:
                raise ConvertError(f"page {number + 1} cannot be shown: {error}") from None
    finally:
        document.close()


def _page(page: Any) -> Page:
    width, height = page.get_size()
    scale = min(DPI / _POINTS, (MOST_PIXELS / max(1.0, width * height)) ** 0.5)
    image = page.render(scale=scale, fill_color=(255, 255, 255, 255), rev_byteorder=True).to_pil()
    image = image.convert("RGB")
    channels = image.split()
    if all(channel.tobytes() == channels[0].tobytes() for channel in channels[1:]):
        image = channels[0]
    return Page(width, height, image, tuple(_words(page)), _turn(page, width, height))


def _words(page: Any) -> Iterator[Word]:
    """Characters that follow each other on one line, without white space."""
    from pypdfium2 import raw

    text = page.get_textpage()
    current: Word | None = None
    for at in range(text.count_chars()):
        code = raw.FPDFText_GetUnicode(text.raw, at)
        letter = chr(code) if 32 < code < 0xFFFE and not 0xD800 <= code < 0xE000 else " "
        if letter.isspace():
            if current is not None:
                yield current
            current = None
            continue
        found = Word(letter, *text.get_charbox(at, loose=True))
        joined = _joined(current, found) if current is not None else None
        if current is not None and joined is None:
            yield current
        current = joined or found
    if current is not None:
        yield current


def _joined(word: Word, letter: Word) -> Word | None:
    """The longer word, None when the letter stands elsewhere."""
    size = max(word.top - word.bottom, 1.0)
    same_line = abs(letter.bottom - word.bottom) < size / 2
    if not same_line or not -size < letter.left - word.right < size:
        return None
    return Word(
        word.text + letter.text,
        min(word.left, letter.left),
        min(word.bottom, letter.bottom),
        max(word.right, letter.right),
        max(word.top, letter.top),
    )


def _turn(page: Any, width: float, height: float) -> Matrix:
    """From three points of the page and where the renderer puts them."""
    from pypdfium2 import raw

    size = round(width * _FINE), round(height * _FINE)

    def shown(x: float, y: float) -> tuple[float, float]:
        across, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page.raw, 0, 0, *size, 0, x, y, ctypes.byref(across), ctypes.byref(down))
        return across.value / _FINE, height - down.value / _FINE

    (x0, y0), (x1, y1), (x2, y2) = shown(0, 0), shown(_FAR, 0), shown(0, _FAR)
    turned = (x1 - x0, y1 - y0, x2 - x0, y2 - y0)
    a, b, c, d = (float(round(value / _FAR)) for value in turned)
    return a, b, c, d, x0, y0
