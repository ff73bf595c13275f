"""What became of every populated field of a message (architecture decision 18)."""

from collections.abc import Set as AbstractSet

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
        index, base = segment.index, f"{segment.location()}-"
        for field in segment.populated():
            place = f"{base}{field}"
            if (index, field) in used:
                mapped.append(place)
            elif rule := rules.get(f"{segment.name}-{field}"):
                ignored.append((place, rule))
            else:
                kept.append(place)
    return Coverage(mapped=tuple(mapped), kept=tuple(kept), ignored=tuple(ignored))
