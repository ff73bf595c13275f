"""Data types of CDA → values: II, CD, TS and IVL_TS, and the time format of the French header."""

import re
from datetime import datetime, tzinfo
from typing import Final

from gateway.cda.tree import Element
from gateway.cda.xml import attribute, child, children
from gateway.model.terms import Code, Identifier

_TS: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d)"
    r"(?:\.\d+)?)?)?)?)?)?(?P<offset>[+-]\d{4})?"
)


def identifier(node: Element | None) -> Identifier | None:
    """II: root → `system`, extension → `value`; None for a nullFlavor or an absent element."""
    root, extension = attribute(node, "root"), attribute(node, "extension")
    return Identifier(value=extension, system=root) if root or extension else None


def identifiers(node: Element | None, tag: str) -> tuple[Identifier, ...]:
    return tuple(found for item in children(node, tag) if (found := identifier(item)) is not None)


def code(node: Element | None) -> Code | None:
    """CD/CE without its translations; None without @code."""
    value = attribute(node, "code")
    if not value:
        return None
    return Code(code=value, system=attribute(node, "codeSystem"), display=attribute(node, "displayName"))


def interval(node: Element | None) -> tuple[str, str, str]:
    """(value, low, high) of an IVL_TS, as written; a bare value counts as its own low."""
    value = attribute(node, "value")
    low = attribute(child(node, "low"), "value")
    return value, low or value, attribute(child(node, "high"), "value")


def iso_date(ts: str) -> str:
    """`19790328` → `1979-03-28`, partial dates kept partial; "" for what is no date."""
    match = _TS.fullmatch(ts)
    if match is None:
        return ""
    return "-".join(part for part in match.group("year", "month", "day") if part)


def parse_ts(ts: str, tz: tzinfo | None = None) -> datetime | None:
    """An HL7 TS as a datetime; None when it is absent, malformed or coarser than a day.

    Without an offset it is read in `tz`; naive when `tz` is None. Fractions of a second are dropped.
    """
    match = _TS.fullmatch(ts)
    if match is None or not match["day"]:
        return None
    digits = "".join(part or "00" for part in match.group("hour", "minute", "second"))
    stamp = "".join(match.group("year", "month", "day")) + digits
    try:
        if match["offset"]:
            return datetime.strptime(stamp + match["offset"], "%Y%m%d%H%M%S%z")
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=tz)
    except ValueError:
        return None


def format_ts(moment: datetime, tz: tzinfo) -> str:
    """`AAAAMMJJhhmmss±ZZZZ`, in local time `tz` (cda.md §3, row 7); a naive `moment` is taken as local."""
    local = moment.astimezone(tz) if moment.tzinfo else moment.replace(tzinfo=tz)
    day, _, hour = local.isoformat(timespec="seconds").partition("T")  # a third of strftime
    return day.replace("-", "") + hour.replace(":", "")[:11]
