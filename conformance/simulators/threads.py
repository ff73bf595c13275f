"""A listening socket whose connections are threads with blocking sockets.

Through asyncio TLS costs several times as much, on the cores of the gateway that a simulated peer measures.
"""

import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

Converse = Callable[[socket.socket], None]
"""Speaks on one connection and closes it in the end."""
STDERR = 2
FAREWELL = 1.0
"""Seconds that the other side has for its part of the end of TLS."""


class Listener:
    """Listens from the start on; `port` 0 takes a free one. Its threads end with the process."""

    def __init__(self, converse: Converse, host: str, port: int) -> None:
        self._converse = converse
        self._socket = socket.create_server((host, port), backlog=128)
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Nobody is let in any more."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._converse(connection)
        except OSError as error:  # of the network, and of TLS
            complain(error)
        finally:
            connection.close()


def complain(error: Exception) -> None:
    """To stderr, past its buffer: a thread that holds its lock while the process ends would abort that."""
    os.write(STDERR, f"connection ended: {type(error).__name__}: {error}\n".encode())


def secured(connection: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
    """The same connection behind a handshake as server; without `tls` as it is."""
    return connection if tls is None else tls.wrap_socket(connection, server_side=True)


def farewell(connection: socket.socket) -> None:
    """The orderly end: TLS says that nothing more comes (RFC 8446 §6.1), else it looks cut."""
    if isinstance(connection, ssl.SSLSocket):
        with suppress(OSError, ValueError):
            connection.settimeout(FAREWELL)
            connection.unwrap()
