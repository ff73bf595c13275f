"""HL7 v2 types in XDS metadata: components, escapes, times in UTC."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.model.terms import Code
from gateway.xds import Cx, Xcn, Xon
from gateway.xds.hl7types import TimeFormError, coded, cx, escape, utc, xcn, xon

PARIS = ZoneInfo("Europe/Paris")


def test_a_person_is_an_xcn_of_six_components() -> None:
    person = Xcn(id="801234560801", family="BIDEAULT", given="Jacques", authority="1.2.250.1.71.4.2.1")
    assert xcn(person) == "801234560801^BIDEAULT^Jacques^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"


def test_a_device_is_an_xcn_with_its_name_and_model() -> None:
    device = Xcn(
        id="3750100125/9762",
        family="Automate X",
        given="m1000",
        authority="1.2.250.1.71.4.2.1",
        name_type="U",
        id_type="RI",
    )
    assert xcn(device) == "3750100125/9762^Automate X^m1000^^^^^^&1.2.250.1.71.4.2.1&ISO^U^^^RI"


def test_a_structure_is_an_xon_and_without_id_only_a_name() -> None:
    centre = Xon(name="Centre", id="1920008059", authority="1.2.250.1.71.4.2.2")
    assert xon(centre) == "Centre^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1920008059"
    assert xon(Xon(name="Centre", authority="1.2.250.1.71.4.2.2")) == "Centre"


def test_an_identifier_is_a_cx_and_without_authority_has_an_empty_fourth_component() -> None:
    assert cx(Cx(value="A1", authority="1.2.3", id_type="PI")) == "A1^^^&1.2.3&ISO^PI"
    assert cx(Cx(value="A1", id_type="PI")) == "A1^^^^PI"


def test_a_specialty_is_a_coded_triple() -> None:
    assert coded(Code(code="G15", system="1.2", display="Médecin")) == "G15^Médecin^1.2"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("D'ARC", "D'ARC"),
        ("A&B", "A\\T\\B"),
        ("A^B|C~D\\E", "A\\S\\B\\F\\C\\R\\D\\E\\E"),
        (" deux\r\nlignes\x0b ", "deux lignes"),
    ],
)
def test_delimiters_are_escaped_and_blanks_made_one(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("20210108111700+0100", "20210108101700"),
        ("20210701003000+0200", "20210630223000"),
        ("20210108111700.123-0400", "20210108151700"),
        ("202101081117", "202101081017"),  # without offset: the site's zone, here Paris in winter
        ("2021070811", "2021070809"),
        ("20210108", "20210108"),
        ("1979", "1979"),
        (datetime(2021, 1, 8, 11, 17, tzinfo=PARIS), "20210108101700"),
        (datetime(2021, 1, 8, 10, 17, tzinfo=UTC), "20210108101700"),
    ],
)
def test_times_are_utc_without_offset(time: str | datetime, expected: str) -> None:
    assert utc(time, PARIS) == expected


@pytest.mark.parametrize("text", ["", "hier", "20211301", "20210108250000", "2021010", "2021-01-08"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(TimeFormError):
        utc(text, PARIS)
