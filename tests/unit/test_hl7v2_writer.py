"""The ER7 builder: nested tuples to segments."""

import pytest

from gateway import hl7v2
from gateway.hl7v2.writer import Field, Repeat, Verbatim, message, segment


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        (("1", None, "A"), "PID|1||A"),
        (("1", None, "", ()), "PID|1"),
        ((("A", None, ("X", "1.2.3", "ISO"), ""),), "PID|A^^X&1.2.3&ISO"),
        ((Repeat(("A", "B"), "C", ()),), "PID|A^B~C~"),
        (("a|b^c",), "PID|a\\F\\b\\S\\c"),
        ((Verbatim("a^b\\T\\c"),), "PID|a^b\\T\\c"),
        ((("", "TEXT", "XML", "Base64", Verbatim("QUI=")),), "PID|^TEXT^XML^Base64^QUI="),
    ],
)
def test_segment_is_written(fields: tuple[Field, ...], written: str) -> None:
    assert segment("PID", *fields) == written


def test_header_begins_with_its_third_field() -> None:
    assert segment("MSH", "RIS", "SITE") == "MSH|^~\\&|RIS|SITE"


def test_message_reads_back() -> None:
    data = message(segment("MSH", "RIS", charset_field := None), segment("NTE", "1", None, "é|\n€"))
    assert charset_field is None
    assert hl7v2.read(data).value("NTE", 3) == "é|\n€"


def test_character_beyond_the_set_becomes_its_nearest() -> None:
    data = message(segment("NTE", "ő ≥ 97 − 13 … 漢"), charset="iso8859-15")
    assert data == b"NTE|o >= 97 - 13 ... ?\r"
