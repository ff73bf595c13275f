"""A wall clock that was set back must not make what waits for its next try wait the difference more."""

import time
from collections.abc import Callable

_LEAST = 5_000_000
"""Microseconds: below it is the slewing of a clock that is kept right."""


class Setback:
    """Compares the wall clock with one that never jumps."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        """`steady` gives seconds."""
        self._steady = steady
        self._last: tuple[int, float] | None = None

    @property
    def first(self) -> bool:
        """Nothing is known yet of the time before this process."""
        return self._last is None

    def since(self, now: int) -> int:
        """By how many microseconds the wall clock (`now`) was set back since the last call; 0 for none."""
        steady, last = self._steady(), self._last
        self._last = now, steady
        if last is None:
            return 0
        back = int((steady - last[1]) * 1e6) - (now - last[0])
        return back if back >= _LEAST else 0
