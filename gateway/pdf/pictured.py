"""Writing PDF/A-1b: a page of pixels with its words unseen above it, the colours, the font, the metadata."""

import io
import zlib
from datetime import UTC, datetime
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from gateway.pdf.colour import srgb
from gateway.pdf.font import ADVANCE, ASCENT, DESCENT, UNITS, blank
from gateway.pdf.shown import Page

LOSSLESS = 1_500_000
"""Bytes up to which a page is kept without loss; photographs become JPEG."""
QUALITY = 90
PRODUCER = "imaging-report-gateway"


def add(made: Any, page: Page, font: Any) -> None:
    """One more page of the pikepdf document `made`; `font` is its `unseen_font`."""
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


def unseen_font(made: Any) -> Any:
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


def declare(made: Any, timestamp: datetime, title: str) -> None:
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
