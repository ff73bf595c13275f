"""DMP over HTTPS: one kept HTTP/1.1 client per worker, mutual TLS, one table from httpx errors to classes.

What the DMP answers is judged by `gateway.dmp`; here is only what happens when it does not answer. The
question is always whether the request had left: before its last byte nothing was taken, after it only the
DMP knows (`ambiguous`).
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from gateway.config import DmpSettings
from gateway.connectors import tls
from gateway.dmp import DmpQuery, DmpRequest, judge, judge_query
from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.xds import FoundEntry

log = logging.getLogger(__name__)

ANSWER_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer that are read; a RegistryResponse has a few thousand."""
PIECE = 256 * 1024
KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: less than a usual server (5 s), which else may close it in the
very moment of a request and leave us not knowing whether it arrived."""

_T, _P, _A = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS

ERRORS: dict[type[Exception], OutcomeKind] = {
    # Nothing left. Unusable certificate files are the operator's to mend, then the queue goes on.
    tls.TlsSettingsError: _T,
    httpx.ConnectError: _T,
    httpx.ConnectTimeout: _T,
    httpx.PoolTimeout: _T,
    httpx.ProxyError: _T,
    # Cut while the request was on its way: Content-Length tells the peer that it is incomplete.
    httpx.WriteError: _T,
    httpx.WriteTimeout: _T,
    # It left, and no whole answer came.
    httpx.ReadError: _A,
    httpx.ReadTimeout: _A,
    httpx.CloseError: _A,
    httpx.RemoteProtocolError: _A,
    httpx.DecodingError: _A,
    # Ours or the configuration's fault: it would fail again.
    httpx.InvalidURL: _P,
    httpx.UnsupportedProtocol: _P,
    httpx.LocalProtocolError: _P,
    httpx.TooManyRedirects: _P,
    httpx.HTTPStatusError: _P,
    httpx.CookieConflict: _P,
    # Families, for classes that a later httpx may add: the cautious reading.
    httpx.HTTPError: _A,
    httpx.RequestError: _A,
    httpx.TransportError: _A,
    httpx.TimeoutException: _A,
    httpx.NetworkError: _A,
    httpx.ProtocolError: _A,
    httpx.StreamError: _A,
    httpx.StreamConsumed: _A,
    httpx.StreamClosed: _A,
    httpx.ResponseNotRead: _A,
    httpx.RequestNotRead: _A,
    # Of the platform, not translated by httpx.
    TimeoutError: _A,
    ssl.SSLError: _A,
    OSError: _A,
}
"""The most specific class wins. `ambiguous` holds only once the request has left: see `classify`."""

FAULTS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpx.CookieConflict,
    tls.TlsSettingsError,
    OSError,
)
"""What a send may raise; ssl.SSLError and TimeoutError are OSErrors."""

DETAILS: dict[OutcomeKind, str] = {
    _T: "the DMP cannot be reached, nothing was taken",
    _P: "the request cannot be sent as it is configured",
    _A: "the request left and no answer came",
}


class DmpSender:
    """`ports.Sender` for DmpRequest. Belongs to one event loop."""

    def __init__(self, settings: DmpSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._opening = asyncio.Lock()
        self._kept: _Kept | None = None

    async def send(self, request: DmpRequest) -> Outcome:
        """Post once. Every fault of peer, network or certificates is an outcome."""
        answer = await self._post(request)
        if isinstance(answer, Outcome):
            return answer
        outcome = judge(answer.status, answer.content_type, answer.body)
        if outcome.kind is OutcomeKind.DELIVERED:
            return replace(outcome, remote_ids=request.remote_ids)
        return replace(outcome, retry_after=answer.retry_after)

    async def ask(self, query: DmpQuery) -> tuple[FoundEntry, ...] | Outcome:
        """What the registry holds; an Outcome says why it does not tell."""
        answer = await self._post(query)
        if isinstance(answer, Outcome):
            # A question changes nothing: without an answer it is simply asked again.
            return replace(answer, kind=_T) if answer.kind is _A else answer
        found = judge_query(answer.status, answer.content_type, answer.body)
        return replace(found, retry_after=answer.retry_after) if isinstance(found, Outcome) else found

    async def close(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.client.aclose()

    async def _post(self, request: DmpRequest | DmpQuery) -> "_Answer | Outcome":
        """The answer to one POST; an Outcome when there is none."""
        progress = _Progress()
        async with self._slots:
            try:
                # httpx counts its timeouts per read; an answer that drips must end too.
                async with asyncio.timeout(3 * self._settings.timeout):
                    return await self._exchange(request, progress)
            except FAULTS as error:
                outcome = classify(error, left=progress.left)
                log.warning(
                    "no answer from the DMP",
                    extra={"code": outcome.code, "outcome": str(outcome.kind), "left": progress.left},
                )
                return outcome

    async def _exchange(self, request: DmpRequest | DmpQuery, progress: "_Progress") -> "_Answer | Outcome":
        # SOAP 1.2 names the action in the Content-Type, where the request carries it already.
        headers = {
            "Content-Type": request.content_type,
            "Content-Length": str(len(request.body)),
            "Accept": "multipart/related, application/soap+xml",
        }
        extensions = {"trace": progress.trace}
        async with (
            self._borrow() as client,
            client.stream(
                "POST", request.url, content=_pieces(request.body), headers=headers, extensions=extensions
            ) as response,
        ):
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > ANSWER_LIMIT:
                    code = f"HTTP {response.status_code}"
                    return Outcome(kind=_A, code=code, detail="the answer is too large")
            return _Answer(
                response.status_code,
                response.headers.get("content-type", ""),
                bytes(body),
                _retry_after(response.headers.get("retry-after", "")),
            )

    @asynccontextmanager
    async def _borrow(self) -> AsyncIterator[httpx.AsyncClient]:
        """The kept client; a fresh one after a certificate file was exchanged (REQ-75).

        The one before is closed by the last request that still uses it.
        """
        async with self._opening:
            seen = _changes(self._settings)
            if self._kept is None or self._kept.seen != seen:
                before, self._kept = self._kept, _Kept(_open(self._settings), seen)
                if before is not None and not before.users:
                    await before.client.aclose()
            kept = self._kept
        kept.users += 1
        try:
            yield kept.client
        finally:
            kept.users -= 1
            if kept is not self._kept and not kept.users:
                await kept.client.aclose()


class _Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes
    retry_after: float


class _Kept:
    """A client, the certificate files that it was made from, and how many requests use it."""

    def __init__(self, client: httpx.AsyncClient, seen: tuple[int, ...]) -> None:
        self.client, self.seen, self.users = client, seen, 0


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    """TLS copies twice what it is given whole; a piece waits until the network took the one before."""
    for begin in range(0, len(body), PIECE):
        yield body[begin : begin + PIECE]


def _open(settings: DmpSettings) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=tls.client_context(
            ca=settings.ca, certificate=settings.client_certificate, key=settings.client_key
        ),
        http1=True,
        http2=False,
        timeout=settings.timeout,
        limits=httpx.Limits(keepalive_expiry=KEEP_ALIVE),
        follow_redirects=False,
        # No proxy, no .netrc and no CA bundle from the environment: the settings say all.
        trust_env=False,
    )


def _changes(settings: DmpSettings) -> tuple[int, ...]:
    """Modification times of the certificate files; 0 for a missing one: opening it will say what is wrong."""
    files = (settings.ca, settings.client_certificate, settings.client_key)
    return tuple(path.stat().st_mtime_ns if path and path.exists() else 0 for path in files)


class _Progress:
    """Watches one request: `left` once its last byte was handed to the network (httpcore's trace hook)."""

    def __init__(self) -> None:
        self.left = False

    async def trace(self, event: str, _info: dict[str, Any]) -> None:
        if event == "http11.send_request_body.complete":
            self.left = True


def classify(error: Exception, *, left: bool) -> Outcome:
    """The outcome of an attempt that ended in `error`; `left`: the whole request had been written."""
    kind = next(ERRORS[kind] for kind in type(error).__mro__ if kind in ERRORS)
    refused = _handshake(error)
    if kind is _A and (not left or refused):
        kind = _T
    detail = DETAILS[kind]
    if refused:
        # A TLS 1.3 server refuses a client certificate only after the handshake: it shows as a read error,
        # or, when its reset overtakes the alert, as a silence like any other (`ambiguous`).
        detail = "TLS: a certificate was refused"
    elif isinstance(error, tls.TlsSettingsError):
        detail = str(error)
    return Outcome(kind=kind, code=type(error).__name__, detail=detail)


_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE")


def _handshake(error: BaseException | None) -> bool:
    """Whether certificates are behind `error`: the peer dropped the connection before it read anything."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        if isinstance(error, ssl.SSLError) and any(
            word in (error.reason or "") for word in _CERTIFICATE_ALERTS
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(text: str) -> float:
    """Seconds of a Retry-After header; 0 without one, or for a date (RFC 9110 §10.2.3)."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
