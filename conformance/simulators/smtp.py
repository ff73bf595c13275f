"""aiosmtpd's server with a DATA of its own: the whole content at once, not a turn of the event loop a line.

A mail with its documents has some thousand lines; line by line they cost the simulated operator most of its
time, on the cores of the gateway that is measured against it.
"""

import sys

from aiosmtpd.smtp import SMTP, syntax

END = b"\r\n.\r\n"
_CHUNK = 1 << 20


class Server(SMTP):
    """Replies, limits and dot-unstuffing (RFC 5321 §4.5.2, §4.5.3.1.6) are those of aiosmtpd."""

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - the name is aiosmtpd's
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None  # after EHLO
        if not self.envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
        elif arg:
            await self.push("501 Syntax: DATA")
        else:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            content = await self._content()
            await self.push(await self._judged(content))

    async def _judged(self, content: bytes | None) -> str:
        """The reply to a content; None: it was above the limit."""
        if content is None:
            reply = "552 Error: Too much mail data"
        elif max(map(len, content.split(b"\r\n"))) + 2 > self.line_length_limit:
            reply = "500 Line too long (see RFC5321 4.5.3.1.6)"
        else:
            assert self.envelope is not None
            self.envelope.content = self.envelope.original_content = unstuffed(content)
            reply = await self._call_handler_hook("DATA")
        self.envelope = self._create_envelope()
        return reply

    async def _content(self) -> bytes | None:
        """Up to the lone dot, without it; None above the limit, when all of it has come.

        aiosmtpd cancels the command when the connection ends, so that a read never comes back empty.
        """
        held = bytearray(b"\r\n")  # the line of DATA itself: the dot may be the first one
        seen, much, limit = 0, False, self.data_size_limit or sys.maxsize
        while True:
            seen = max(0, len(held) - len(END) + 1)
            held += await self._reader.read(_CHUNK)
            if (end := held.find(END, seen)) >= 0:
                break
            if much := much or len(held) > limit:
                del held[: -len(END)]
        if rest := bytes(held[end + len(END) :]):  # commands that came along (PIPELINING)
            self._reader.feed_data(rest)
        return None if much or end > limit else bytes(held[2 : end + 2])


def unstuffed(content: bytes) -> bytes:
    """Without the dots that the sender put before dots at the start of a line."""
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n")[2:]
