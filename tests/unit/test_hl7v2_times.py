"""HL7 times: partial, with and without offset, summer and winter."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from gateway import hl7v2

PARIS = ZoneInfo("Europe/Paris")
GUADELOUPE = timezone(-timedelta(hours=4))
CET, CEST = timezone(timedelta(hours=1)), timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("text", "moment", "precision"),
    [
        ("2021", datetime(2021, 1, 1, tzinfo=CET), "year"),
        ("202107", datetime(2021, 7, 1, tzinfo=CEST), "month"),
        ("20210108", datetime(2021, 1, 8, tzinfo=CET), "day"),
        ("2021010811", datetime(2021, 1, 8, 11, tzinfo=CET), "hour"),
        ("202101081117", datetime(2021, 1, 8, 11, 17, tzinfo=CET), "minute"),
        ("20210708111730", datetime(2021, 7, 8, 11, 17, 30, tzinfo=CEST), "second"),
        ("20210708111730.999", datetime(2021, 7, 8, 11, 17, 30, tzinfo=CEST), "second"),
        ("20210708111730-0400", datetime(2021, 7, 8, 11, 17, 30, tzinfo=GUADELOUPE), "second"),
        ("20210708+0200", datetime(2021, 7, 8, tzinfo=CEST), "day"),
        ("2017-04-25 07:31:13.123456", datetime(2017, 4, 25, 7, 31, 13, tzinfo=CEST), "second"),
        ("2017-04-25T07:31Z", datetime(2017, 4, 25, 7, 31, tzinfo=UTC), "minute"),
        (" 20210108 ", datetime(2021, 1, 8, tzinfo=CET), "day"),
    ],
)  # fmt: skip
def test_time_is_read(text: str, moment: datetime, precision: str) -> None:
    found = hl7v2.parse_dtm(text, PARIS)
    assert found == moment
    assert found is not None
    assert isinstance(found.tzinfo, timezone)  # a fixed offset: the value means the same everywhere
    assert found.utcoffset() == moment.utcoffset()
    assert hl7v2.precision(text) == precision


@pytest.mark.parametrize(
    "text",
    ["", '""', "x", "20211301", "20210230", "2021010825", "202101081160", "20210108+9900", "٢٠٢١", "0000"],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert hl7v2.parse_dtm(text, PARIS) is None


def test_offset_of_the_site_is_that_of_the_date() -> None:
    winter, summer = (hl7v2.parse_dtm(f"2021{day}120000", PARIS) for day in ("0328", "0327"))
    assert winter is not None
    assert summer is not None
    assert (winter.utcoffset(), summer.utcoffset()) == (timedelta(hours=2), timedelta(hours=1))


def test_offset_before_1911_is_rounded_to_minutes() -> None:
    assert hl7v2.parse_dtm("19000101", PARIS) == datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=9)))


@pytest.mark.parametrize(
    ("text", "told"),
    [("20210108", False), ("20210108+0100", True), ("2017-04-25T07:31Z", True), ("x", False)],
)
def test_offset_is_known(text: str, told: bool) -> None:
    assert hl7v2.has_offset(text) is told


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("19790328", "1979-03-28"),
        ("19790328000000+0100", "1979-03-28"),  # birth date with a time, met in feeds
        ("1979-03-28", "1979-03-28"),
        ("197903", "1979-03"),
        ("1979", "1979"),
        ("19790300", "1979-03"),
        ("19790000", "1979"),
        ("19790230", ""),
        ("28/03/1979", ""),
        ('""', ""),
        ("", ""),
    ],
)
def test_date_is_iso(text: str, date: str) -> None:
    assert hl7v2.parse_date(text) == date


def test_time_is_written_with_its_offset() -> None:
    moment = datetime(2021, 1, 8, 11, 17, 30, 999, tzinfo=CET)
    assert hl7v2.format_dtm(moment) == "20210108111730+0100"
    with pytest.raises(ValueError, match="offset"):
        hl7v2.format_dtm(moment.replace(tzinfo=None))
