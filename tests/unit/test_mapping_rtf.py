"""RTF reports: the words of a document as a reader sees them, and as sections of a report."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mapping import rtf
from gateway.model.findings import errors
from gateway.model.report import SectionKind
from tests.unit.mapping_messages import mapped, report, with_observations

HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss Arial;}{\f1 Symbol;}}{\colortbl;\red0\green0\blue0;}"
    r"{\stylesheet{\s0 Normal;}}{\info{\title Brouillon}{\author X}}\viewkind4\uc1\pard\f0\fs20 "
)


def text(body: str) -> str:
    return rtf.text((HEAD + body + "}").encode("latin-1"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (r"Examen normal.", "Examen normal."),
        (r"R\'e9sultats\par Pas d'\'e9panchement.\par", "Résultats\nPas d'épanchement."),
        ("R\u00e9sultats en octets", "Résultats en octets"),
        (r"\u233?t\u233 ?", "été"),
        (r"\uc2\u8364 EU\uc1 : prix", "€: prix"),
        (r"{\uc0\u8805}3 mm et \u8804?2 mm", "≥3 mm et ≤2 mm"),
        (r"\u-10179?\u-8704?", "\U0001f600"),
        (r"gras {\b important} \i0 fin", "gras important fin"),
        (r"a\line b\page c\sect d", "a\nb\nc\nd"),
        (r"\{accolades\} et \\ barre", "{accolades} et \\ barre"),
        (r"1\~mm, non\_s\'e9cable, c\-\'e9sure", "1 mm, non\u2011sécable, césure"),
        (r"\ldblquote net\rdblquote  \endash  \bullet  l\rquote os", "“net” – • l’os"),
        (r"a\tab b", "a b"),
        ("a\r\nb\nc", "abc"),  # line ends of the file mean nothing
        ("a\\\nb", "a\nb"),  # an escaped one is \par
        (r"vu{\v caché}{\deleted retiré} net", "vu net"),
        (r"\v secret\v0  public", "public"),
        (r"x{\*\generator Riched20;}{\*\unknown y}z", "xz"),
        (r"x{\pict\pngblip 89504e47}z", "xz"),
        (r"{\header En-t\'eate}corps{\footer Page 1}", "corps"),
        (r'{\field{\*\fldinst HYPERLINK "http://a"}{\fldrslt lien}}', "lien"),
        (r"{\pntext\f1\'B7\tab}Premier\par{\listtext\f1 \u61623?\tab}Second", "- Premier\n- Second"),
        (
            r"\trowd\cellx1\cellx2 Foie\cell Normal\cell\row Rate\cell 11 cm\cell\row",
            "Foie | Normal\nRate | 11 cm",
        ),
        (r"avant\bin3 }}}apr\'e8s", "avantaprès"),
        (r"\par\par milieu\par\par", "milieu"),
        (r"un\par\par deux", "un\n\ndeux"),
    ],
)
def test_what_a_reader_sees(body: str, expected: str) -> None:
    assert text(body) == expected


def test_other_code_pages() -> None:
    assert rtf.text(rb"{\rtf1\ansi\ansicpg65001 \'c3\'a9t\'c3\'a9}") == "été"
    assert rtf.text(rb"{\rtf1\mac \'8et\'8e}") == "été"
    assert rtf.text(rb"{\rtf1\ansi\ansicpg99999 \'e9t\'e9}") == "été"


@pytest.mark.parametrize("data", [b"", b"Bonjour", b"%PDF-1.4", b"{\\html x}"])
def test_what_is_no_rtf_has_no_text(data: bytes) -> None:
    assert rtf.text(data) == ""


def test_a_document_that_was_cut_off_reads_as_far_as_it_goes() -> None:
    whole = (HEAD + r"Un\par Deux\par Trois").encode()
    assert rtf.text(whole) == "Un\nDeux\nTrois"
    assert rtf.text(whole[:-8]) == "Un\nDeux"
    assert rtf.text(b"{\\rtf1 a}}}}b") == "ab"


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert isinstance(rtf.text(rtf.MARK + b"1 " + data), str)


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), max_size=80))
def test_every_character_survives_as_an_escape(written: str) -> None:
    units = written.encode("utf-16-le")
    codes = [int.from_bytes(units[place : place + 2], "little") for place in range(0, len(units), 2)]
    body = "".join(f"\\u{code - 65536 if code > 32767 else code}?" for code in codes)
    assert text(f"<{body}>") == f"<{written}>"


# --- in a message

BODY = HEAD + (
    r"TECHNIQUE : scanner sans injection.\par R\'c9SULTATS\par Foie normal.\par"
    r" CONCLUSION\par Examen normal.\par}"
)


def ed(data: bytes, kind: str = "ED") -> str:
    encoded = b64encode(data).decode()
    return f"OBX|1|{kind}|18748-4^CR^LN||^application^rtf^Base64^{encoded}||||||F"


@pytest.mark.req("REQ-01")
def test_an_rtf_report_has_sections_and_is_processable() -> None:
    made = mapped(with_observations(ed(BODY.encode("latin-1"))))
    assert made.report is not None and errors(made.findings) == ()
    assert [(one.kind, one.text) for one in made.report.sections] == [
        (SectionKind.PROCEDURE, "scanner sans injection."),
        (SectionKind.FINDINGS, "Foie normal."),
        (SectionKind.CONCLUSION, "Examen normal."),
    ]
    assert made.report.attachments == ()
    assert ("RTF-TEXT", "OBX-5.5") in {(one.code, one.location) for one in made.findings}
    assert ("sections[2].text", "OBX-5") in {(one.path, one.source) for one in made.provenance}


def test_beside_plain_text_an_rtf_is_not_read_twice() -> None:
    made = report(with_observations("OBX|1|TX|19005-8^Conclusion^LN||Normal.||||||F", ed(BODY.encode())))
    assert [one.text for one in made.sections] == ["Normal."]


def test_an_rtf_in_a_text_observation_is_read_as_one() -> None:
    inline = BODY.replace("\\", "\\E\\")
    made = report(with_observations(f"OBX|1|FT|18748-4^CR^LN||{inline}||||||F"))
    assert [one.kind for one in made.sections][-1] is SectionKind.CONCLUSION
    assert made.sections[-1].text == "Examen normal."


def test_an_rtf_without_words_is_no_report() -> None:
    made = mapped(with_observations(ed(rb"{\rtf1\ansi{\pict 00}}")))
    assert [(one.code, one.detail) for one in errors(made.findings)] == [
        ("PDF-INVALID", "an RTF without words")
    ]
