"""DMP over HTTPS: one kept HTTP/1.1 client per worker, mutual TLS, one table from its faults to classes.

What the DMP answers is judged by `gateway.dmp`; here is only what happens when it does not answer. The
question is always whether the request had left: before its last byte nothing was taken, after it only the
DMP knows (`ambiguous`).
"""

import asyncio
import logging
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.config import DmpSettings
from gateway.connectors import tls
from gateway.connectors.http import Answer, Call, Client, HttpError
from gateway.dmp import DmpQuery, DmpRequest, judge, judge_query
from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.xds import FoundEntry

log = logging.getLogger(__name__)

ANSWER_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer that are read; a RegistryResponse has a few thousand."""
KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: less than a usual server (5 s), which else may close it in the
very moment of a request and leave us not knowing whether it arrived."""

_T, _P, _A = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS

ERRORS: dict[str, OutcomeKind] = {
    # Nothing left. Unusable certificate files are the operator's to mend, then the queue goes on.
    "TlsSettingsError": _T,
    "ConnectError": _T,
    "ConnectTimeout": _T,
    # Cut while the request was on its way: Content-Length tells the peer that it is incomplete.
    "WriteError": _T,
    "WriteTimeout": _T,
    # The configuration's fault: it would fail again.
    "InvalidURL": _P,
    "UnsupportedProtocol": _P,
    # It left, and no whole answer came.
    "ReadError": _A,
    "ReadTimeout": _A,
    "RemoteProtocolError": _A,
    # The answer drips.
    "TimeoutError": _A,
}
"""Code of a fault → class. `ambiguous`, also for any other, holds only once the request has left: see
`classify`."""

DETAILS: dict[OutcomeKind, str] = {
    _T: "the DMP cannot be reached, nothing was taken",
    _P: "the request cannot be sent as it is configured",
    _A: "the request left and no answer came",
}


class DmpSender:
    """`ports.Sender` for DmpRequest. Belongs to one event loop; a thread for each request under way."""

    def __init__(self, settings: DmpSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._threads = ThreadPoolExecutor(settings.concurrency, "dmp")
        self._client: Client | None = None
        self._seen: tuple[int, ...] = ()

    async def send(self, request: DmpRequest) -> Outcome:
        """Post once. Every fault of peer, network or certificates is an outcome."""
        answer = await self._post(request)
        if isinstance(answer, Outcome):
            return answer
        outcome = judge(answer.status, answer.headers.get("content-type", ""), answer.body)
        if outcome.kind is OutcomeKind.DELIVERED:
            return replace(outcome, remote_ids=request.remote_ids)
        return replace(outcome, retry_after=_retry_after(answer))

    async def ask(self, query: DmpQuery) -> tuple[FoundEntry, ...] | Outcome:
        """What the registry holds; an Outcome says why it does not tell."""
        answer = await self._post(query)
        if isinstance(answer, Outcome):
            # A question changes nothing: without an answer it is simply asked again.
            return replace(answer, kind=_T) if answer.kind is _A else answer
        found = judge_query(answer.status, answer.headers.get("content-type", ""), answer.body)
        return replace(found, retry_after=_retry_after(answer)) if isinstance(found, Outcome) else found

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()
        self._threads.shutdown(wait=False)

    async def _post(self, request: DmpRequest | DmpQuery) -> Answer | Outcome:
        """The answer to one POST; an Outcome when there is none."""
        # SOAP 1.2 names the action in the Content-Type, where the request carries it already.
        headers = {
            "Content-Type": request.content_type,
            "Accept": "multipart/related, application/soap+xml",
        }
        call = Call(request.url, headers, request.body)
        async with self._slots:
            try:
                # The client counts its timeout per step; an answer that drips must end too.
                async with asyncio.timeout(3 * self._settings.timeout):
                    answer = await self._answer(call)
            except (HttpError, tls.TlsSettingsError, OSError) as error:
                outcome = classify(error, left=call.left)
                log.warning(
                    "no answer from the DMP",
                    extra={"code": outcome.code, "outcome": str(outcome.kind), "left": call.left},
                )
                return outcome
        if not answer.whole:
            return Outcome(kind=_A, code=f"HTTP {answer.status}", detail="the answer is too large")
        return answer

    async def _answer(self, call: Call) -> Answer:
        posting = asyncio.get_running_loop().run_in_executor(self._threads, self._current().post, call)
        try:
            return await posting
        except asyncio.CancelledError:
            call.abort()
            raise

    def _current(self) -> Client:
        """The kept client; a fresh one after a certificate file was exchanged (REQ-75)."""
        seen = _changes(self._settings)
        if self._client is None or self._seen != seen:
            fresh = _open(self._settings)
            if self._client is not None:
                self._client.close()
            self._client, self._seen = fresh, seen
        return self._client


def _open(settings: DmpSettings) -> Client:
    """It knows no proxy and no CA bundle of the environment: the settings say all."""
    context = tls.client_context(
        ca=settings.ca, certificate=settings.client_certificate, key=settings.client_key
    )
    return Client(context, timeout=settings.timeout, keep_alive=KEEP_ALIVE, limit=ANSWER_LIMIT)


def _changes(settings: DmpSettings) -> tuple[int, ...]:
    """Modification times of the certificate files; 0 for a missing one: opening it will say what is wrong."""
    return tuple(map(_modified, (settings.ca, settings.client_certificate, settings.client_key)))


def _modified(path: Path | None) -> int:
    try:
        return path.stat().st_mtime_ns if path is not None else 0
    except OSError:
        return 0


def classify(error: Exception, *, left: bool) -> Outcome:
    """The outcome of an attempt that ended in `error`; `left`: the whole request had been written."""
    code = error.code if isinstance(error, HttpError) else type(error).__name__
    kind = ERRORS.get(code, _A)
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
    return Outcome(kind=kind, code=code, detail=detail)


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


def _retry_after(answer: Answer) -> float:
    """Seconds of a Retry-After header; 0 without one, or for a date (RFC 9110 §10.2.3)."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
