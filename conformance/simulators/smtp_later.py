"""The dialogue of the simulated operator under load (RFC 5321, 2920, 3207): a thread a connection, no more
than a sender needs. aiosmtpd, which serves otherwise, takes four times as much CPU a mail.
"""

import re
import socket
import ssl
from collections.abc import Callable

from conformance.simulators.smtp import END
from conformance.simulators.threads import farewell, secured

READ_SIZE = 16 * 1024
"""TLS gives no more at a time."""
LONGEST_LINE = 2048
_PATH = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>(.*)", re.IGNORECASE)
_SIZE = re.compile(r"\bSIZE=(\d+)", re.IGNORECASE)

Take = Callable[[bytes, str, tuple[str, ...]], str]
"""(content with its dots doubled, sender, recipients) → the reply; "" cuts the connection instead."""


class Dialogue:
    """One connection. With `tls`, STARTTLS is offered and demanded before MAIL."""

    def __init__(
        self, connection: socket.socket, take: Take, *, limit: int, tls: ssl.SSLContext | None
    ) -> None:
        self._connection, self._take, self._limit, self._tls = connection, take, limit, tls
        self._heard = bytearray()
        self._replies: list[str] = []
        self._greeted = False
        self._sender: str | None = None
        self._recipients: list[str] = []

    def run(self) -> None:
        """Until either side ends it. Raises OSError."""
        try:
            self._say("220 mssante.simulator MSSante simulator")
            while (line := self._line()) is not None and self._obey(line):
                pass
        finally:
            self._connection.close()

    def _obey(self, line: str) -> bool:
        """One command; False: it was the last one."""
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO" | "HELO" as hello:
                self._greeted = True
                self._reset()
                self._say(*(self._extensions() if hello == "EHLO" else ("250 mssante.simulator",)))
            case "STARTTLS":
                self._start_tls()
            case "MAIL":
                self._say(self._from(rest))
            case "RCPT":
                self._say(self._to(rest))
            case "DATA":
                return self._data()
            case "RSET":
                self._reset()
                self._say("250 2.0.0 OK")
            case "NOOP":
                self._say("250 2.0.0 OK")
            case "QUIT":
                self._say("221 2.0.0 Bye")
                self._flush()
                farewell(self._connection)
                return False
            case _:
                self._say("502 5.5.1 command not served")
        return True

    def _extensions(self) -> tuple[str, ...]:
        offered = ["mssante.simulator", f"SIZE {self._limit}", "8BITMIME", "SMTPUTF8", "PIPELINING"]
        if self._tls is not None and not isinstance(self._connection, ssl.SSLSocket):
            offered.append("STARTTLS")
        return (*(f"250-{one}" for one in offered), "250 HELP")

    def _start_tls(self) -> None:
        if self._tls is None or isinstance(self._connection, ssl.SSLSocket):
            self._say("503 5.5.1 not now")
            return
        self._heard.clear()  # what came in the clear behind it must not count as secured (RFC 3207 §6)
        self._say("220 2.0.0 go ahead")
        self._flush()
        self._connection = secured(self._connection, self._tls)
        self._greeted = False

    def _from(self, rest: str) -> str:
        found = _PATH.fullmatch(rest)
        if not self._greeted:
            return "503 5.5.1 EHLO first"
        if self._tls is not None and not isinstance(self._connection, ssl.SSLSocket):
            return "530 5.7.0 STARTTLS first"
        if found is None or self._sender is not None:
            return "501 5.5.4 MAIL FROM:<address>, once"
        size = _SIZE.search(found[2])
        if size is not None and int(size[1]) > self._limit:
            return "552 5.3.4 larger than is taken"
        self._sender = found[1]
        return "250 2.1.0 OK"

    def _to(self, rest: str) -> str:
        found = _PATH.fullmatch(rest)
        if self._sender is None:
            return "503 5.5.1 MAIL first"
        if found is None or not found[1]:
            return "501 5.5.4 RCPT TO:<address>"
        self._recipients.append(found[1])
        return "250 2.1.5 OK"

    def _data(self) -> bool:
        if self._sender is None or not self._recipients:
            self._say("503 5.5.1 RCPT first")
            return True
        self._say("354 end with <CR><LF>.<CR><LF>")
        content = self._content()
        if content is None:
            return False
        reply = (
            self._take(content, self._sender, tuple(self._recipients))
            if len(content) <= self._limit
            else "552 5.3.4 larger than is taken"
        )
        self._reset()
        if reply:
            self._say(reply)
        return bool(reply)

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    def _say(self, *lines: str) -> None:
        """Replies to commands that came together leave together."""
        self._replies += lines

    def _flush(self) -> None:
        if self._replies:
            self._connection.sendall("".join(f"{one}\r\n" for one in self._replies).encode())
        self._replies.clear()

    def _line(self) -> str | None:
        """The next command; None at the end, or for one that is none."""
        while (end := self._heard.find(b"\r\n")) < 0:
            if len(self._heard) > LONGEST_LINE or not self._more():
                return None
        line = self._heard[:end].decode("utf-8", "replace")
        del self._heard[: end + 2]
        return line

    def _content(self) -> bytes | None:
        """Up to the lone dot, without it; None when the connection ended before, or nobody would end it."""
        self._flush()
        held = bytearray(b"\r\n") + self._heard  # the line of DATA itself: the dot may be the first one
        self._heard.clear()
        seen = 0
        while (end := held.find(END, seen)) < 0:
            seen = max(0, len(held) - len(END) + 1)
            data = self._connection.recv(READ_SIZE)
            if not data or len(held) > 2 * self._limit:
                return None
            held += data
        self._heard += held[end + len(END) :]
        with memoryview(held) as view:
            return bytes(view[2 : end + 2])

    def _more(self) -> bool:
        self._flush()
        data = self._connection.recv(READ_SIZE)
        self._heard += data
        return bool(data)
