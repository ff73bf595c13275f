"""A CDA as a letter and as an HTML page: every word, in French, and nothing that runs."""

import re
from datetime import UTC, datetime

import pytest
from lxml import etree
from lxml import html as lxml_html

from gateway import cda, pdf
from gateway.cda.reader_body import body_sections
from gateway.cda.xml import parse
from gateway.model.narrative import Block
from tests.n3_cases import CASES, FULL
from tests.reports import VERSION
from tests.support import KIT, needs_kit

PDF = b"%PDF-1.4\n%%EOF\n"
N3 = cda.build_n3(FULL, PDF).data
N1 = cda.build_n1(VERSION, PDF).data


def narrative(markup: str) -> bytes:
    """An N3 whose conclusion has this narrative."""
    data = cda.build_n3(CASES["bare minimum"]).data.decode()
    changed = re.sub(r"<text>\s*<paragraph>Normal\.</paragraph>\s*</text>", f"<text>{markup}</text>", data)
    assert changed != data
    return changed.encode()


def blocks(markup: str) -> tuple[Block, ...]:
    return body_sections(parse(narrative(markup)))[-1].blocks


NARRATIVES: dict[str, tuple[Block, ...]] = {
    "loose<br/>words <content>here</content>": (Block(text="loose\nwords here"),),
    "before<list><item>a</item><item>b</item></list>after": (
        Block(text="before"),
        Block(items=("a", "b")),
        Block(text="after"),
    ),
    '<list listType="ordered"><caption>Steps</caption><item>one</item></list>': (
        Block(text="Steps", items=("one",), ordered=True),
    ),
    "<list><item>a<list><item>b</item><item>c</item></list></item><item>d</item></list>": (
        Block(items=("a\n\n– b\n\n– c", "d")),
    ),
    "<list><item><paragraph>x</paragraph><table><tbody><tr><td>y</td></tr></tbody></table></item></list>": (
        Block(text="x"),
        Block(rows=(("y",),)),
    ),
    "<table><caption>T</caption><thead><tr><th>h</th></tr></thead>"
    "<tbody><tr><td>1<br/>2</td></tr></tbody></table>": (Block(text="T", header=("h",), rows=(("1\n2",),)),),
    '<paragraph><content styleCode="Bold">Foie</content></paragraph>': (Block(text="Foie", heading=True),),
    'see <linkHtml href="https://a.example/x">images</linkHtml>': (
        Block(text="see images (https://a.example/x)"),
    ),
    'shown <renderMultiMedia referencedObject="A"/>': (Block(text="shown [Document joint]"),),
}


@pytest.mark.parametrize("markup", NARRATIVES)
def test_narrative_is_read_as_blocks(markup: str) -> None:
    assert blocks(markup) == NARRATIVES[markup]


def text_of_page(data: bytes) -> str:
    root = lxml_html.document_fromstring(cda.html(data))
    return " ".join(root.text_content().split())


def words_of_body(data: bytes) -> list[str]:
    """Words of all narrative elements of a CDA, in order."""
    texts = etree.fromstring(data).iter("{urn:hl7-org:v3}text")
    lines = (
        " ".join(line.split())
        for node in texts
        if node.getparent().tag.endswith("section")
        for line in node.itertext()
    )
    return [line for line in lines if line]


@pytest.mark.parametrize("name", CASES)
def test_letter_and_page_hold_every_word_of_the_narrative(name: str) -> None:
    data = cda.build_n3(CASES[name]).data
    letter = cda.letter(data)
    said = " ".join(
        " ".join((block.text, *block.items, *block.header, *(cell for row in block.rows for cell in row)))
        for section in letter.sections
        for block in section.blocks
    )
    said, page = " ".join(said.split()), text_of_page(data)
    assert [line for line in words_of_body(data) if line not in said] == []
    assert [line for line in words_of_body(data) if line not in page] == []


@pytest.mark.kit
@needs_kit
@pytest.mark.parametrize("name", ["IMG_CR_IMG_2024.01.xml", "IMG-DA-IMG_2024.01_Radiographie_IRM_Genou.xml"])
def test_official_examples_are_shown_in_full(name: str) -> None:
    data = (KIT / "ExemplesCDA" / name).read_bytes()
    page = text_of_page(data)
    assert [line for line in words_of_body(data) if line not in page] == []


def test_a_received_n3_makes_a_page_in_pdf() -> None:
    page = pdf.typeset(cda.letter(N3), datetime(2021, 1, 8, tzinfo=UTC))
    facts = pdf.inspect(page)
    assert facts.pages >= 2


def test_the_letter_of_a_cda_says_who_what_and_who_answers() -> None:
    letter = cda.letter(N3)
    assert letter.title == "Compte rendu d'imagerie médicale – Scanner tête et thorax"
    assert letter.sender[0] == "Centre de radiologie Ambroise"
    assert ("Matricule INS", "279035121518989 (NIR de test)") in letter.identity
    assert letter.exam[0] == (
        "Examen",
        "Scanographie du crâne et de son contenu, avec injection, le 08/01/2021 à 10:25",
    )
    assert letter.signature[0].endswith("le 08/01/2021 à 11:17")
    assert [section.level for section in letter.sections[:4]] == [0, 0, 1, 1]


def test_an_n1_has_its_words_in_its_pdf() -> None:
    assert cda.letter(N1).sections == ()
    page = cda.html(N1).decode()
    assert 'src="data:application/pdf;base64,JVBERi0' in page
    assert 'download="document.pdf"' in page


def test_a_page_never_runs_what_a_sender_wrote() -> None:
    evil = (
        "<paragraph>&lt;script&gt;alert(1)&lt;/script&gt; "
        '<content styleCode="Bold">"&amp;\'</content></paragraph>'
        '<linkHtml href="javascript:alert(1)">go</linkHtml>'
        '<linkHtml href="https://a.example/?a=1&amp;b=&quot;&gt;">ok</linkHtml>'
        '<renderMultiMedia referencedObject="NOWHERE"/>'
    )
    page = cda.html(narrative(evil)).decode()
    assert "<script" not in page
    assert "javascript:" not in page
    assert 'href="https://a.example/?a=1&amp;b=&quot;&gt;"' in page
    assert "Document joint absent" in page
    assert "default-src 'none'" in page


def test_an_attachment_of_a_dangerous_kind_is_named_not_shown() -> None:
    data = N3.replace(b'mediaType="application/pdf" representation', b'mediaType="text/html" representation')
    page = cda.html(data).decode()
    assert "data:text/html" not in page
    assert "Document joint (text/html)" in page


def test_what_is_no_cda_is_refused() -> None:
    with pytest.raises(cda.CdaError):
        cda.html(b"<html/>")
