"""Locators: the grammar of architecture decision 3, and what each form leads to."""

import pytest

from gateway.hl7v2 import Message, read
from gateway.mapping.hl7_reader import Group
from gateway.mapping.locator import LocatorError, parse

MESSAGE = "\r".join(
    (
        "MSH|^~\\&|RIS|SITE|||20210108||ORU^R01|1|T|2.5",
        "PID|||A1^^^HOP&1.2.3&ISO^PI~279035121518989^^^INS&1.2.250.1.213.1.4.10&ISO^INS||X\\S\\Y^Z^^^^^L~W^V^^^^^D",
        "OBR|1" + "|" * 31 + "id1&BIDEAULT&Jacques",
        "OBX|1|ST|113014^DICOM Study^DCM||1.2.3.4||||||F",
        "OBX|2|TX|59776-5^Résultats^LN||normal||||||F",
        'OBX|3|TX|19005-8^Conclusion^LN||""||||||F',
    )
)


def message(text: str = MESSAGE) -> Message:
    return read(text.encode())


def found(locator: str, text: str = MESSAGE) -> tuple[str, str] | None:
    parsed = message(text)
    hit = parse(locator).find(Group(parsed.segments, parsed))
    return (hit.value, hit.location) if hit else None


@pytest.mark.parametrize(
    ("locator", "value", "location"),
    [
        ("PID-3", "A1", "PID-3"),
        ("PID-3.4", "HOP", "PID-3.4"),
        ("PID-3.4&2", "1.2.3", "PID-3.4.2"),
        ("PID-3[2].1", "279035121518989", "PID-3[2].1"),
        ("PID-3[.5=INS].1", "279035121518989", "PID-3[2].1"),
        ("PID-3[.4&2=1.2.250.1.213.1.4.8,1.2.250.1.213.1.4.10].1", "279035121518989", "PID-3[2].1"),
        ("PID-5[.7=D].2", "V", "PID-5[2].2"),
        ("OBX[3.1=113014].5", "1.2.3.4", "OBX-5"),
        ("OBX[3.2=Conclusion,Résultats]-5", "normal", "OBX(2)-5"),
        ("OBR-32.2|OBR-32.1&2", "BIDEAULT", "OBR-32.1.2"),
        ("ZDS-1|PID-2|PID-3", "A1", "PID-3"),
    ],
)
def test_a_locator_leads_to_a_value_and_says_where_it_stood(locator: str, value: str, location: str) -> None:
    assert found(locator) == (value, location)


@pytest.mark.parametrize("locator", ["ZDS-1", "PID-3[3].1", "PID-3[.5=VN].1", "OBX[3.1=113014].6", "PID-99"])
def test_what_is_not_there_is_none(locator: str) -> None:
    assert found(locator) is None


def test_an_empty_predicate_value_asks_for_an_absent_element() -> None:
    assert found("PID-5[.7=].1") is None
    assert found("PID-5[.7=].1", MESSAGE.replace("^^^^^L~", "~")) == ("X^Y", "PID-5.1")


def test_an_escaped_delimiter_is_no_delimiter() -> None:
    assert found("PID-5[.7=L].1") == ("X^Y", "PID-5.1")


def test_the_null_of_hl7_is_no_value() -> None:
    assert found("OBX[3.1=19005-8].5") is None


def test_find_all_gives_all_values_of_the_first_path_with_any() -> None:
    parsed = message()
    hits = parse("ZDS-1|PID-3|OBX-5").find_all(Group(parsed.segments, parsed))
    assert [hit.value for hit in hits] == ["A1", "279035121518989"]


def test_other_delimiters_are_those_of_the_message() -> None:
    text = MESSAGE.replace("\\S\\", "").replace("^", "!").replace("MSH|!", "MSH|!")
    assert found("PID-3[.5=INS].4&2", text) == ("1.2.250.1.213.1.4.10", "PID-3[2].4.2")


@pytest.mark.parametrize(
    "locator",
    [
        "",
        "PID",
        "pid-3",
        "PID-0",
        "PID-3.0",
        "PID-3&2",
        "PID-3[5=PI].1",
        "PID-3[.5].1",
        "PID-3[0].1",
        "PID-3.1|",
    ],
)
def test_anything_else_is_refused(locator: str) -> None:
    with pytest.raises(LocatorError, match=r"locator|counts from|without its component"):
        parse(locator)


def test_the_bar_inside_a_predicate_separates_nothing() -> None:
    assert len(parse("OBX[3.2=a|b]-5|PID-3").paths) == 2
