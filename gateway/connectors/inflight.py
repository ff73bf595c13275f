"""How much of what senders send may be in memory at a time, whatever their number.

Two caps, both in bytes. Frames that are not answered yet, of all connections together: above it nobody reads
on but one, the leader, so that at least one frame comes to its end; the others' senders are held back by TCP.
And messages that are being read, mapped and committed, each of which takes several times its size: one that
does not fit waits for the others, and a larger one than the cap is handled alone.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SMALL = 64 * 1024
"""Bytes of a frame up to which it never waits to be read."""
PIECE = 256 * 1024
"""Bytes that one may read at once."""
HANDLED = 16 << 20
"""Bytes of messages that are handled at a time."""


class Hold:
    """What one connection has in memory."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0


class Inflight:
    """Of all connections of a server; belongs to its event loop."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of frames that are not answered."""
        self.limit, self.held = limit, 0
        self._leader: Hold | None = None
        self._held_back: deque[asyncio.Future[None]] = deque()
        self._handled = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def crowded(self) -> bool:
        """Somebody is held back: who reads must not dawdle."""
        return bool(self._held_back)

    def account(self, hold: Hold, size: int) -> None:
        """`hold` is so large now."""
        self.held += size - hold.size
        shrunk, hold.size = size < hold.size, size
        if not size and self._leader is hold:
            self._leader = None
        if shrunk and self._held_back:
            self._go_on()

    def _go_on(self) -> None:
        """As many of those held back as may read a piece now; where nobody reads any more, one that leads."""
        free = self.limit - self.held
        count = 1 + free // PIECE if free >= 0 else int(self._leader is None)
        while count and self._held_back:
            turn = self._held_back.popleft()
            if not turn.done():
                turn.set_result(None)
                count -= 1

    async def room(self, hold: Hold) -> bool:
        """Returns when `hold` may grow; whether it had to wait."""
        waited = False
        while hold.size > SMALL and self.held > self.limit:
            if self._leader is None:
                self._leader = hold
            if self._leader is hold:
                break
            waited = True
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._held_back.append(turn)
            try:
                await turn
            finally:
                if turn in self._held_back:
                    self._held_back.remove(turn)
        return waited

    @asynccontextmanager
    async def handling(self, size: int) -> AsyncIterator[None]:
        """While a message of `size` bytes is handled; first come, first served. Small ones need not ask."""
        if size <= SMALL:
            yield
            return
        if self._queue or not self._fits(size):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._end(size)
                else:
                    self._queue.remove((size, turn))
                raise
        else:
            self._handled += size
        try:
            yield
        finally:
            self._end(size)

    def _fits(self, size: int) -> bool:
        return not self._handled or self._handled + size <= HANDLED

    def _end(self, size: int) -> None:
        self._handled -= size
        while self._queue and self._fits(self._queue[0][0]):
            following, turn = self._queue.popleft()
            self._handled += following
            turn.set_result(None)
