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
_CHUNK = 1 << 20
_TOGETHER = 8
"""Answers that leave in one system call at most: more would keep the intake waiting."""
COLLECT = 5_000
"""Objects before the collector looks, which so many take a millisecond: more, and senders would notice.
Reading makes no cycles (`test_mapping_cycles.py`), so it looks while caches fill, then hardly ever."""


class Use(Value):
    """Where profiles lie: the site's own folder ("": shipped ones only), the name of the default."""

    sites_dir: str
    site: str


def order(content: Use | bytes) -> bytes:
    """An order as bytes."""
    if isinstance(content, Use):
        return _framed(USE, msgspec.msgpack.encode(content))
    return _framed(MESSAGE, content)


def frames(data: bytearray) -> tuple[list[tuple[int, bytes]], int]:
    """(kind, content) of each whole frame at the start of `data`, and how many bytes those are."""
    found, position = [], 0
    while len(data) - position >= _HEAD.size:
        kind, size = _HEAD.unpack_from(data, position)
        end = position + _HEAD.size + size
        if end > len(data):
            break
        found.append((kind, bytes(data[position + _HEAD.size : end])))
        position = end
    return found, position


def _framed(kind: int, content: bytes = b"") -> bytes:
    return _HEAD.pack(kind, len(content)) + content


class Mapper:
    """Answers orders, one after the other."""

    def __init__(self) -> None:
        self._sites: sites.Sites | None = None

    def answer(self, kind: int, content: bytes) -> bytes:
        if kind == USE:
            return self._use(msgspec.msgpack.decode(content, type=Use))
        try:
            assert self._sites is not None, "profiles come first"
            return _framed(READING, pack(read(content, self._sites)))
        except Exception:
            log.exception("mapper failed")  # the intake tries again, and answers its sender
            return _framed(FAILED)

    def _use(self, use: Use) -> bytes:
        """The intake has read the same files and found them good. If they changed since, this process ends,
        and the next one tries again."""
        self._sites = sites.load(Path(use.sites_dir) if use.sites_dir else None, default=use.site)
        gc.freeze()
        return _framed(READY)


def serve(sock: socket.socket) -> None:
    """Until the other side closes."""
    mapper, data = Mapper(), bytearray()
    while chunk := sock.recv(_CHUNK):
        data += chunk
        orders, taken = frames(data)
        del data[:taken]
        answers: list[bytes] = []
        for kind, content in orders:
            answers.append(mapper.answer(kind, content))
            if len(answers) == _TOGETHER:
                sock.sendall(b"".join(answers))
                answers.clear()
        if answers:
            sock.sendall(b"".join(answers))


def main(descriptor: int) -> None:
    from gateway import telemetry

    telemetry.configure()
    for name in (signal.SIGINT, signal.SIGTERM):  # they go to the whole group; the intake may still need us
        signal.signal(name, signal.SIG_IGN)
    gc.set_threshold(COLLECT)
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
