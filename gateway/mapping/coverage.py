"""What became of every populated field of a message (architecture decision 18)."""

from functools import lru_cache
from typing import Final

from gateway.hl7v2 import Message
from gateway.mapping.hl7_reader import Used
from gateway.mapping.sites import Profile
from gateway.model.submission import Coverage


def coverage(message: Message, used: Used, profile: Profile) -> Coverage:
    """Mapped: read by a locator or a mapping. Ignored: by a rule that the profile names. Kept: the rest, in
    the stored message only."""
    mapped: list[str] = []
    kept: list[str] = []
    ignored: list[tuple[str, str]] = []
    for segment in message.segments:
        read = used.get(segment.index, _NOTHING)
        rules, places = profile.ignored.get(segment.name), _places(segment.location())
        for field in segment.populated():
            place = places[field] if field < _USUAL else segment.location(field)
            if field in read:
                mapped.append(place)
            elif rules is not None and (rule := rules.get(field)):
                ignored.append((place, rule))
            else:
                kept.append(place)
    return Coverage(mapped=tuple(mapped), kept=tuple(kept), ignored=tuple(ignored))


_NOTHING: Final[set[int]] = set()
_USUAL: Final = 64
"""Fields of a segment; the standard has no longer one."""


@lru_cache(maxsize=512)
def _places(segment: str) -> tuple[str, ...]:
    """`PID` → `PID-0`, `PID-1`…"""
    return tuple(f"{segment}-{field}" for field in range(_USUAL))
