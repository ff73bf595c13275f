"""Whether there is room for one more message: a disk that fills up is refused before it is full."""

import os
import time
from pathlib import Path

from gateway.ports import StoreUnavailableError

LOOK_EVERY = 1.0
"""Seconds between two looks at the disk."""
QUEUED = 256 << 20
"""Bytes that may wait for the writer: a disk that hangs must not fill the memory."""


class Space:
    """The free bytes of the folder's disk, looked at once a second at most."""

    def __init__(self, folder: Path, least: int) -> None:
        """`least` free bytes must remain; 0 asks for nothing."""
        self._folder, self.least = folder, least
        self._next = 0.0
        self._short = ""

    def check(self) -> None:
        """Raises StoreUnavailableError while less is free than must remain: the sender resends later."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LOOK_EVERY
            free = self.free()
            self._short = f"{free} bytes free, {self.least} must remain" if free < self.least else ""
        if self._short:
            raise StoreUnavailableError(f"disk nearly full: {self._short}")

    def free(self) -> int:
        """Bytes free for this user."""
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    @property
    def short(self) -> bool:
        return bool(self._short)
