"""A mapper: reads messages for the intake process at the other end of a socket.

    order    kind (1 byte), length (4 bytes), content    kind USE: `Use` · MESSAGE: the bytes as received
    answer   the same                                     kind READY · READING: `reading.pack` · FAILED: none

Answers come in the order of the orders. It holds nothing that could be lost, and ends with its socket. Run as
`python -m gateway.pipeline.mapper FD`.
"""

import gc
import logging
import os
import signal
import socket
import struct
import sys
from pathlib import Path

import msgspec

from gateway.mapping import sites
from gateway.model.base import Value
from gateway.pipeline.reading import pack, read

log = logging.getLogger(__name__)

USE, MESSAGE = 0, 1
READY, READING, FAILED = 0, 1, 2
_HEAD = struct.Struct("!BI")
_CHUNK = 1 << 18
"""Bytes of one read: what the socket holds."""
TOGETHER = 1 << 16
"""Bytes that leave in one system call: more answers would keep the intake waiting."""
COLLECT = 5_000
"""Objects before the collector looks, which so many take a millisecond: more, and senders would notice.
Reading makes no cycles (`test_mapping_cycles.py`), so it looks while caches fill, then hardly ever."""


class Use(Value):
    """Where profiles lie: the site's own folder ("": shipped ones only), the name of the default."""

    sites_dir: str
    site: str


def order(content: Use | bytes) -> tuple[bytes, bytes]:
    """Head and content of an order."""
    kind = MESSAGE
    if isinstance(content, Use):
        kind, content = USE, msgspec.msgpack.encode(content)
    return _HEAD.pack(kind, len(content)), content


class Frames:
    """Cuts what a socket gives into frames; what is not whole yet waits in pieces, each copied once."""

    __slots__ = ("_held", "_pieces", "_wanted")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._held = self._wanted = 0

    def receive(self, data: bytes) -> list[tuple[int, bytes]]:
        """(kind, content) of each frame that `data`, the next bytes, completes."""
        if self._pieces:
            self._pieces.append(data)
            self._held += len(data)
            if self._held < self._wanted:
                return []
            data = b"".join(self._pieces)
        found: list[tuple[int, bytes]] = []
        position, size, self._wanted = 0, len(data), _HEAD.size
        while size - position >= _HEAD.size:
            kind, length = _HEAD.unpack_from(data, position)
            begin = position + _HEAD.size
            if begin + length > size:
                self._wanted += length
                break
            found.append((kind, data[begin : begin + length]))
            position = begin + length
        self._pieces = [data[position:]] if position < size else []
        self._held = size - position
        return found


class Mapper:
    """Answers orders, one after the other."""

    def __init__(self) -> None:
        self._sites: sites.Sites | None = None

    def answer(self, kind: int, content: bytes) -> tuple[int, bytes]:
        """Kind and content."""
        if kind == USE:
            return self._use(msgspec.msgpack.decode(content, type=Use))
        try:
            assert self._sites is not None, "profiles come first"
            return READING, pack(read(content, self._sites))
        except Exception:
            log.exception("mapper failed")  # the intake tries again, and answers its sender
            return FAILED, b""

    def _use(self, use: Use) -> tuple[int, bytes]:
        """The intake has read the same files and found them good. If they changed since, this process ends,
        and the next one tries again."""
        self._sites = sites.load(Path(use.sites_dir) if use.sites_dir else None, default=use.site)
        gc.freeze()
        return READY, b""


def serve(sock: socket.socket) -> None:
    """Until the other side closes."""
    mapper, frames = Mapper(), Frames()
    answers: list[bytes] = []
    while data := sock.recv(_CHUNK):
        held = 0
        for kind, content in frames.receive(data):
            kind, content = mapper.answer(kind, content)
            answers += (_HEAD.pack(kind, len(content)), content)
            held += len(content)
            if held >= TOGETHER:
                sock.sendall(b"".join(answers))
                answers.clear()
                held = 0
        if answers:
            sock.sendall(b"".join(answers))
            answers.clear()


def main(descriptor: int) -> None:
    from gateway import telemetry
    from gateway.telemetry.memory import give_back

    telemetry.configure()
    for name in (signal.SIGINT, signal.SIGTERM):  # they go to the whole group; the intake may still need us
        signal.signal(name, signal.SIG_IGN)
    gc.set_threshold(COLLECT)
    give_back()  # less than that is kept: glibc by itself gives back 200 kB, and asks again, at each message
    try:
        serve(socket.socket(fileno=descriptor))
    except ConnectionError:
        pass  # the intake is gone
    except Exception:
        log.exception("mapper ends")
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
