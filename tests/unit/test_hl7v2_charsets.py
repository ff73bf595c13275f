"""Character sets: the same French words in every encoding that feeds use (spec hl7v2.md §4.5 rule 3, T7)."""

import pytest

from gateway import hl7v2
from gateway.hl7v2.charsets import codec_of, declaration_of

WORDS = "Hôpital Élodie œdème 100 €"


def message(declared: str, body: bytes) -> hl7v2.Message:
    header = f"MSH|^~\\&|||||||ORU^R01|1|P|2.5||||||{declared}\rOBX|1|TX|||"
    return hl7v2.read(header.encode() + body + b"\r")


def charset_findings(found: hl7v2.Message) -> list[str]:
    return [one.detail for one in found.findings if one.code == "HL7-CHARSET"]


@pytest.mark.parametrize(
    ("declared", "encoded_as", "codec"),
    [
        ("UNICODE UTF-8", "utf-8", "utf-8"),
        ("UNICODE", "utf-8", "utf-8"),
        ("8859/15", "iso8859-15", "iso8859-15"),  # here € is 0xA4
        ("8859/1", "cp1252", "cp1252"),  # here € is 0x80: Windows, whatever 8859/1 says
        ("ISO-8859-15", "iso8859-15", "iso8859-15"),
        ("UNICODE UTF-8~8859/1", "utf-8", "utf-8"),  # repetitions: the first
    ],
)
@pytest.mark.req("REQ-01")
def test_declared_character_set_is_read(declared: str, encoded_as: str, codec: str) -> None:
    found = message(declared, WORDS.encode(encoded_as))
    assert found.value("OBX", 5) == WORDS
    assert found.charset == codec
    assert charset_findings(found) == []


@pytest.mark.parametrize(
    ("declared", "encoded_as", "told"),
    [
        ("", "utf-8", "none declared, read as UTF-8"),
        ("", "cp1252", "none declared, read as windows-1252"),
        ("ASCII", "cp1252", "declared ASCII, read as windows-1252"),
        ("UNICODE UTF-8", "cp1252", "declared UNICODE UTF-8, read as windows-1252"),
        ("8859/1", "utf-8", "declared 8859/1, read as UTF-8"),
        ("8859/15", "utf-8", "declared 8859/15, read as UTF-8"),
        ("KLINGON", "utf-8", "MSH-18 names no character set of table 0211"),
    ],
)
def test_false_declaration_is_seen_through_and_told(declared: str, encoded_as: str, told: str) -> None:
    found = message(declared, WORDS.encode(encoded_as))
    assert found.value("OBX", 5) == WORDS
    assert charset_findings(found) == [told]


def test_undeclared_ascii_is_no_deviation() -> None:
    found = message("", b"plain")
    assert (found.charset, charset_findings(found)) == ("utf-8", [])


def test_bytes_that_fit_nothing_are_still_read() -> None:
    found = message("8859/1", b"\x81\x8d \xe9")  # 0x81 is no windows-1252
    assert found.charset == "iso8859-1"
    assert found.value("OBX", 5).endswith("é")


def test_word_of_the_site_stands_against_the_sender() -> None:
    body = "MSH|^~\\&|||||||ORU^R01|1|P|2.5||||||UNICODE UTF-8\rOBX|1|TX|||100 €\r".encode("iso8859-15")
    assert hl7v2.read(body).value("OBX", 5) == "100 ¤"  # a guess: windows-1252
    assert hl7v2.read(body, charset="8859/15").value("OBX", 5) == "100 €"
    assert hl7v2.read(body, charset="8859/15").findings == ()


@pytest.mark.parametrize("codec", ["utf-8", "iso8859-15", "cp1252", "iso8859-2"])
def test_declaration_names_the_codec(codec: str) -> None:
    assert codec_of(declaration_of(codec)) == codec
