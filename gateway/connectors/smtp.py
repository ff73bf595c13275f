"""MSSanté over SMTP: one kept connection per worker, TLS from the settings, one table of outcomes.

RFC 5321, 3207 (STARTTLS), 8314 (implicit TLS); spec dmp-mss.md §3.2. A mail cannot be asked for afterwards:
what happens once its content is on the way and no reply comes back is `ambiguous`, and a person decides.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import aiosmtplib

from gateway.config import MssanteSettings
from gateway.connectors import tls
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.mssante import MailRequest

log = logging.getLogger(__name__)

CONNECTION_AGE = 600.0
"""Seconds after which a kept connection is renewed, so that exchanged certificates come into use (REQ-75)."""
FINAL_REPLY = 10.0
"""The reply after the content may take so many times the usual timeout (RFC 5321 §4.5.3.2.6: 10 min)."""


class Stage(StrEnum):
    SESSION = "session"
    """Connect, TLS, EHLO, AUTH: nothing about this mail was said yet."""
    ENVELOPE = "envelope"
    """MAIL and RCPT: nothing of the mail's content has left."""
    CONTENT = "content"
    """From DATA on. aiosmtplib does not tell whether a lost connection came before or after the last dot, so
    all of it counts as on the way."""


class Cause(StrEnum):
    OK = "2xx"
    LATER = "4xx"
    NEVER = "5xx"
    LOST = "lost"
    TIMEOUT = "timeout"
    TLS = "tls"
    UNSUPPORTED = "unsupported"


class Meaning(NamedTuple):
    kind: OutcomeKind
    detail: str


_T, _P, _A = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS
_UNKNOWN = "the content left and no reply came: ask the recipient before sending again"

MEANINGS: dict[Stage, dict[Cause, Meaning]] = {
    # Whatever ails the session ails every mail: it waits until somebody mends the server or the settings.
    Stage.SESSION: {
        Cause.OK: Meaning(_T, "the server greets in an unknown way"),
        Cause.LATER: Meaning(_T, "the server takes no mail now"),
        Cause.NEVER: Meaning(_T, "the server refuses this client: check user, certificate and mssante.host"),
        Cause.LOST: Meaning(_T, "the server cannot be reached"),
        Cause.TIMEOUT: Meaning(_T, "the server does not answer"),
        Cause.TLS: Meaning(_T, "TLS failed: check mssante.ca and the client certificate"),
        Cause.UNSUPPORTED: Meaning(_T, "the server lacks STARTTLS or AUTH: check mssante.tls"),
    },
    Stage.ENVELOPE: {
        Cause.OK: Meaning(_T, "the server answers in an unknown way"),
        Cause.LATER: Meaning(_T, "the server defers this mail"),
        Cause.NEVER: Meaning(_P, "the server refuses sender or recipient"),
        Cause.LOST: Meaning(_T, "the connection was lost before the mail left"),
        Cause.TIMEOUT: Meaning(_T, "the server stopped answering before the mail left"),
        Cause.TLS: Meaning(_T, "TLS failed before the mail left"),
        Cause.UNSUPPORTED: Meaning(_P, "the server does not support what this mail needs"),
    },
    Stage.CONTENT: {
        Cause.OK: Meaning(OutcomeKind.DELIVERED, "taken"),
        Cause.LATER: Meaning(_T, "the server defers this mail"),
        Cause.NEVER: Meaning(_P, "the server refuses the content"),
        Cause.LOST: Meaning(_A, _UNKNOWN),
        Cause.TIMEOUT: Meaning(_A, _UNKNOWN),
        Cause.TLS: Meaning(_A, _UNKNOWN),
        Cause.UNSUPPORTED: Meaning(_A, _UNKNOWN),
    },
}
"""The one table: where it happened, what happened → class and a line for people."""

CAUSES: dict[type[BaseException], Cause] = {
    aiosmtplib.SMTPTimeoutError: Cause.TIMEOUT,
    aiosmtplib.SMTPConnectTimeoutError: Cause.TIMEOUT,
    aiosmtplib.SMTPReadTimeoutError: Cause.TIMEOUT,
    aiosmtplib.SMTPServerDisconnected: Cause.LOST,
    aiosmtplib.SMTPConnectError: Cause.LOST,
    aiosmtplib.SMTPNotSupported: Cause.UNSUPPORTED,
    # The bare class is what aiosmtplib raises for a server without STARTTLS or a known AUTH method.
    aiosmtplib.SMTPException: Cause.UNSUPPORTED,
    TimeoutError: Cause.TIMEOUT,
    ssl.SSLError: Cause.TLS,
    OSError: Cause.LOST,
    tls.TlsSettingsError: Cause.TLS,
    # Whatever else: judged by its stage alone, so that a fault of ours never counts a mail as taken or lost.
    Exception: Cause.LOST,
}
"""Exceptions without a reply code; the most specific class wins. Those with one go by its first digit."""

_HUNDREDS: dict[int, Cause] = {2: Cause.OK, 4: Cause.LATER, 5: Cause.NEVER}
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")
_QUEUED = re.compile(r"queued as ([A-Za-z0-9.-]{1,64})")


