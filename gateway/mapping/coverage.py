"""What became of every populated field of a message (architecture decision 18)."""

from collections.abc import Set as AbstractSet
from functools import lru_cache

from gateway.hl7v2 import Message
from gateway.mapping.sites import Profile
from gateway.model.submission import Coverage


def coverage(message: Message, used: AbstractSet[tuple[int, int]], profile: Profile) -> Coverage:
    """Mapped: read by a locator or a mapping. Ignored: by a rule that the profile names. Kept: the rest, in
    the stored message only. `used` holds (segment index, field)."""
    mapped: list[str] = []
    kept: list[str] = []
    ignored: list[tuple[str, str]] = []
    rules = profile.ignored
    for segment in message.segments:
        index, places = segment.index, _places(segment.location())
        for field in segment.populated():
            place = places[field] if field < _USUAL else segment.location(field)
            if (index, field) in used:
                mapped.append(place)
            elif rules and (rule := rules.get(f"{segment.name}-{field}")):
                ignored.append((place, rule))
            else:
                kept.append(place)
    return Coverage(mapped=tuple(mapped), kept=tuple(kept), ignored=tuple(ignored))


_USUAL = 64
"""Fields of a segment; the standard has no longer one."""


@lru_cache(maxsize=512)
def _places(segment: str) -> tuple[str, ...]:
    """`PID` → `PID-0`, `PID-1`…"""
    return tuple(f"{segment}-{field}" for field in range(_USUAL))
