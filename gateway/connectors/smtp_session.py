"""One connection to a mail server: blocking, for a thread of its own, one mail at a time.

The protocol is smtplib's (RFC 5321, 3207, 4954). Envelope and DATA go in one write where the server lets them
(PIPELINING, RFC 2920), and the content is handed to the network in pieces, so that it is known whether its
end had left: only then may the server have taken the mail.
"""

import base64
import contextlib
import re
import smtplib
import socket
import ssl
from typing import NamedTuple

from gateway.config import MssanteSettings
from gateway.connectors import tls

PIECE = 64 * 1024
"""Bytes of one write, which has the usual timeout to itself."""
FINAL_REPLY = 10.0
"""The reply after the content may take so many times the usual timeout (RFC 5321 §4.5.3.2.6: 10 min)."""

_LINE_BREAK = re.compile(r"[\r\n]")


class Reply(NamedTuple):
    code: int
    text: str


class Session:
    """Blocking; each method but `abort` in the one thread that has the connection. `left`: the end of the
    present mail's content was handed to the network.

    Raises what smtplib, socket and ssl raise, and at its opening TlsSettingsError.
    """

    def __init__(self, settings: MssanteSettings) -> None:
        """Connect, TLS, EHLO, AUTH. Each wait is bounded by the timeout of the settings."""
        self._timeout, self.left = settings.timeout, False
        context = _context(settings)
        client = self._client = (
            smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.timeout, context=context)
            if settings.tls == "tls"
            else smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout)
        )
        try:
            if settings.tls == "starttls":
                client.starttls(context=context)
            self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.ehlo_or_helo_if_needed()
            if settings.username:
                password = settings.password.get_secret_value() if settings.password else ""
                _log_in(client, settings.username, password)
        except BaseException:
            client.close()
            raise

    def abort(self) -> None:
        """From another thread: whatever it waits for ends."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket(), socket.SHUT_RDWR)  # of the TCP connection, not of TLS

    def close(self) -> None:
        self._client.close()

    def quit(self, timeout: float) -> None:
        """Take leave within `timeout` seconds, and close."""
        try:
            self._socket().settimeout(timeout)
            self._client.quit()
        finally:
            self._client.close()

    def _socket(self) -> socket.socket:
        connection = self._client.sock
        if connection is None:
            raise smtplib.SMTPServerDisconnected("closed")
        return connection

    def envelope(self, sender: str, recipient: str, size: int) -> None:
        """MAIL, RCPT and DATA: from here on the server waits for the content."""
        client, self.left = self._client, False
        # SIZE (RFC 1870) lets the server refuse before the content travels.
        option = f" SIZE={size}" if client.has_extn("size") else ""
        commands = (
            (f"MAIL FROM:{smtplib.quoteaddr(sender)}{option}", (250,)),
            (f"RCPT TO:{smtplib.quoteaddr(recipient)}", (250, 251)),
            ("DATA", (354,)),
        )
        if any(_LINE_BREAK.search(command) for command, _ in commands):
            raise ValueError("an address holds a line break")
        together = client.has_extn("pipelining")
        if together:
            client.send("".join(f"{command}\r\n" for command, _ in commands))
        for command, expected in commands:
            if not together:
                client.putcmd(command)
            code, text = client.getreply()
            if code not in expected:
                raise smtplib.SMTPResponseException(code, text)

    def content(self, data: bytes) -> Reply:
        """The mail itself; its lines end with CRLF, the last one too."""
        assert data.endswith(b"\r\n"), "as `mssante.message` writes it"
        client = self._client
        # A line's first dot is doubled (RFC 5321 §4.5.2); the mail's first line is a header.
        content = data.replace(b"\r\n.", b"\r\n..")
        last = (len(content) - 1) // PIECE * PIECE
        for begin in range(0, last, PIECE):
            client.send(content[begin : begin + PIECE])
        self.left = True
        client.send(content[last:] + b".\r\n")
        self._socket().settimeout(FINAL_REPLY * self._timeout)
        code, text = client.getreply()
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)
        self._socket().settimeout(self._timeout)
        return Reply(code, text.decode("utf-8", "replace"))


def _context(settings: MssanteSettings) -> ssl.SSLContext | None:
    if settings.tls == "none":
        return None
    return tls.client_context(
        ca=settings.ca, certificate=settings.client_certificate, key=settings.client_key
    )


def _log_in(client: smtplib.SMTP, user: str, password: str) -> None:
    """smtplib's own AUTH knows ASCII only; RFC 4616 §2 says UTF-8."""
    if user.isascii() and password.isascii():
        client.login(user, password)
        return
    together = f"\0{user}\0{password}".encode()
    code, text = client.docmd("AUTH", f"PLAIN {base64.b64encode(together).decode('ascii')}")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, text)
