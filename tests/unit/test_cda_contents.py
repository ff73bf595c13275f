"""Large contents are left out of the tree, and only those that are sound."""

import base64

import pytest

from gateway.cda import check, embedded_pdf, read
from gateway.cda.contents import LARGE, decoded, lean
from tests.support import FIXTURES

PDF = b"%PDF-1.4\n" + bytes(range(256)) * 4096
DOCUMENT = (FIXTURES.parent / "golden" / "n1_full.xml").read_bytes()


def with_content(packed: bytes) -> bytes:
    head, mark, rest = DOCUMENT.partition(b'representation="B64">')
    return head + mark + packed + rest[rest.index(b"<") :]


def lines(packed: bytes) -> bytes:
    return b"\n".join(packed[at : at + 76] for at in range(0, len(packed), 76))


@pytest.mark.parametrize("form", [bytes, lines], ids=["one line", "lines"])
def test_a_large_content_is_cut_for_the_tree_and_found_whole(form: type[bytes]) -> None:
    whole = with_content(form(base64.b64encode(PDF)))
    short = lean(whole)
    assert len(short.data) < len(DOCUMENT) + LARGE < len(whole)
    (span,) = short.contents
    assert decoded(whole, span) == PDF == embedded_pdf(whole)
    assert read(whole) == read(with_content(base64.b64encode(PDF[:900])))
    assert check(whole) == check(with_content(base64.b64encode(PDF[:900])))


@pytest.mark.parametrize(
    "packed",
    [base64.b64encode(PDF)[:-3], b"=" + base64.b64encode(PDF), b"!" + base64.b64encode(PDF)],
    ids=["cut off", "padding inside", "another character"],
)
def test_what_is_no_base64_is_judged_whole(packed: bytes) -> None:
    whole = with_content(packed)
    assert lean(whole) == (whole, ())
    assert "HL7-BASE64" in {one.code for one in check(whole)}
    assert embedded_pdf(whole) is None


def test_a_small_content_stays_where_it_is() -> None:
    assert lean(DOCUMENT) == (DOCUMENT, ())


def test_blanks_before_a_large_content_are_no_part_of_its_first_bytes() -> None:
    whole = with_content(b"\n " * LARGE + base64.b64encode(PDF))
    assert check(whole) == check(with_content(base64.b64encode(PDF[:900])))
    assert embedded_pdf(whole) == PDF


def test_a_content_in_a_comment_is_not_taken_for_that_of_the_body() -> None:
    body = b"%PDF-1.4\n" + bytes(8 * LARGE)
    other = base64.b64encode(body + b"another one")
    hidden = b'<!-- <text representation="B64">' + other + b"</text> -->"
    whole = with_content(base64.b64encode(body)).replace(b"<nonXMLBody>", b"<nonXMLBody>" + hidden)
    assert len(lean(whole).contents) == 2
    assert embedded_pdf(whole) == body


@pytest.mark.parametrize("size", range(3060, 3090))
def test_every_size_around_the_limit(size: int) -> None:
    assert embedded_pdf(with_content(base64.b64encode(PDF[:size]))) == PDF[:size]
