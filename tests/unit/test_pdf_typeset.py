"""The page itself: PDF/A-1b, searchable, in reading order, the same bytes for the same letter."""

import io
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pikepdf
import pypdfium2
import pytest

from gateway import pdf
from gateway.model.base import replace
from gateway.model.letter import Letter, LetterSection
from tests.reports import IDENTITY, VERSION

LETTER = pdf.letter(VERSION)
NOON = datetime(2021, 1, 8, 12, 0, tzinfo=UTC)
MINIMAL = Letter(title="Compte rendu", sender=(), identity=())


def pages(data: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(data)
    return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in document]


def text_of(*paragraphs: str) -> str:
    """The text of a page that holds one section."""
    letter = replace(MINIMAL, sections=(LetterSection(title="Résultats", paragraphs=paragraphs),))
    return "\n".join(pages(pdf.typeset(letter, NOON)))


@pytest.mark.req("REQ-24")
def test_the_letter_is_pdf_a_1b_with_title_and_language() -> None:
    data = pdf.typeset(LETTER, IDENTITY.created_at)
    facts = pdf.inspect(data)
    assert (facts.pdfa, facts.version, facts.findings) == ("1b", "1.4", ())
    with pikepdf.open(io.BytesIO(data)) as opened:
        assert str(opened.Root.Lang).lower().startswith("fr")
        assert str(opened.docinfo.Title) == LETTER.title
        assert "/OutputIntents" in opened.Root
        fonts = [font for page in opened.pages for font in page.Resources.Font.values()]
        assert fonts and all(_embedded(font) for font in fonts)


def _embedded(font: pikepdf.Object) -> bool:
    described = font.DescendantFonts[0] if "/DescendantFonts" in font else font
    return any(key.startswith("/FontFile") for key in dict(described.FontDescriptor))


def test_same_letter_and_time_same_bytes() -> None:
    assert pdf.typeset(LETTER, NOON) == pdf.typeset(LETTER, NOON)
    assert pdf.typeset(LETTER, NOON) != pdf.typeset(LETTER, datetime(2021, 1, 8, 12, 0, 1, tzinfo=UTC))


def test_another_thread_and_another_process_set_the_same_bytes() -> None:
    here = pdf.typeset(MINIMAL, NOON)
    there: list[bytes] = []
    thread = threading.Thread(target=lambda: there.append(pdf.typeset(MINIMAL, NOON)))
    thread.start()
    thread.join()
    script = """
import sys
from datetime import UTC, datetime
from gateway import pdf
from gateway.model.letter import Letter
letter = Letter(title="Compte rendu", sender=(), identity=())
sys.stdout.buffer.write(pdf.typeset(letter, datetime(2021, 1, 8, 12, 0, tzinfo=UTC)))
"""
    elsewhere = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert there == [here] == [elsewhere]


@pytest.mark.req("REQ-15")
def test_the_text_is_searchable_and_in_reading_order() -> None:
    (page,) = pages(pdf.typeset(LETTER, NOON))
    wanted = [
        "Centre de radiologie Ambroise",
        "279035121518989",
        "Destinataires",
        "Compte rendu d'imagerie médicale",
        "Indication",
        "Résultats",
        "Conclusion",
        "Validé électroniquement",
        "Page 1 / 1",
    ]
    positions = [page.find(part) for part in wanted]
    assert -1 not in positions
    assert positions == sorted(positions)


def test_a_letter_with_a_title_alone_is_set() -> None:
    assert pages(pdf.typeset(MINIMAL, NOON))[0].startswith("Compte rendu")


def test_text_is_text_never_markup() -> None:
    hostile = '#set page() $x^2$ *gras* [lien] @ref <lab> \\ `code` // = titre #read("/etc/passwd")'
    assert hostile in text_of(hostile).replace("\n", " ")


def test_long_reports_go_over_pages_that_each_name_the_patient() -> None:
    body = "Pas de lésion focale suspecte. " * 60
    letter = replace(LETTER, sections=(LetterSection(title="Résultats", paragraphs=(body,) * 8),))
    found = pages(pdf.typeset(letter, NOON))
    assert len(found) > 2
    for number, page in enumerate(found, 1):
        assert "PAT-TROIS DOMINIQUE" in page
        assert f"Page {number} / {len(found)}" in page


def test_a_heading_never_ends_a_page() -> None:
    """One of these counts of lines leaves room for the heading alone."""
    ends = set()
    for lines in range(43, 50):
        sections = (
            LetterSection(title="Résultats", paragraphs=("\n".join(["Normal."] * lines),)),
            LetterSection(title="Conclusion", paragraphs=("Foie sans anomalie.",)),
        )
        found = pages(pdf.typeset(replace(MINIMAL, sections=sections), NOON))
        assert ["Conclusion" in page for page in found] == ["Foie" in page for page in found]
        ends.add(len(found))
    assert ends == {1, 2}


def test_headings_are_bookmarks_and_all_words_share_a_font() -> None:
    with pikepdf.open(io.BytesIO(pdf.typeset(LETTER, NOON))) as opened:
        with opened.open_outline() as outline:
            assert [one.title for one in outline.root] == [one.title for one in LETTER.sections]
        (fonts,) = [page.Resources.Font for page in opened.pages]
        assert len(fonts) == 1


def test_words_are_not_cut_at_line_ends() -> None:
    page = text_of(" ".join("n" * number + " oesogastroduodénale" for number in range(40)))
    assert page.replace("\n", " ").count("oesogastroduodénale") == 40


def test_columns_of_a_text_table_keep_their_spaces() -> None:
    page = text_of("Mesures    Droite   Gauche\nRein       11,2     10,9")
    nbsp = "\N{NO-BREAK SPACE}"
    assert f"Rein{nbsp * 7}11,2" in page.replace(" ", nbsp)


def test_a_space_before_a_high_sign_does_not_break() -> None:
    assert "Conclusion\N{NO-BREAK SPACE}: normal" in text_of("Conclusion : normal")


def test_a_word_wider_than_the_page_breaks() -> None:
    page = text_of("x" * 400)
    assert page.replace("\N{ZERO WIDTH SPACE}", "").count("x") == 400
    assert len([line for line in page.splitlines() if "xx" in line.replace("\N{ZERO WIDTH SPACE}", "")]) > 2


@pytest.mark.parametrize("text", ["œ Œ Ÿ ç À É", "→ ≥ ± µ ² ³ ½ • – — “mot” l’os", "Δ β α Ω", "☐ ✓ ✗"])
def test_the_characters_of_reports_have_a_shape_and_stay_searchable(text: str) -> None:
    page = text_of(text)
    assert [sign for sign in text.split() if sign not in page] == []


@pytest.mark.parametrize("text", ["漢字", "عربي", "😀", "\ufffd", "\u0301", "\U000f0000"])
def test_a_character_without_shape_never_stops_a_report(text: str) -> None:
    assert pdf.inspect(pdf.typeset(replace(MINIMAL, title=f"a {text} b"), NOON)).pages == 1


def test_a_fault_of_typst_is_our_error() -> None:
    with pytest.raises(pdf.TypesetError):
        pdf.typeset(replace(MINIMAL, language="not a language"), NOON)
