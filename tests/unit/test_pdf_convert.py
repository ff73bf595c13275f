"""A received PDF made PDF/A-1b: it looks the same, its words are found, and veraPDF agrees."""

import io
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
import typst
from PIL import ImageChops, ImageStat

from gateway import pdf
from gateway.mapping import sites
from gateway.model.version import DocumentKind
from gateway.pdf import pictured, shown
from gateway.pdf.convert import convert
from gateway.pdf.letter import letter
from gateway.pdf.shown import ConvertError
from gateway.pipeline import offline
from tests.java_support import needs_java, pdfa_faults
from tests.n3_cases import CASES
from tests.reports import VERSION
from tests.support import FIXTURES

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
PAGE = """
#set page(width: 210mm, height: 297mm, margin: 20mm)
#set text(lang: "fr", size: 11pt)
#text(fill: blue)[= Compte rendu d’imagerie]
Thorax sans anomalie décelable : l’œdème a disparu, 12,5 mm à droite.
#rect(fill: red.transparentize(50%), width: 5cm, height: 3cm)
#pagebreak()
Deuxième page.
"""


@cache
def received(source: str = PAGE) -> bytes:
    """A PDF 1.7 with a transparency and no PDF/A claim; it holds the second in which it was made."""
    return bytes(typst.compile(source.encode(), format="pdf", ignore_system_fonts=True))


def rendered(data: bytes) -> list[Any]:
    return [page.render(scale=1).to_pil().convert("RGB") for page in pypdfium2.PdfDocument(data)]


def words(data: bytes) -> list[str]:
    pages = (page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(data))
    return " ".join(pages).split()


def turned(data: bytes, angle: int) -> bytes:
    with pikepdf.open(io.BytesIO(data)) as opened:
        for page in opened.pages:
            page.rotate(angle, relative=False)
            page.cropbox = [20, 30, 500, 700]
        out = io.BytesIO()
        opened.save(out)
    return out.getvalue()


@pytest.mark.req("REQ-29")
@pytest.mark.parametrize("angle", [0, 90, 180])
def test_it_looks_the_same_and_its_words_are_found_where_they_are(angle: int) -> None:
    given = turned(received(), angle) if angle else received()
    made = convert(given, NOW)
    before, after = rendered(given), rendered(made)
    assert [page.size for page in before] == [page.size for page in after]
    for one, other in zip(before, after, strict=True):
        assert max(ImageStat.Stat(ImageChops.difference(one, other)).mean) < 3
    assert words(made) == words(given)
    place = pypdfium2.PdfDocument(made)[0].get_textpage().search("anomalie").get_next()
    assert place is not None


def test_the_place_of_a_word_is_kept_within_a_letter() -> None:
    given = received()
    boxes = []
    for data in (given, convert(given, NOW)):
        text = pypdfium2.PdfDocument(data)[0].get_textpage()
        start, count = text.search("disparu").get_next()
        boxes.append((text.get_charbox(start)[0], text.get_charbox(start + count - 1)[2]))
    assert boxes[0] == pytest.approx(boxes[1], abs=3)


@pytest.mark.req("REQ-29")
def test_the_result_claims_pdfa_1b_and_is_the_same_each_time() -> None:
    made = convert(received(), NOW, "Compte rendu <d’imagerie> & plus")
    facts = pdf.inspect(made)
    assert (facts.pages, facts.version, facts.pdfa, facts.has_text, facts.findings) == (
        2,
        "1.4",
        "1b",
        True,
        (),
    )
    assert convert(received(), NOW, "Compte rendu <d’imagerie> & plus") == made
    assert "Compte rendu &lt;d’imagerie&gt; &amp; plus".encode() in made


def test_a_grey_page_has_one_channel_and_a_photograph_becomes_jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = convert(received("Texte noir."), NOW)
    assert b"/DeviceGray" in grey
    assert b"/DeviceRGB" not in grey
    monkeypatch.setattr(pictured, "LOSSLESS", 1000)
    assert b"/DCTDecode" in convert(received(), NOW)


def test_a_huge_page_gets_fewer_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "MOST_PIXELS", 10_000)
    with pikepdf.open(io.BytesIO(convert(received(), NOW))) as made:
        image = made.pages[0].Resources.XObject.Page
        assert 8_000 < int(image.Width) * int(image.Height) < 12_000


def test_what_cannot_be_shown_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConvertError, match="cannot be opened"):
        convert(b"%PDF-1.7 nothing", NOW)
    monkeypatch.setattr(shown, "MOST_PAGES", 1)
    with pytest.raises(ConvertError, match="2 pages"):
        convert(received(), NOW)


FIXTURE_KINDS = {
    "text": "hl7v2/oru_report.er7",
    "correction": "hl7v2/oru_corrected.er7",
    "unqualified": "hl7v2/oru_unqualified.er7",
    "fhir": "fhir/report.json",
}
"""A fixture of each kind whose page is set by us: the others carry a PDF of their own."""


def page(fixture: str) -> bytes:
    data = (FIXTURES / fixture).read_bytes()
    (judged,) = offline.judge(data, sites.load(), environment="test", now=NOW)
    return next(one.data for one in offline.documents(judged).documents if one.kind is DocumentKind.PDF)


@needs_java
@pytest.mark.java
@pytest.mark.req("REQ-29")
def test_verapdf_finds_no_failed_rule_in_what_we_typeset_and_convert(tmp_path: Path) -> None:
    cases = {
        "typeset.pdf": pdf.typeset(letter(VERSION), NOW),
        "converted.pdf": convert(received(), NOW, "Compte rendu"),
        "turned.pdf": convert(turned(received(), 90), NOW),
        "grey.pdf": convert(received("Texte noir."), NOW),
        "viewer.pdf": pdf.typeset(letter(CASES["a link to the images"]), NOW),
        "accents.pdf": pdf.typeset(letter(CASES["accents and apostrophes"]), NOW),
        "reasons.pdf": pdf.typeset(letter(CASES["coded reasons and allergies"]), NOW),
        **{f"{kind}.pdf": page(name) for kind, name in FIXTURE_KINDS.items()},
        "received.pdf": received(),
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
    faults = pdfa_faults(*(tmp_path / name for name in cases))
    assert faults.pop("received.pdf"), "the checker can say no"
    assert faults == {name: [] for name in cases if name != "received.pdf"}
