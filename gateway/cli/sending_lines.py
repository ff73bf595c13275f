"""The two ways by which `gateway send` reaches a receiver: MLLP and FHIR over HTTP, each one connection."""

import ssl
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from gateway import hl7v2
from gateway.connectors.mllp import MllpClient, connect
from gateway.hl7v2 import AckCode

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Reply:
    """What one message came to. `verdict` is its MSA-1 or HTTP status; `again`: it may be resent later."""

    verdict: str
    accepted: bool
    seconds: float = 0.0
    again: bool = False
    retry_after: float = 0.0
    """Seconds that the receiver asked us to wait."""
    summary: str = ""
    lines: tuple[str, ...] = ()
    row: MappingProxyType[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The same for --json."""


class LineError(Exception):
    """The receiver could not be reached, or did not answer."""


class Line(Protocol):
    async def send(self, payload: bytes) -> Reply:
        """Send once. Raises LineError; the next call connects anew."""
        ...

    async def close(self) -> None: ...


class MllpLine:
    def __init__(self, host: str, port: int, *, timeout: float, tls: ssl.SSLContext | None) -> None:
        self._host, self._port, self._timeout, self._tls = host, port, timeout, tls
        self._stack = AsyncExitStack()
        self._client: MllpClient | None = None

    async def send(self, payload: bytes) -> Reply:
        header = hl7v2.read_header(payload, whole=True)
        try:
            if self._client is None:
                opening = connect(self._host, self._port, timeout=self._timeout, tls=self._tls)
                self._client = await self._stack.enter_async_context(opening)
            exchange = await self._client.exchange(payload, header.control_id if header else "")
        except (OSError, TimeoutError) as fault:
            said = self._told(fault)
            await self.close()  # a late answer on this connection would be taken for the next one's
            raise LineError(said) from None
        except ValueError as unframable:  # after OSError: a certificate that does not verify is both
            return Reply("unsent", accepted=False, summary=str(unframable), row=_row("unsent", "", ()))
        return _acknowledged(exchange.answer, exchange.seconds)

    def _told(self, fault: OSError) -> str:
        """What went wrong, for who typed the address."""
        opening = self._client is None
        if isinstance(fault, TimeoutError):
            return f"no {'connection' if opening else 'answer'} within {self._timeout:g} s"
        if isinstance(fault, ConnectionRefusedError):
            return "connection refused: nobody listens there"
        if opening and self._tls is not None and isinstance(fault, ConnectionError):
            return "the peer ended the TLS handshake: does it speak TLS on this port?"
        return str(fault) or type(fault).__name__

    async def close(self) -> None:
        self._client = None
        await self._stack.aclose()


def _acknowledged(answer: bytes, seconds: float) -> Reply:
    try:
        ack = hl7v2.read_ack(answer)
    except hl7v2.NotHl7Error as unreadable:
        return Reply("?", accepted=False, seconds=seconds, summary=str(unreadable), row=_row("?", "", ()))
    return Reply(
        ack.code,
        accepted=ack.accepted,
        seconds=seconds,
        again=ack.code in (AckCode.AR, AckCode.CR),
        summary=ack.control_id,
        lines=ack.errors,
        row=_row(ack.code, ack.control_id, ack.errors),
    )


def _row(code: str, control_id: str, errors: tuple[str, ...]) -> MappingProxyType[str, Any]:
    return MappingProxyType({"code": code, "control_id": control_id, "errors": list(errors)})


class HttpLine:
    """`verify` holds the authorities, and our certificate for mutual TLS."""

    def __init__(self, url: str, *, token: str, timeout: float, verify: ssl.SSLContext | None) -> None:
        self._url, self._timeout, self._verify = url, timeout, verify
        self._headers = {"Content-Type": "application/fhir+json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._client: httpx.AsyncClient | None = None

    async def send(self, payload: bytes) -> Reply:
        import httpx

        if self._client is None:
            verify = self._verify or False  # plain http: nothing to verify
            self._client = httpx.AsyncClient(timeout=self._timeout, headers=self._headers, verify=verify)
        started = time.perf_counter()
        try:
            answer = await self._client.post(self._url, content=payload)
        except httpx.HTTPError as fault:
            raise LineError(str(fault) or type(fault).__name__) from None
        status = answer.status_code
        return Reply(
            f"HTTP {status}",
            accepted=answer.is_success,
            seconds=time.perf_counter() - started,
            again=status in (429, 502, 503, 504),
            retry_after=_seconds(answer.headers.get("retry-after", "")),
            lines=(answer.text,),
            row=MappingProxyType({"status": status, "body": answer.text}),
        )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0


def stored_token(data_dir: Path) -> str:
    """The token of a gateway on this machine, when its data folder is readable."""
    path = data_dir / "admin-token"
    try:
        return path.read_text().strip()
    except OSError:
        return ""