def classify(stage: Stage, error: BaseException) -> Outcome:
    """The outcome of a failure at `stage`. Of the server's text only codes are kept: it quotes addresses."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        cause = _HUNDREDS.get(error.code // 100, Cause.LOST)
        return _outcome(stage, cause, _reply_code(error.code, error.message))
    cause = (
        Cause.TLS
        if _handshake(error)
        else next(CAUSES[kind] for kind in type(error).__mro__ if kind in CAUSES)
    )
    return _outcome(stage, cause, type(error).__name__)


class SmtpSender:
    """`ports.Sender` for MailRequest. One per worker; mails go one after the other over one connection."""

    def __init__(self, settings: MssanteSettings) -> None:
        self._settings = settings
        self._client: aiosmtplib.SMTP | None = None
        self._opened = 0.0
        self._lock = asyncio.Lock()

    async def send(self, request: MailRequest, begun: Callable[[], None] = lambda: None) -> Outcome:
        """Send once. Every fault of server, network or certificates is an outcome.

        `begun` is called right before the content leaves (`pipeline.route.MarkingSender`): what never came
        that far may be sent again after a crash.
        """
        async with self._lock:
            stage, fresh = Stage.SESSION, False
            try:
                client, fresh = await self._current()
                stage = Stage.ENVELOPE
                try:
                    await self._envelope(client, request)
                except aiosmtplib.SMTPException as error:
                    if fresh or not _stale(error):
                        raise
                    # The server closed the kept connection while it was idle; nothing has left yet.
                    stage = Stage.SESSION
                    client = await self._open()
                    stage = Stage.ENVELOPE
                    await self._envelope(client, request)
                begun()
                stage = Stage.CONTENT
                reply = await self._content(client, request.data)
            except Exception as error:
                self._drop()
                outcome = classify(stage, error)
                log.warning("mail not taken", extra={"code": outcome.code, "outcome": str(outcome.kind)})
                return outcome
            except BaseException:
                # Cancelled in the middle of a dialogue: the connection cannot be used again.
                self._drop()
                raise
            return _delivered(request, reply)

    async def close(self) -> None:
        async with self._lock:
            client, self._client = self._client, None
            if client is None or not client.is_connected:
                return
            try:
                await client.quit(timeout=min(self._settings.timeout, 5.0))
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    async def _current(self) -> tuple[aiosmtplib.SMTP, bool]:
        """The kept connection and False, or a new one and True."""
        aged = asyncio.get_running_loop().time() - self._opened > CONNECTION_AGE
        if self._client is not None and self._client.is_connected and not aged:
            return self._client, False
        return await self._open(), True

    async def _open(self) -> aiosmtplib.SMTP:
        self._drop()
        settings = self._settings
        context = await asyncio.to_thread(self._context)
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=settings.password.get_secret_value() if settings.password else None,
            timeout=settings.timeout,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=context,
        )
        self._client = client
        # connect() bounds each step by itself; the sum of greeting, TLS and AUTH must end, too.
        async with asyncio.timeout(3 * settings.timeout):
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        self._opened = asyncio.get_running_loop().time()
        return client

    def _context(self) -> ssl.SSLContext | None:
        settings = self._settings
        if settings.tls == "none":
            return None
        return tls.client_context(
            ca=settings.ca, certificate=settings.client_certificate, key=settings.client_key
        )

    async def _envelope(self, client: aiosmtplib.SMTP, request: MailRequest) -> None:
        # SIZE (RFC 1870) lets the server refuse before the content travels.
        sized = client.supports_extension("size")
        await client.mail(request.sender, options=[f"SIZE={len(request.data)}"] if sized else None)
        await client.rcpt(request.recipient)

    async def _content(self, client: aiosmtplib.SMTP, data: bytes) -> aiosmtplib.SMTPResponse:
        """DATA, whose lines end with CRLF already: `client.data` looks for those that do not, and for dots,
        by regular expressions that cost as much as the TLS of the mail."""
        assert data.endswith(b"\r\n"), "as `mssante.message` writes it"
        go = await client.execute_command(b"DATA")
        if go.code != aiosmtplib.SMTPStatus.start_input:
            raise aiosmtplib.SMTPDataError(go.code, go.message)
        protocol = client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("closed")
        # A line's first dot is doubled (RFC 5321 §4.5.2); the mail's first line is a header.
        protocol.write(data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        reply = await protocol.read_response(timeout=FINAL_REPLY * self._settings.timeout)
        if reply.code != aiosmtplib.SMTPStatus.completed:
            raise aiosmtplib.SMTPDataError(reply.code, reply.message)
        return reply

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _stale(error: aiosmtplib.SMTPException) -> bool:
    """The kept connection is gone: closed, or announced with 421 (RFC 5321 §3.8)."""
    return isinstance(error, aiosmtplib.SMTPServerDisconnected) or getattr(error, "code", 0) == 421


def _delivered(request: MailRequest, reply: aiosmtplib.SMTPResponse) -> Outcome:
    queued = _QUEUED.search(reply.message)
    ids = (("message-id", request.message_id), *((("queue-id", queued[1]),) if queued else ()))
    taken = MEANINGS[Stage.CONTENT][Cause.OK]
    detail = f"{taken.detail}; {request.remark}" if request.remark else taken.detail
    return Outcome(
        kind=taken.kind, code=_reply_code(reply.code, reply.message), detail=detail, remote_ids=ids
    )


def _outcome(stage: Stage, cause: Cause, code: str) -> Outcome:
    meaning = MEANINGS[stage][cause]
    return Outcome(kind=meaning.kind, code=code, detail=meaning.detail)


def _reply_code(code: int, message: str) -> str:
    """`550 5.1.1`: the reply and its enhanced status (RFC 3463) when there is one."""
    enhanced = _ENHANCED.match(message)
    return f"{code} {enhanced[0]}" if enhanced else str(code)


def _handshake(error: BaseException | None) -> bool:
    """Whether TLS is behind `error`: aiosmtplib wraps it into its own connection errors."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
