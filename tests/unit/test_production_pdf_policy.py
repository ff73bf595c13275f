"""What happens to a PDF that came with the report: kept as it is, or made PDF/A-1b."""

import hashlib

import pytest

from gateway import cda, pdf
from gateway.model.base import replace
from gateway.model.report import Attachment
from gateway.model.submission import Blob
from gateway.model.version import DocumentKind
from gateway.pipeline.production import Composed, ProductionError, compose
from tests.reports import VERSION
from tests.unit.test_pdf_convert import received


def composed(data: bytes, *, convert: bool) -> Composed:
    name = hashlib.sha256(data).hexdigest()
    attachment = Attachment(sha256=name, media_type="application/pdf", size=len(data))
    version = replace(VERSION, report=replace(VERSION.report, attachments=(attachment,)))
    blob = Blob(sha256=name, media_type="application/pdf", data=data)
    return compose(version, (blob,), convert_pdf=convert)


def page(made: Composed) -> bytes:
    return next(one.data for one in made.documents if one.kind is DocumentKind.PDF)


def codes(made: Composed) -> set[str]:
    return {found.code for found in made.findings if found.code.startswith("PDF")}


@pytest.mark.req("REQ-29")
def test_by_default_the_received_pdf_goes_as_it_came_and_that_is_said() -> None:
    made = composed(received(), convert=False)
    assert page(made) == received()
    assert codes(made) == {"PDF-NOT-PDFA"}


@pytest.mark.req("REQ-29")
def test_converted_it_is_pdfa_1b_in_the_cda_and_beside_it() -> None:
    made = composed(received(), convert=True)
    assert pdf.inspect(page(made)).pdfa == "1b"
    (document,) = (one.data for one in made.documents if one.kind is DocumentKind.CDA)
    assert cda.embedded_pdf(document) == page(made)
    assert codes(made) == {"PDF-NOT-PDFA", "PDF-CONVERTED"}


def test_a_pdfa_1_is_never_touched() -> None:
    given = pdf.typeset(pdf.letter(VERSION), VERSION.identity.created_at)
    assert page(composed(given, convert=True)) == given


def test_what_cannot_be_converted_goes_as_it_came_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise pdf.ConvertError("301 pages, at most 300 are converted")

    monkeypatch.setattr(pdf, "convert", fail)
    made = composed(received(), convert=True)
    assert page(made) == received()
    assert "301 pages" in next(one.detail for one in made.findings if one.code == "PDF-NOT-CONVERTED")


def test_what_is_no_pdf_makes_no_document() -> None:
    with pytest.raises(ProductionError):
        composed(b"no PDF", convert=True)
