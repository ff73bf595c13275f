"""Reading by the profile's locators: every value leaves its place behind, every field read is mapped."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from gateway.hl7v2 import Message, Segment, has_offset, parse_dtm
from gateway.mapping.locator import Found, Scope
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.findings import Severity

GROUP_STARTS: Final = ("ORC", "OBR", "TXA", "OBX")
"""Segments that open the order group of a report message when none is open."""


Used = defaultdict[int, set[int]]
"""Fields of a message that were read, by the index of their segment."""


class Group(Scope):
    """Segments that belong together, seen with those of the message's head (MSH, PID, PV1…).

    A name that the group has hides the head's segments of that name.
    """

    __slots__ = ("segments",)

    def __init__(self, segments: Iterable[Segment], message: Message, head: "Group | None" = None) -> None:
        super().__init__()
        self.segments = tuple(segments)
        named: dict[str, list[Segment]] = {}
        for segment in self.segments:
            named.setdefault(segment.name, []).append(segment)
        if head is not None:
            self.named.update(head.named)
        for name, found in named.items():
            self.named[name] = tuple(found)

    def all(self, name: str) -> tuple[Segment, ...]:
        return self.named.get(name, ())

    def texts(self, segment: Segment, field: int, repetition: int, count: int) -> tuple[str, ...]:
        """The first subcomponent of at least `count` components, trimmed and unescaped."""
        rows = segment.leaves(field)
        row = rows[repetition - 1] if repetition <= len(rows) else ()
        return row + ("",) * (count - len(row)) if len(row) < count else row

    def divided(self, segment: Segment, field: int, repetition: int, component: int) -> tuple[str, ...]:
        """The subcomponents of a component; () when it has at most one."""
        return segment.divided(field, repetition, component)

    def first(self, name: str) -> Segment | None:
        found = self.all(name)
        return found[0] if found else None


def groups(message: Message) -> tuple[Group, tuple[Group, ...]]:
    """The head of the message and its order groups: `{ ORC OBR NTE TXA OBX PRT NTE ZDS … }`.

    ORC opens a group, and so does an OBR behind what belongs to another; observations alone make one too.
    """
    head: list[Segment] = []
    orders: list[list[Segment]] = []
    for segment in message.segments:
        opens = segment.name == "ORC" or (
            segment.name == "OBR"
            and any(one.name in ("OBR", "TXA", "OBX") for one in (orders[-1] if orders else ()))
        )
        if opens or (not orders and segment.name in GROUP_STARTS):
            orders.append([segment])
        elif orders:
            orders[-1].append(segment)
        else:
            head.append(segment)
    top = Group(head, message)
    return top, tuple(Group(found, message, top) for found in orders)


class Reader:
    """Locators of `profile` over `scope`. Readers of one report share `trail` and the `used` fields."""

    __slots__ = ("profile", "scope", "trail", "used")

    def __init__(self, scope: Group, profile: Profile, trail: Trail, used: Used) -> None:
        self.scope, self.profile, self.trail, self.used = scope, profile, trail, used

    def over(self, scope: Group) -> "Reader":
        """The same reader over other segments."""
        if scope is self.scope:
            return self
        return Reader(scope, self.profile, self.trail, self.used)

    def mark(self, segment: Segment, *fields: int) -> None:
        """These fields were read."""
        self.used[segment.index].update(fields)

    def find(self, name: str) -> Found | None:
        """First value of the locator `name`; leaves no provenance: the caller names the canonical path."""
        found = self.profile.locators[name].find(self.scope)
        if found is not None:
            self.used[found.segment.index].add(found.field)
        return found

    def find_all(self, name: str) -> tuple[Found, ...]:
        every = self.profile.locators[name].find_all(self.scope)
        for found in every:
            self.used[found.segment.index].add(found.field)
        return every

    def text(self, path: str, name: str) -> str:
        """First value of the locator `name`, as the source of `path`; "" when nothing is there."""
        found = self.find(name)
        if found is None:
            return ""
        self.trail.source(path, found.location)
        return found.value

    def said_at(self, name: str) -> datetime | None:
        """When something was said: only compared with others of the same sender, so no finding when the
        offset is missing."""
        found = self.find(name)
        if found is None:
            return None
        self.trail.source("said_at", found.location)
        return parse_dtm(found.value, self.profile.site.tz)

    def time(self, path: str, name: str, severity: Severity = Severity.WARNING) -> datetime | None:
        """A moment with its offset. What is no time is the finding HL7-DATATYPE of `severity`."""
        found = self.find(name)
        return None if found is None else self.moment(path, found, severity)

    def punctuated(self, found: Found) -> None:
        """Say that a time, or a date, is taken although it is written `1979-03-28`."""
        if found.value.strip()[4:5] == "-" and len(found.value.strip()) > 9:
            self.trail.at("HL7-DATATYPE", found.location, "written with hyphens", Severity.WARNING)

    def moment(self, path: str, found: Found, severity: Severity = Severity.WARNING) -> datetime | None:
        """The time that stands at `found`, as the source of `path`."""
        moment = parse_dtm(found.value, self.profile.site.tz)
        if moment is None:
            self.trail.at("HL7-DATATYPE", found.location, "not a date and time", severity)
            return None
        self.punctuated(found)
        if not has_offset(found.value):
            self.trail.assumed_zone(found.location)
        self.trail.source(path, found.location)
        return moment
