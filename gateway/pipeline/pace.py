"""How often a loop of the dispatcher turns: work that comes in quick succession is done together."""

import asyncio
import time


class Pace:
    """One turn in `seconds` at most. Who turns rarely does not wait."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._next = seconds, 0.0

    async def turn(self) -> None:
        wait = self._next - monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        self._next = monotonic() + self._seconds


def monotonic() -> float:
    """Seconds of a clock that never jumps; the event loop's own."""
    return time.monotonic()
