"""Escape sequences, read at the leaf after splitting, and written back (HL7 2.5 §2.7)."""

import pytest

from gateway import hl7v2
from gateway.hl7v2.dialect import escape


def leaf(sent: str, charset: str = "UNICODE UTF-8") -> str:
    text = f"MSH|^~\\&|||||||ORU^R01|1|P|2.5||||||{charset}\rOBX|1|TX|||{sent}\r"
    return hl7v2.read(text.encode("utf-8" if "UTF" in charset else "iso8859-15")).value("OBX", 5)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("a\\F\\b\\S\\c\\R\\d\\E\\e\\T\\f", "a|b^c~d\\e&f"),
        ("ligne 1\\.br\\ligne 2\\.BR\\ligne 3", "ligne 1\nligne 2\nligne 3"),
        ("a\\.sp\\b\\.sp+2\\c\\.sp3\\d", "a\nb\n\nc\n\n\nd"),
        ("a\\.in+4\\b\\.ti-2\\c\\.fi\\d\\.nf\\e", "abcde"),
        ("a\\.sk 3\\b\\.ce\\c", "a   b\nc"),
        ("\\H\\gras\\N\\", "gras"),
        ("\\X41\\\\X0D\\\\X0A\\\\X0D0A\\B", "A\n\nB"),
        ("\\XC3A9\\ \\XC3\\\\XA9\\", "é é"),  # two escapes, one character
        ("\\XE9\\", "é"),  # not UTF-8: senders think in Latin
        ("50 \\% et C:\\temp\\x", "50 \\% et C:\\temp\\x"),  # unknown sequences stay as sent
        ("\\Zlocal\\ \\X4\\ \\.zz\\", "\\Zlocal\\ \\X4\\ \\.zz\\"),
        ("\\", "\\"),
        ("a\\E\\.br\\E\\b", "a\\.br\\b"),  # an escaped backslash does not begin an escape
    ],
)
def test_sequence_is_read(sent: str, meant: str) -> None:
    assert leaf(sent) == meant


def test_delimiter_that_was_escaped_does_not_split() -> None:
    message = hl7v2.read(b"MSH|^~\\&|||||||ORU^R01|1|P|2.5\rPID|1||||DUPONT\\S\\X^A\\T\\B\r")
    assert message.segments[1].components(5) == ("DUPONT^X", "A&B")


def test_hexadecimal_follows_the_character_set() -> None:
    assert leaf("\\XA4\\", "8859/15") == "€"


def test_count_of_blank_lines_is_bounded() -> None:
    assert leaf("a\\.sp9999\\b").count("\n") == 20


def test_other_escape_character_is_used() -> None:
    message = hl7v2.read(b"MSH|^~!&|||||||ORU^R01|1|P|2.5\rOBX|1|TX|||a!F!b\\F\\c\r")
    assert message.value("OBX", 5) == "a|b\\F\\c"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b^c~d\\e&f", "a\\F\\b\\S\\c\\R\\d\\E\\e\\T\\f"),
        ("1\r\n2\n3\r4", "1\\.br\\2\\.br\\3\\.br\\4"),
        ("\x0b\x1c\x00", "\\X0B\\\\X1C\\\\X00\\"),
        ("tab\té", "tab\té"),
    ],
)
def test_text_is_written(text: str, written: str) -> None:
    assert escape(text) == written
