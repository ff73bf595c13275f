"""Alerts open and close; what changed since the last look is told in one digest. Pure: values in, values out.

An alert is a kind and a subject from closed sets (a destination, a certificate's role), never an identifier
of a patient or an exam. That of PERSONAL kinds is a professional, for the receiver to tell: not for the log.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

UNVALIDATED = "unvalidated"
PERSONAL = frozenset({UNVALIDATED})


class Condition(NamedTuple):
    """Something that somebody must look at, as it is now. `kind` and `subject` name it, `text` explains."""

    kind: str
    subject: str
    text: str


class Digest(NamedTuple):
    """What one POST tells; `still` is what is repeated after a long time."""

    opened: tuple[Condition, ...]
    closed: tuple[Condition, ...]
    still: tuple[Condition, ...]

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed or self.still)


class Alerts:
    """The alerts that are open, over looks in time (seconds of a steady clock)."""

    def __init__(self, repeat: float) -> None:
        """`repeat`: seconds after which an alert that is still open is told again."""
        self.repeat = repeat
        self._open: dict[tuple[str, str], tuple[Condition, float]] = {}

    def look(self, conditions: Iterable[Condition], now: float) -> Digest:
        """Compare with the look before. The digest counts as told: `untell` it when it could not be sent."""
        present = {(one.kind, one.subject): one for one in conditions}
        opened = tuple(one for key, one in present.items() if key not in self._open)
        closed = tuple(one for key, (one, _) in self._open.items() if key not in present)
        still = tuple(
            present[key]
            for key, (_, told) in self._open.items()
            if key in present and now - told >= self.repeat
        )
        fresh = {(one.kind, one.subject) for one in (*opened, *still)}
        self._open = {key: (one, now if key in fresh else self._open[key][1]) for key, one in present.items()}
        return Digest(opened, closed, still)

    def untell(self, digest: Digest, now: float) -> None:
        """Nobody got it: what opened opens again, what closed closes again, at the next look."""
        for one in (*digest.opened, *digest.still):
            self._open.pop((one.kind, one.subject), None)
        for one in digest.closed:
            self._open.setdefault((one.kind, one.subject), (one, now))

    def counts(self) -> Mapping[str, int]:
        """Open alerts by kind."""
        counts: dict[str, int] = {}
        for kind, _ in self._open:
            counts[kind] = counts.get(kind, 0) + 1
        return counts
