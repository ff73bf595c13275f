"""Who reads the messages for the intake: processes beside it (`[intake] mappers`), or, without any, itself.

Reading and mapping take more than half of the work before an answer and need nothing but the message, so
another core can do them while this process talks to senders and commits. The result is the same either way,
and so is the order: a connection has one message under way. When a mapper dies, what it had is read here, and
another one is started.
"""

import asyncio
import logging
import os
import socket
import sys
from collections import deque
from contextlib import suppress

from gateway.mapping.sites import Sites
from gateway.pipeline import mapper
from gateway.pipeline.mapper import TOGETHER, Use
from gateway.pipeline.reading import Reading, read, unpack

log = logging.getLogger(__name__)

LARGEST = 1 << 20
"""Bytes of a frame above which it is read here: copies of it in three places would cost more memory than
the other core gains time."""
RESTART_FIRST, RESTART_LONGEST = 0.1, 10.0
STUCK = 60.0
"""Seconds without any answer after which a mapper that has work is killed."""


class _GoneError(Exception):
    """The mapper gave no reading."""


class Mappers:
    """Start it in the event loop of the intake; without `start`, or with `count` 0, it reads by itself."""

    def __init__(self, count: int, sites: Sites, use: Use) -> None:
        """`use` tells a mapper where `sites` were loaded from."""
        self._sites, self._use = sites, use
        self._links = [_Link() for _ in range(count)]
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Returns at once; until a mapper is up, messages are read here."""
        self._keepers = [
            asyncio.create_task(self._keep(link), name=f"mapper-{number}")
            for number, link in enumerate(self._links)
        ]

    async def stop(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    @property
    def alive(self) -> int:
        """Mappers at work."""
        return sum(link.up for link in self._links)

    def use(self, sites: Sites, use: Use) -> None:
        """Read with these profiles from now on."""
        self._sites, self._use = sites, use
        for link in self._links:
            link.tell(use)  # also one that is starting with those before

    async def read(self, frame: bytes) -> Reading:
        """Raises what `reading.read` raises."""
        ready = [link for link in self._links if link.up]
        if ready and len(frame) <= LARGEST:
            with suppress(_GoneError):
                reading = await min(ready, key=len).ask(frame)
                if not reading.envelope.site or reading.envelope.site in self._sites.profiles:
                    return reading  # else its profile was taken away meanwhile
        return read(frame, self._sites)

    async def _keep(self, link: "_Link") -> None:
        """A mapper process for ever; ends with this task."""
        pause = RESTART_FIRST
        while True:
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    process = await _process(theirs.fileno())
            except BaseException:
                ours.close()  # a process that was started ends with it
                raise
            try:
                await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=ours)
                link.tell(self._use)
                answered = await link.ended()
            finally:
                link.close()
                if process.returncode is None:
                    process.kill()  # it has nothing that could be lost
                await process.wait()
            pause = RESTART_FIRST if answered else min(2 * pause, RESTART_LONGEST)
            log.error("mapper died", extra={"code": process.returncode, "pause": pause})
            await asyncio.sleep(pause)


async def _process(descriptor: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        mapper.__name__,
        str(descriptor),
        pass_fds=(descriptor,),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,  # whoever reads ours to its end must not wait for it
    )


class _Link(asyncio.Protocol):
    """This end of one mapper; `len` is the number of messages that it has."""

    def __init__(self) -> None:
        self.up = False
        """It has its profiles, and reads."""
        self._transport: asyncio.WriteTransport | None = None
        self._lost = asyncio.Event()
        self._waiting: deque[asyncio.Future[Reading]] = deque()
        self._frames = mapper.Frames()
        self._out: deque[bytes] = deque()
        self._full = False
        """The socket takes no more for now."""
        self._answers = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def tell(self, use: Use) -> None:
        """Lost without a mapper: the next one is told when it starts."""
        self._send(*mapper.order(use))

    def ask(self, frame: bytes) -> asyncio.Future[Reading]:
        """Raises _GoneError through its future."""
        future: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._send(*mapper.order(frame))
        return future

    async def ended(self) -> bool:
        """Wait until the mapper is gone, or stuck; whether it has ever answered."""
        seen = -1
        while True:
            try:
                async with asyncio.timeout(STUCK):
                    await self._lost.wait()
                return self._answers > 0
            except TimeoutError:
                if self._waiting and self._answers == seen:
                    log.error("mapper is stuck", extra={"messages": len(self._waiting)})
                    return True
                seen = self._answers

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._give_up()

    def _send(self, head: bytes, content: bytes) -> None:
        """What one turn of the event loop asks leaves together: a system call costs as much as two readings
        of a field each."""
        if not self._out and not self._full:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out += (head, content)

    def _flush(self) -> None:
        """What waits is kept here: the transport copies all that it holds whenever something is added."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self._out.clear()
            return
        while self._out and not self._full:
            together = [self._out.popleft()]
            size = len(together[0])
            while self._out and size < TOGETHER:
                together.append(self._out.popleft())
                size += len(together[-1])
            transport.write(b"".join(together))

    def _give_up(self) -> None:
        self.up = False
        waiting, self._waiting = self._waiting, deque()
        for future in waiting:
            if not future.done():
                future.set_exception(_GoneError())

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport, self._frames, self._full = transport, mapper.Frames(), False
        self._out.clear()
        transport.set_write_buffer_limits(0)
        self._lost.clear()
        self._answers = 0

    def connection_lost(self, fault: Exception | None) -> None:
        self._transport, self._full = None, False
        self._give_up()
        self._lost.set()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._flush()

    def data_received(self, data: bytes) -> None:
        for kind, answer in self._frames.receive(data):
            if kind == mapper.READY:
                self.up = True
                continue
            self._answers += 1
            future = self._waiting.popleft()
            if future.done():  # its connection is gone
                continue
            if kind == mapper.READING:
                future.set_result(unpack(answer))
            else:
                future.set_exception(_GoneError())


def sensible() -> int:
    """How many mappers a machine of so many cores is served best by (measured on two)."""
    return 1 if (os.cpu_count() or 1) > 1 else 0
