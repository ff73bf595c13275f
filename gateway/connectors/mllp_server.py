"""The MLLP server: listens, admits, makes room. What happens on a connection is `mllp_connection`."""

import asyncio
import errno
import logging
import resource
import socket
import ssl
from collections import Counter
from dataclasses import replace

from gateway.config import MllpSettings
from gateway.connectors.inflight import Inflight
from gateway.connectors.mllp_connection import CLOSE_TIMEOUT, Connection, Terms
from gateway.connectors.mllp_dialogue import Handler, Refuse
from gateway.connectors.mllp_peers import Peers, address_of
from gateway.telemetry import metrics

log = logging.getLogger(__name__)

BACKLOG = 1024
RESERVED = 256
"""File descriptors left to store, workers and HTTP."""
PAUSE = 0.2
"""Seconds before connections are accepted again, when the system has none to give (descriptors, memory)."""


_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class MllpServer:
    """Survives every peer; an address that holds many idle connections takes no place from another."""

    def __init__(
        self,
        handler: Handler,
        refuse: Refuse,
        settings: MllpSettings,
        *,
        limit: int,
        tls: ssl.SSLContext | None = None,
        inflight: Inflight | None = None,
    ) -> None:
        """`limit` caps the payload of a frame, in bytes; `inflight` what all frames, and whatever else comes
        in beside them, take of the memory. Addresses and ports are those given to `start`."""
        self._settings = settings
        self._terms = Terms(
            handler=handler,
            refuse=refuse,
            settings=settings,
            limit=limit,
            tls=tls,
            peers=Peers(settings.peers, settings.open_to_all),
            inflight=inflight or Inflight(settings.max_buffered),
        )
        self._places = _affordable(settings.max_connections)
        self._listeners: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._tasks: dict[Connection, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        """Tasks of connections that had to make room; they close."""
        self._crowd: Counter[str] = Counter()
        """Connections of each address."""

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (asked for with 0). Raises OSError when the address is taken."""
        self._listeners = await _listen(host, port)
        self._accepting = [asyncio.create_task(self._accept(one)) for one in self._listeners]
        bound: int = self._listeners[0].getsockname()[1]
        return bound

    def reload(self, settings: MllpSettings, tls: ssl.SSLContext | None) -> None:
        """New terms for connections from now on; those that stand keep theirs."""
        self._settings = settings
        peers = Peers(settings.peers, settings.open_to_all)
        self._terms = replace(self._terms, settings=settings, tls=tls, peers=peers)
        self._terms.inflight.limit = settings.max_buffered

    async def stop(self, grace: float = 10.0) -> None:
        """Take no new connection, let messages under way be answered, then close. May be called again."""
        for task in self._accepting:
            task.cancel()
        if self._accepting:
            await asyncio.wait(self._accepting)
        for listener in self._listeners:
            listener.close()
        self._accepting, self._listeners = [], []
        for connection, task in self._tasks.items():
            connection.closing = True
            if not connection.busy:
                task.cancel()
        busy = [task for connection, task in self._tasks.items() if connection.busy]
        if busy:
            await asyncio.wait(busy, timeout=grace)
        left = {*self._tasks.values(), *self._leaving}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=CLOSE_TIMEOUT)

    # --- admission

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError as fault:
                log.warning("cannot accept a connection", extra={"fault": fault.strerror})
                if fault.errno in _EXHAUSTED:
                    if self._crowd:
                        self._evict(_most(self._crowd))
                    await asyncio.sleep(PAUSE)
                continue
            try:
                self._admit(Connection(sock, self._terms), sock)
            except OSError:  # gone before we looked at it
                sock.close()

    def _admit(self, connection: Connection, sock: socket.socket) -> None:
        reason = ""
        if not self._terms.peers.may_connect(address_of(connection.host)):
            reason = "unknown_peer"
        elif not self._make_room(connection.host):
            reason = "crowded"
        if reason:
            metrics.REFUSED_CONNECTIONS.labels(reason).inc()
            log.warning("connection refused", extra={"peer": connection.name, "reason": reason})
            sock.close()
            return
        task = asyncio.create_task(connection.run())
        self._tasks[connection] = task
        self._crowd[connection.host] += 1
        metrics.CONNECTIONS.inc()
        task.add_done_callback(lambda _: self._forget(connection))

    def _make_room(self, host: str) -> bool:
        """Whether one more connection of `host` may stay; an idle one gives way where a cap is reached."""
        if self._crowd[host] >= self._settings.max_per_address:
            return self._evict(host)
        if len(self._tasks) >= self._places:
            return self._evict(_most(self._crowd))
        return True

    def _evict(self, host: str) -> bool:
        """Close the idle connection of `host` that is least of use: first those that never sent anything."""
        idle = [one for one in self._tasks if one.host == host and one.idle]
        if not idle:
            return False
        victim = min(idle, key=lambda one: (one.heard, one.since))
        metrics.REFUSED_CONNECTIONS.labels("idle").inc()
        log.warning("idle connection closed to make room", extra={"peer": victim.name})
        task = self._tasks[victim]
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        self._forget(victim)
        task.cancel()
        return True

    def _forget(self, connection: Connection) -> None:
        if self._tasks.pop(connection, None) is None:
            return
        self._crowd[connection.host] -= 1
        if not self._crowd[connection.host]:
            del self._crowd[connection.host]
        metrics.CONNECTIONS.dec()


def _affordable(wanted: int) -> int:
    """`wanted` connections, or fewer where the system's limit of open files is lower."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= wanted + RESERVED:
        return wanted
    most = max(limit - RESERVED, limit // 2)
    log.warning(
        "mllp.max_connections is above what the limit of open files allows: raise it (ulimit -n)",
        extra={"connections": most, "open_files": limit},
    )
    return most


def _most(crowd: Counter[str]) -> str:
    return max(crowd, key=lambda host: crowd[host])


async def _listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`, all on one port."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            sock = socket.socket(family, socket.SOCK_STREAM)
            listeners.append(sock)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # With port 0 the first address chooses it.
            sock.bind((address[0], listeners[0].getsockname()[1] or port, *address[2:]))
            sock.listen(BACKLOG)
    except OSError:
        for sock in listeners:
            sock.close()
        raise
    return listeners
