"""What happens to a PDF that came with the report: kept as it is, or made PDF/A-1b."""

import hashlib
from base64 import b64encode
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import cda, pdf
from gateway.cli.main import app
from gateway.model.base import replace
from gateway.model.report import Attachment
from gateway.model.submission import Blob
from gateway.model.version import DocumentKind
from gateway.pipeline.production import Composed, ProductionError, compose
from tests.reports import VERSION
from tests.support import FIXTURES
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


@pytest.mark.parametrize("policy, declared", [("keep", ""), ("convert", "1b")])
def test_what_is_converted_by_hand_follows_the_policy_of_the_settings(
    policy: str, declared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`gateway convert` shows what the running gateway would send."""
    monkeypatch.setenv("GATEWAY_PDF__RECEIVED", policy)
    message = (FIXTURES / "hl7v2" / "oru_pdf.er7").read_bytes()
    given = (
        next(line for line in message.split(b"\r") if b"^Base64^" in line)
        .split(b"^Base64^")[1]
        .split(b"|")[0]
    )
    file, out = tmp_path / "message.er7", tmp_path / "page.pdf"
    file.write_bytes(message.replace(given, b64encode(received())))
    done = CliRunner().invoke(app, ["convert", str(file), "--to", "pdf", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert pdf.inspect(out.read_bytes()).pdfa == declared
    assert ("PDF-CONVERTED" in done.output) == (policy == "convert")
