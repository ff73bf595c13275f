"""A received PDF → PDF/A-1b that looks the same: each page as an image, its text unseen above it.

Whatever the page uses (fonts that are not embedded, transparency, forms, scripts) ends as pixels; words stay
where they were, so that they are found, marked and copied. pypdfium2 and pikepdf are imported on first use.
"""

import ctypes
import io
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from gateway.pdf.colour import srgb
from gateway.pdf.font import ADVANCE, ASCENT, DESCENT, UNITS, blank

DPI = 200
MOST_PIXELS = 16_000_000
"""Of a page; a larger page gets fewer dots an inch."""
MOST_PAGES = 300
LOSSLESS = 1_500_000
"""Bytes up to which a page is kept without loss; photographs become JPEG."""
QUALITY = 90
_POINTS = 72
_FAR = 1000.0
_FINE = 100
"""Steps in a point when places are asked of the renderer, which knows whole numbers only."""
PRODUCER = "imaging-report-gateway"


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


def convert(data: bytes, timestamp: datetime, title: str = "") -> bytes:
    """The same pages as PDF/A-1b; same bytes, title and `timestamp`, same result. Raises ConvertError."""
    import pikepdf

    with pikepdf.new() as made:
        font = _font(made)
        for page in _pages(data):
            _add(made, page, font)
        if not len(made.pages):
            raise ConvertError("no page")
        _declare(made, timestamp, title)
        out = io.BytesIO()
        # Neither object streams nor compressed references exist in PDF 1.4 (ISO 19005-1 §6.1.4).
        made.save(
            out,
            force_version="1.4",
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            deterministic_id=True,
            compress_streams=False,
            fix_metadata_version=False,
        )
        return out.getvalue()


# --- what is there


def _pages(data: bytes) -> Iterator[Page]:
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


# --- what is made


def _add(made: Any, page: Page, font: Any) -> None:
    from pikepdf import Dictionary, Name

    image = _stream(
        made,
        _pixels(page.image),
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=page.image.width,
        Height=page.image.height,
        BitsPerComponent=8,
        ColorSpace=Name.DeviceGray if page.image.mode == "L" else Name.DeviceRGB,
    )
    added = made.add_blank_page(page_size=(page.width, page.height))
    added.obj.Resources = Dictionary(XObject=Dictionary(Page=image), Font=Dictionary(Text=font))
    drawing = f"q {page.width:.2f} 0 0 {page.height:.2f} 0 0 cm /Page Do Q\n".encode()
    added.obj.Contents = _stream(made, _flate(drawing + _text(page)))


def _text(page: Page) -> bytes:
    """Every word in rendering mode 3 (neither filled nor stroked), as wide as it was."""
    if not page.words:
        return b""
    a, b, c, d, e, f = page.turn
    lines = ["BT 3 Tr"]
    for word in page.words:
        size = max(word.top - word.bottom, 1.0)
        natural = len(word.text) * size * ADVANCE / UNITS
        wide = max(1.0, min(100 * (word.right - word.left) / natural, 1000.0))
        codes = word.text.encode("utf-16-be").hex()
        x, y = word.left, word.bottom - size * DESCENT / UNITS
        place = f"{a * x + c * y + e:.2f} {b * x + d * y + f:.2f}"
        lines.append(
            f"/Text {size:.2f} Tf {wide:.2f} Tz {a:.0f} {b:.0f} {c:.0f} {d:.0f} {place} Tm <{codes}> Tj"
        )
    return "\n".join([*lines, "ET\n"]).encode()


class _Packed(NamedTuple):
    data: bytes
    filter: str


def _pixels(image: Any) -> _Packed:
    """Without loss, or as JPEG where that would take too much."""
    packed = _flate(image.tobytes())
    if len(packed.data) <= LOSSLESS:
        return packed
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return _Packed(out.getvalue(), "/DCTDecode")


def _flate(data: bytes) -> _Packed:
    return _Packed(zlib.compress(data), "/FlateDecode")


def _stream(made: Any, packed: _Packed, **entries: Any) -> Any:
    from pikepdf import Name

    return made.make_stream(packed.data, Filter=Name(packed.filter), **entries)


def _font(made: Any) -> Any:
    """A composite font whose codes are UTF-16, and whose every code is the same glyph."""
    from pikepdf import Array, Dictionary, Name, String

    name = Name("/Unseen")
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=name,
        Flags=4,
        FontBBox=Array([0, DESCENT, ADVANCE, ASCENT]),
        ItalicAngle=0,
        Ascent=ASCENT,
        Descent=DESCENT,
        CapHeight=ASCENT,
        StemV=0,
        FontFile2=_stream(made, _flate(blank()), Length1=len(blank())),
    )
    inner = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=name,
        CIDSystemInfo=Dictionary(Registry=String("Adobe"), Ordering=String("Identity"), Supplement=0),
        FontDescriptor=made.make_indirect(descriptor),
        DW=ADVANCE,
        CIDToGIDMap=_stream(made, _flate(b"\0\1" * 65536)),
    )
    return made.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=name,
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([made.make_indirect(inner)]),
            ToUnicode=_stream(made, _flate(_to_unicode())),
        )
    )


def _to_unicode() -> bytes:
    """Codes are the characters themselves; a range stays within one first byte, a block within 100 ranges."""
    ranges = [f"<{high:02x}00> <{high:02x}ff> <{high:02x}00>" for high in range(256)]
    blocks = [ranges[at : at + 100] for at in range(0, 256, 100)]
    body = "\n".join(
        line for block in blocks for line in (f"{len(block)} beginbfrange", *block, "endbfrange")
    )
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n{body}\n"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode()


def _declare(made: Any, timestamp: datetime, title: str) -> None:
    """Colours are sRGB; XMP says PDF/A-1b (ISO 19005-1 §6.2.2, §6.7.11). No information dictionary."""
    from pikepdf import Array, Dictionary, Name, String

    profile = _stream(made, _flate(srgb()), N=3)
    intent = Dictionary(
        Type=Name.OutputIntent,
        S=Name.GTS_PDFA1,
        OutputConditionIdentifier=String("sRGB"),
        DestOutputProfile=profile,
    )
    made.Root.OutputIntents = Array([made.make_indirect(intent)])
    made.Root.Lang = String("fr-FR")
    xmp = _XMP.format(
        moment=timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), title=escape(title), by=PRODUCER
    )
    made.Root.Metadata = made.make_stream(xmp.encode(), Type=Name.Metadata, Subtype=Name.XML)


_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/">
<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<xmp:CreateDate>{moment}</xmp:CreateDate><xmp:ModifyDate>{moment}</xmp:ModifyDate>
<pdf:Producer>{by}</pdf:Producer>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
