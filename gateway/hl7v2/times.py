"""HL7 times: `YYYY[MM[DD[HH[MM[SS[.S+]]]]]][+/-ZZZZ]` (DTM, HL7 2.5 §2.A.22), and what senders write."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Final

_OFFSET: Final = r"(?P<offset>Z|[+-]\d{2}:?\d{2})?"
_COMPACT: Final = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.\d*)?)?)?)?)?)?" + _OFFSET
)
_PUNCTUATED: Final = re.compile(  # `2017-04-25 07:31:13.123456`, met in feeds
    r"(\d{4})-(\d{2})(?:-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d*)?)?)?)? ?" + _OFFSET, re.ASCII
)
_USUAL: Final = re.compile(r"\d{8}(?:[01]\d|2[0-3])\d{4}(?:[+-](?:0\d|1[0-4])[0-5]\d)?", re.ASCII)
"""Down to the second, as most senders write it: what `datetime` reads by itself, ten times faster."""


class Precision(StrEnum):
    """The smallest unit that a time names; `NONE` for what is no time."""

    NONE = ""
    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    HOUR = "hour"
    MINUTE = "minute"
    SECOND = "second"


_BY_PARTS: Final = tuple(Precision)


@lru_cache(maxsize=256)  # one time is asked for its moment, its offset and its precision
def _parts(text: str) -> tuple[tuple[int, ...], str]:
    """Year, month, day, hour, minute, second as far as given, and the offset as written; () for no time."""
    text = text.strip()
    if not text.isascii():
        return (), ""
    found = _COMPACT.fullmatch(text) or _PUNCTUATED.fullmatch(text)
    if found is None:
        return (), ""
    return tuple(int(one) for one in found.groups()[:6] if one is not None), found.group("offset") or ""


def parse_dtm(text: str, tz: tzinfo) -> datetime | None:
    """The start of the moment that `text` names, in whole seconds, with a fixed offset; None for no time.

    Without an offset it is local time of `tz` at that date (summer or winter); the first of two when the
    clock went back.
    """
    try:
        if _USUAL.fullmatch(text):
            moment = datetime.fromisoformat(f"{text[:8]}T{text[8:]}")
            return moment if moment.tzinfo is not None else moment.replace(tzinfo=_fixed(moment, "", tz))
        parts, offset = _parts(text)
        if not parts:
            return None
        moment = _moment(parts)
        return moment.replace(tzinfo=_fixed(moment, offset, tz))
    except ValueError:
        return None


def _moment(parts: tuple[int, ...]) -> datetime:
    """The start of the period that `parts` names, as if in UTC; raises ValueError where no such day is."""
    year, month, day, hour, minute, second = parts + (1, 1, 1, 0, 0, 0)[len(parts) :]
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def _fixed(moment: datetime, offset: str, tz: tzinfo) -> timezone:
    if not offset:
        return whole_minutes(moment.replace(tzinfo=tz).utcoffset() or timedelta())
    if offset == "Z":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if hours > 14 or minutes > 59:
        raise ValueError("offset out of range")
    span = timedelta(hours=hours, minutes=minutes)
    return timezone(-span if offset[0] == "-" else span)


@lru_cache(maxsize=256)
def whole_minutes(offset: timedelta) -> timezone:
    """`offset` to the minute: before 1911 there are seconds (local mean time), which no wire format has."""
    return timezone(timedelta(minutes=round(offset.total_seconds() / 60)))


def has_offset(text: str) -> bool:
    """Whether `text` is a time that says its offset."""
    if _USUAL.fullmatch(text):
        return len(text) > 14
    return bool(_parts(text)[1])


def precision(text: str) -> Precision:
    """The smallest unit that `text` names."""
    return _BY_PARTS[len(_parts(text)[0])]


def parse_date(text: str) -> str:
    """ISO 8601 date of a DT or DTM (`1979-03-28`, `1979-03`, `1979`), "" for what is no date.

    An unknown month or day sent as `00` is left out; a time behind the date is dropped.
    """
    parts = _parts(text)[0][:3]
    for place in (1, 2):
        if len(parts) > place and parts[place] == 0:
            parts = parts[:place]
    if not parts:
        return ""
    try:
        _moment(parts)
    except ValueError:
        return ""
    return "-".join(f"{part:0{width}d}" for part, width in zip(parts, (4, 2, 2), strict=False))


def format_dtm(moment: datetime) -> str:
    """`YYYYMMDDHHMMSS+ZZZZ`; raises ValueError for a time without offset."""
    if moment.tzinfo is None:
        raise ValueError("a time without offset cannot be written")
    return moment.strftime("%Y%m%d%H%M%S%z")[:19]
