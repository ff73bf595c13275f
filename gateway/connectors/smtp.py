"""MSSanté over SMTP: one kept connection per worker, TLS from the settings, one table of outcomes.

RFC 5321, 3207 (STARTTLS), 8314 (implicit TLS); spec dmp-mss.md §3.2. A mail cannot be asked for afterwards:
what happens once its content is on the way and no reply comes back is `ambiguous`, and a person decides.
"""

import asyncio
import contextlib
import logging
import re
import smtplib
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import NamedTuple

from gateway.config import MssanteSettings
from gateway.connectors import tls
from gateway.connectors.smtp_session import Reply, Session
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.mssante import MailRequest

log = logging.getLogger(__name__)

CONNECTION_AGE = 600.0
"""Seconds after which a kept connection is renewed, so that exchanged certificates come into use (REQ-75)."""


class Stage(StrEnum):
    SESSION = "session"
    """Connect, TLS, EHLO, AUTH: nothing about this mail was said yet."""
    ENVELOPE = "envelope"
    """MAIL, RCPT, DATA and the content but for its end, without which a server takes no mail (RFC 5321
    §4.1.1.4)."""
    CONTENT = "content"
    """The end of the content is on the way."""


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
    smtplib.SMTPServerDisconnected: Cause.LOST,
    smtplib.SMTPNotSupportedError: Cause.UNSUPPORTED,
    # The bare class is what smtplib raises for a server without a known AUTH method.
    smtplib.SMTPException: Cause.UNSUPPORTED,
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
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, OSError):
        error = error.__context__  # what smtplib makes of any fault of the connection
    if isinstance(error, smtplib.SMTPResponseException):
        cause = _HUNDREDS.get(error.smtp_code // 100, Cause.LOST)
        return _outcome(stage, cause, _reply_code(error.smtp_code, _text(error.smtp_error)))
    cause = next(CAUSES[kind] for kind in type(error).__mro__ if kind in CAUSES)
    return _outcome(stage, cause, type(error).__name__)


class SmtpSender:
    """`ports.Sender` for MailRequest. One per worker; mails go one after the other over one connection, in a
    thread of their own."""

    def __init__(self, settings: MssanteSettings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, "smtp")
        self._session: Session | None = None  # of the thread, as is `_opened`
        self._opened = 0.0

    async def send(self, request: MailRequest, begun: Callable[[], None] = lambda: None) -> Outcome:
        """Send once. Every fault of server, network or certificates is an outcome.

        `begun` is called right before the content leaves (`pipeline.route.MarkingSender`), in the thread, and
        never once `send` has ended: what never came that far may be sent again.
        """
        attempt = _Attempt(request, begun)
        loop = asyncio.get_running_loop()
        try:
            outcome = await loop.run_in_executor(self._thread, self._deliver, attempt)
        except asyncio.CancelledError:
            attempt.give_up()
            raise
        if outcome.kind is not OutcomeKind.DELIVERED:
            log.warning("mail not taken", extra={"code": outcome.code, "outcome": str(outcome.kind)})
        return outcome

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._leave)
        self._thread.shutdown(wait=False)

    # ---------------------------------------------------------------- in the thread

    def _deliver(self, attempt: "_Attempt") -> Outcome:
        stage = Stage.ENVELOPE
        try:
            session = self._kept(attempt)
            if session is None:
                stage = Stage.SESSION
                session = self._open()
                stage = Stage.ENVELOPE
                attempt.envelope(session)
            attempt.begin()
            return _delivered(attempt.request, session.content(attempt.request.data))
        except Exception as error:
            if self._session is not None and self._session.left:
                stage = Stage.CONTENT
            self._drop()
            return classify(stage, error)
        finally:
            attempt.done()

    def _kept(self, attempt: "_Attempt") -> Session | None:
        """The kept connection, where it takes the envelope; None when there is none any more."""
        session = self._session
        if session is None or time.monotonic() - self._opened > CONNECTION_AGE:
            return None
        try:
            attempt.envelope(session)
        except OSError as error:
            # The server closed the kept connection while it was idle; nothing has left yet.
            if _stale(error):
                return None
            raise
        return session

    def _open(self) -> Session:
        self._drop()
        session = self._session = Session(self._settings)
        self._opened = time.monotonic()
        return session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _leave(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(OSError):
                session.quit(min(self._settings.timeout, 5.0))


class _Attempt:
    """One mail on its way through the thread, which the event loop may give up at any time."""

    def __init__(self, request: MailRequest, begun: Callable[[], None]) -> None:
        self.request, self._begun = request, begun
        self._lock = threading.Lock()
        self._given_up = False
        self._session: Session | None = None

    def envelope(self, session: Session) -> None:
        with self._lock:
            self._go_on()
            self._session = session
        session.envelope(self.request.sender, self.request.recipient, len(self.request.data))

    def begin(self) -> None:
        """`begun` has been called, or, once it is given up, never is."""
        with self._lock:
            self._go_on()
            self._begun()

    def done(self) -> None:
        with self._lock:
            self._session = None

    def give_up(self) -> None:
        with self._lock:
            self._given_up = True
            if self._session is not None:
                self._session.abort()

    def _go_on(self) -> None:
        if self._given_up:
            raise TimeoutError


def _stale(error: OSError) -> bool:
    """The kept connection is gone: closed, or announced with 421 (RFC 5321 §3.8)."""
    return isinstance(error, smtplib.SMTPServerDisconnected) or getattr(error, "smtp_code", 0) == 421


def _text(message: bytes | str) -> str:
    return message if isinstance(message, str) else message.decode("utf-8", "replace")


def _delivered(request: MailRequest, reply: Reply) -> Outcome:
    queued = _QUEUED.search(reply.text)
    ids = (("message-id", request.message_id), *((("queue-id", queued[1]),) if queued else ()))
    taken = MEANINGS[Stage.CONTENT][Cause.OK]
    detail = f"{taken.detail}; {request.remark}" if request.remark else taken.detail
    return Outcome(kind=taken.kind, code=_reply_code(reply.code, reply.text), detail=detail, remote_ids=ids)


def _outcome(stage: Stage, cause: Cause, code: str) -> Outcome:
    meaning = MEANINGS[stage][cause]
    return Outcome(kind=meaning.kind, code=code, detail=meaning.detail)


def _reply_code(code: int, message: str) -> str:
    """`550 5.1.1`: the reply and its enhanced status (RFC 3463) when there is one."""
    enhanced = _ENHANCED.match(message)
    return f"{code} {enhanced[0]}" if enhanced else str(code)
