"""What a received PDF is said to be. The PDFs are made here, each with one property."""

import io
import zlib

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import pdf
from tests.reports import IDENTITY, VERSION
from tests.support import SAMPLES, needs_samples

LETTER = pdf.typeset(pdf.letter(VERSION), IDENTITY.created_at)


def make(content: bytes = b"BT /F1 12 Tf (Conclusion) Tj ET", xmp: bytes = b"", **save: object) -> bytes:
    """A one-page PDF with a content stream, and XMP metadata when asked."""
    made = pikepdf.new()
    made.add_blank_page()
    made.pages[0].Contents = made.make_stream(content)
    if xmp:
        made.Root.Metadata = made.make_stream(xmp, Type=pikepdf.Name.Metadata, Subtype=pikepdf.Name.XML)
    out = io.BytesIO()
    made.save(out, fix_metadata_version=False, **save)
    return out.getvalue()


def codes(data: bytes) -> list[str]:
    return [found.code for found in pdf.inspect(data).findings]


def test_our_own_letter_is_beyond_reproach() -> None:
    assert pdf.inspect(LETTER) == pdf.PdfFacts(pages=1, version="1.4", pdfa="1b", has_text=True)


@pytest.mark.parametrize("data", [b"", b"hello", b"{\\rtf1}", b"\n%PDF-1.4\n", b"PK\x03\x04"])
def test_what_does_not_start_as_a_pdf_is_none(data: bytes) -> None:
    assert not pdf.looks_like_pdf(data)
    assert codes(data) == ["PDF-INVALID"]


def test_a_torn_pdf_is_invalid() -> None:
    assert codes(LETTER[:200]) == ["PDF-INVALID"]


def test_a_pdf_without_a_page_is_invalid() -> None:
    empty = io.BytesIO()
    pikepdf.new().save(empty)
    assert "PDF-INVALID" in codes(empty.getvalue())


def test_a_pdf_that_needs_a_password_is_invalid() -> None:
    data = make(encryption=pikepdf.Encryption(owner="o", user="u"))
    assert pdf.inspect(data).encrypted
    assert codes(data) == ["PDF-INVALID"]


def test_a_pdf_encrypted_without_a_password_is_read() -> None:
    facts = pdf.inspect(make(encryption=pikepdf.Encryption(owner="o", user="")))
    assert (facts.encrypted, facts.pages) == (True, 1)


def test_no_claim_of_pdfa_is_a_warning() -> None:
    facts = pdf.inspect(make())
    assert facts.pdfa == ""
    assert [found.code for found in facts.findings] == ["PDF-NOT-PDFA"]


@pytest.mark.parametrize(
    "xmp, claim, found",
    [
        (b"<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>", "1b", []),
        (b"<rdf:Description pdfaid:part='1' pdfaid:conformance='A'/>", "1a", []),
        (b'<rdf:Description pdfaid:conformance="U" pdfaid:part="3"/>', "3u", ["PDF-NOT-PDFA"]),
        (b"<x/>", "", ["PDF-NOT-PDFA"]),
    ],
)
def test_the_claim_is_read_from_both_forms_of_xmp(xmp: bytes, claim: str, found: list[str]) -> None:
    data = make(xmp=xmp)
    assert pdf.inspect(data).pdfa == claim
    assert codes(data) == found


@pytest.mark.parametrize("operator", [b"(x) Tj", b"[(x)]TJ", b"(x)'", b'1 2 (x)"'])
def test_every_text_operator_counts_as_text(operator: bytes) -> None:
    assert pdf.inspect(make(b"BT /F1 12 Tf " + operator + b" ET")).has_text


def test_a_scan_has_no_text() -> None:
    data = make(b"q 595 0 0 842 0 0 cm /Im0 Do Q", b"<pdfaid:part>1</pdfaid:part>")
    assert not pdf.inspect(data).has_text
    assert codes(data) == ["PDF-NO-TEXT"]


def test_text_inside_a_form_counts() -> None:
    made = pikepdf.new()
    made.add_blank_page()
    form = made.make_stream(b"BT (x) Tj ET", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form)
    made.pages[0].Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(F0=form))
    made.pages[0].Contents = made.make_stream(b"/F0 Do")
    out = io.BytesIO()
    made.save(out)
    assert pdf.inspect(out.getvalue()).has_text


def test_a_bomb_of_a_stream_is_not_unpacked() -> None:
    bomb = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    bomb += b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    packed = zlib.compress(b" " * 300_000_000)
    bomb += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj\n"
    bomb += b"4 0 obj<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream endobj\n" % (len(packed), packed)
    facts = pdf.inspect(bomb + b"trailer<</Root 1 0 R>>\n%%EOF\n")
    assert (facts.pages, facts.has_text) == (1, False)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(LETTER)), st.binary(max_size=40), st.integers(0, 400))
def test_a_damaged_pdf_never_raises(start: int, garbage: bytes, hole: int) -> None:
    pdf.inspect(LETTER[:start] + garbage + LETTER[start + hole :])


@pytest.mark.samples
@needs_samples
def test_the_pdf_of_the_official_ris_document() -> None:
    from gateway import cda

    data = cda.embedded_pdf((SAMPLES / "cda" / "transmission_initiale_cr_imagerie.xml").read_bytes())
    assert data is not None
    facts = pdf.inspect(data)
    assert facts.pages >= 1 and facts.has_text
