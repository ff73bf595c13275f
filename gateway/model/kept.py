"""What was made last is kept for who needs it next: the deliveries of a version come close together."""

from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key, the last ones, of `limit` bytes together. For any thread."""

    def __init__(self, limit: int) -> None:
        self._limit, self._bytes = limit, 0
        self._values: dict[K, tuple[V, int]] = {}
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        found = self._values.get(key)
        return None if found is None else found[0]

    def put(self, key: K, value: V, size: int) -> None:
        """`size`: bytes that key and value hold. What would fill an eighth of the room is not kept."""
        if size > self._limit // 8:
            return
        with self._lock:
            self._bytes += size - self._values.pop(key, (None, 0))[1]
            self._values[key] = value, size
            while self._bytes > self._limit:
                self._bytes -= self._values.pop(next(iter(self._values)))[1]
