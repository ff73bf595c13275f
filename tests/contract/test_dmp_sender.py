"""DmpSender against a scripted HTTPS server on loopback: mutual TLS, refusals, silence, half answers."""

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conformance.pki import Credential
from gateway.config import DmpSettings
from gateway.connectors import dmp as connector
from gateway.connectors import tls
from gateway.connectors.dmp import DmpSender
from gateway.dmp import DmpRequest
from gateway.model.base import replace
from gateway.model.delivery import OutcomeKind
from tests.support import PATIENCE
from tests.unit.pki_files import pki

T, P, A = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS
D, R = OutcomeKind.DELIVERED, OutcomeKind.REFUSED

Write = Callable[[bytes], Awaitable[None]]
Script = Callable[["Exchange"], Awaitable[None]]


def envelope(status: str, errors: str = "") -> bytes:
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        '<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"'
        f' status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:{status}">{errors}'
        "</rs:RegistryResponse></s:Body></s:Envelope>"
    ).encode()


SUCCESS = envelope("Success")
CLOSED = envelope(
    "Failure",
    '<rs:RegistryErrorList><rs:RegistryError errorCode="DMPClosed" codeContext="closed"'
    ' severity="urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"/></rs:RegistryErrorList>',
)
FAULT = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code>'
    b'<s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang="en">ill</s:Text></s:Reason>'
    b"</s:Fault></s:Body></s:Envelope>"
)


class Exchange:
    """One request as the server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        self.reader, self.writer, self.connection = reader, writer, connection
        self.head = b""
        self.body = b""

    async def read_head(self) -> None:
        self.head = await self.reader.readuntil(b"\r\n\r\n")

    async def read_body(self) -> None:
        self.body = await self.reader.readexactly(int(self.header(b"content-length")))

    def header(self, name: bytes) -> bytes:
        lines = (line.partition(b":") for line in self.head.split(b"\r\n")[1:])
        return next((value.strip() for key, _, value in lines if key.lower() == name), b"")

    async def answer(self, status: int, body: bytes, *, cut: int | None = None, extra: bytes = b"") -> None:
        head = b"HTTP/1.1 %d said\r\nContent-Type: application/soap+xml\r\nContent-Length: %d\r\n%s\r\n"
        self.writer.write((head % (status, len(body), extra) + body)[:cut])
        await self.writer.drain()

    def drop(self) -> None:
        """Reset the connection: what a crashed peer does."""
        transport = self.writer.transport
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        transport.abort()


class Server:
    """Plays `script` for every request; keeps what it read and how many connections there were."""

    def __init__(self, script: Script) -> None:
        self.script, self.port, self.connections = script, 0, 0
        self.requests: list[Exchange] = []
        self.subjects: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        certificate = writer.get_extra_info("peercert") or {}
        names = [
            value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"
        ]
        self.subjects += names
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                exchange = Exchange(reader, writer, self.connections)
                await exchange.read_head()
                self.requests.append(exchange)
                await self.script(exchange)
        with contextlib.suppress(OSError, ssl.SSLError):
            writer.close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/repository"


@asynccontextmanager
async def server(script: Script, *, client_ca: Path | None = None) -> AsyncIterator[Server]:
    made = Server(script)
    context = tls.server_context(pki().server.certificate, pki().server.key, client_ca)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    made.port = listening.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listening.close()


@asynccontextmanager
async def sender(**changes: object) -> AsyncIterator[DmpSender]:
    settings = DmpSettings.model_validate({"ca": pki().ca, "timeout": PATIENCE, **changes})
    made = DmpSender(settings)
    try:
        yield made
    finally:
        await made.close()


def request(url: str) -> DmpRequest:
    return DmpRequest(
        url=url,
        content_type='multipart/related; boundary="b"; type="application/xop+xml"; action="urn:x"',
        action="urn:x",
        body=b"--b\r\n\r\n<Envelope/>\r\n--b--\r\n" * 20,
        unique_id="2.25.117",
        document_hash="2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        entry_uuid="urn:uuid:6f1f62f0-6d0c-5d3a-9c41-5d3f4b5e2a10",
    )


async def ok(exchange: Exchange) -> None:
    await exchange.read_body()
    await exchange.answer(200, SUCCESS)


@pytest.mark.req("REQ-35")
async def test_the_request_arrives_unchanged_and_success_names_the_entry() -> None:
    async with server(ok) as peer, sender() as dmp:
        wanted = request(peer.url)
        outcome = await dmp.send(wanted)
    assert (outcome.kind, outcome.code) == (D, "Success")
    assert dict(outcome.remote_ids) == {"entryUUID": wanted.entry_uuid, "uniqueId": "2.25.117"}
    (seen,) = peer.requests
    assert seen.body == wanted.body
    assert seen.head.startswith(b"POST /repository HTTP/1.1\r\n")
    assert seen.header(b"content-type") == wanted.content_type.encode()


@pytest.mark.req("REQ-44", "REQ-72")
async def test_the_client_certificate_is_shown() -> None:
    client = {"client_certificate": pki().client.certificate, "client_key": pki().client.key}
    async with server(ok, client_ca=pki().ca) as peer, sender(**client) as dmp:
        outcome = await dmp.send(request(peer.url))
    assert outcome.kind is D
    assert peer.subjects == ["AUTH CLI FICTIF"]


@pytest.mark.req("REQ-72")
async def test_without_the_client_certificate_nothing_is_taken() -> None:
    async with server(ok, client_ca=pki().ca) as peer, sender() as dmp:
        outcome = await dmp.send(request(peer.url))
    # In TLS 1.3 the refusal comes after our request; a reset may overtake the alert that explains it.
    assert outcome.kind in (T, A)
    assert peer.requests == []


@pytest.mark.req("REQ-72")
async def test_a_server_of_an_unknown_authority_gets_nothing() -> None:
    async with server(ok) as peer, sender(ca=None) as dmp:
        outcome = await dmp.send(request(peer.url))
    assert (outcome.kind, outcome.code) == (T, "ConnectError")
    assert outcome.detail.startswith("TLS")
    assert peer.requests == []


@pytest.mark.req("REQ-72")
async def test_a_certificate_for_another_name_is_refused() -> None:
    async with server(ok) as peer, sender() as dmp:
        # 127.0.0.2 is this machine too, but the certificate does not name it.
        outcome = await dmp.send(request(peer.url.replace("127.0.0.1", "127.0.0.2")))
    assert outcome.kind is T
    assert peer.requests == []


async def closed(exchange: Exchange) -> None:
    await exchange.read_body()
    await exchange.answer(200, CLOSED)


async def faulty(exchange: Exchange) -> None:
    await exchange.read_body()
    await exchange.answer(500, FAULT)


async def unavailable(exchange: Exchange) -> None:
    await exchange.read_body()
    await exchange.answer(503, b"down", extra=b"Retry-After: 17\r\n")


async def silent(exchange: Exchange) -> None:
    await exchange.read_body()
    await asyncio.sleep(3)


async def dropped_after(exchange: Exchange) -> None:
    await exchange.read_body()
    exchange.drop()


async def closed_after(exchange: Exchange) -> None:
    await exchange.read_body()
    exchange.writer.close()


async def half(exchange: Exchange) -> None:
    await exchange.read_body()
    await exchange.answer(200, SUCCESS, cut=150)
    exchange.writer.close()


async def half_head(exchange: Exchange) -> None:
    await exchange.read_body()
    await exchange.answer(200, SUCCESS, cut=20)
    exchange.writer.close()


async def dripping(exchange: Exchange) -> None:
    await exchange.read_body()
    await exchange.answer(200, SUCCESS, cut=120)
    for _ in range(40):
        exchange.writer.write(b" ")
        await exchange.writer.drain()
        await asyncio.sleep(0.1)


async def not_http(exchange: Exchange) -> None:
    await exchange.read_body()
    exchange.writer.write(b"220 mail.localhost ESMTP\r\n")
    exchange.writer.close()


async def redirecting(exchange: Exchange) -> None:
    await exchange.read_body()
    await exchange.answer(307, b"", extra=b"Location: https://127.0.0.1:1/\r\n")


async def endless(exchange: Exchange) -> None:
    await exchange.read_body()
    await exchange.answer(200, b"x" * (connector.ANSWER_LIMIT + 1))


@pytest.mark.req("REQ-37", "REQ-43")
@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        (closed, R, "DMPClosed"),
        (faulty, T, "soap:Receiver"),
        (unavailable, T, "HTTP 503"),
        (silent, A, "ReadTimeout"),
        (dropped_after, A, "ReadError"),
        (closed_after, A, "RemoteProtocolError"),
        (half, A, "RemoteProtocolError"),
        (half_head, A, "RemoteProtocolError"),
        (dripping, A, "TimeoutError"),
        (not_http, A, "RemoteProtocolError"),
        (redirecting, P, "HTTP 307"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_each_way_to_fail_has_its_class(script: Script, kind: OutcomeKind, code: str) -> None:
    limit = 1.0 if script in (silent, dripping) else PATIENCE
    async with server(script) as peer, sender(timeout=limit) as dmp:
        outcome = await dmp.send(request(peer.url))
    assert (outcome.kind, outcome.code) == (kind, code)
    assert outcome.detail
    assert outcome.remote_ids == ()
    assert len(peer.requests) == 1, "a send is one attempt"


async def test_an_endless_answer_is_not_swallowed() -> None:
    async with server(endless) as peer, sender() as dmp:
        outcome = await dmp.send(request(peer.url))
    assert (outcome.kind, outcome.detail) == (A, "the answer is too large")


async def test_a_peer_s_wish_to_wait_is_passed_on() -> None:
    async with server(unavailable) as peer, sender() as dmp:
        assert (await dmp.send(request(peer.url))).retry_after == 17.0


@pytest.mark.req("REQ-43")
async def test_a_peer_that_hangs_up_before_the_whole_request_has_taken_nothing() -> None:
    async def unwilling(exchange: Exchange) -> None:
        exchange.drop()

    async with server(unwilling) as peer, sender() as dmp:
        # More than any socket buffer holds, so that the cut comes while it is being written.
        outcome = await dmp.send(replace(request(peer.url), body=b"x" * 40_000_000))
    assert outcome.kind is T


@pytest.mark.req("REQ-43")
async def test_a_peer_that_is_down_has_taken_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with sender() as dmp:
        outcome = await dmp.send(request(f"https://127.0.0.1:{port}/repository"))
    assert (outcome.kind, outcome.code) == (T, "ConnectError")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "repository", "https://[::1/"])
async def test_an_address_that_cannot_be_is_shown(url: str) -> None:
    async with sender() as dmp:
        assert (await dmp.send(request(url))).kind is P


async def test_one_connection_is_kept_for_many_requests() -> None:
    async with server(ok) as peer, sender() as dmp:
        for _ in range(5):
            assert (await dmp.send(request(peer.url))).kind is D
    assert peer.connections == 1


async def test_not_more_than_the_configured_number_goes_at_once() -> None:
    present, most = 0, 0

    async def counting(exchange: Exchange) -> None:
        nonlocal present, most
        await exchange.read_body()
        present += 1
        most = max(most, present)
        await asyncio.sleep(0.3)
        present -= 1
        await exchange.answer(200, SUCCESS)

    # Waiting for a turn is no part of an attempt: it may take longer than the timeout.
    async with server(counting) as peer, sender(concurrency=2, timeout=1.5) as dmp:
        outcomes = await asyncio.gather(*(dmp.send(request(peer.url)) for _ in range(12)))
    assert {outcome.kind for outcome in outcomes} == {D}
    assert most == 2


def put(credential: Credential, folder: Path) -> None:
    """Exchange the files in place, as an operator does."""
    for source, name in ((credential.certificate, "c.pem"), (credential.key, "c.key")):
        shutil.copy(source, folder / name)
        os.utime(folder / name, ns=(1, (folder / name).stat().st_mtime_ns + 1_000_000_000))


@pytest.mark.req("REQ-75")
async def test_an_exchanged_certificate_is_used_by_the_next_request(tmp_path: Path) -> None:
    files = {"client_certificate": tmp_path / "c.pem", "client_key": tmp_path / "c.key"}
    async with server(ok, client_ca=pki().ca) as peer, sender(**files) as dmp:
        put(pki().client, tmp_path)
        assert (await dmp.send(request(peer.url))).kind is D
        put(pki().cachet, tmp_path)
        assert (await dmp.send(request(peer.url))).kind is D
    assert peer.subjects == ["AUTH CLI FICTIF", "CACHET FICTIF"]


@pytest.mark.req("REQ-75")
async def test_an_exchange_does_not_disturb_a_request_under_way(tmp_path: Path) -> None:
    files = {"client_certificate": tmp_path / "c.pem", "client_key": tmp_path / "c.key"}
    arrived, go = asyncio.Event(), asyncio.Event()

    async def first_waits(exchange: Exchange) -> None:
        await exchange.read_body()
        if exchange.connection == 1:
            arrived.set()
            await go.wait()
        await exchange.answer(200, SUCCESS)

    async with server(first_waits, client_ca=pki().ca) as peer, sender(**files) as dmp:
        put(pki().client, tmp_path)
        slow = asyncio.create_task(dmp.send(request(peer.url)))
        await arrived.wait()
        put(pki().cachet, tmp_path)
        assert (await dmp.send(request(peer.url))).kind is D
        go.set()
        assert (await slow).kind is D
    assert peer.connections == 2


@pytest.mark.req("REQ-75")
async def test_certificate_files_that_are_missing_or_broken_keep_the_delivery_waiting(tmp_path: Path) -> None:
    files = {"client_certificate": tmp_path / "c.pem", "client_key": tmp_path / "c.key"}
    async with server(ok, client_ca=pki().ca) as peer, sender(**files) as dmp:
        missing = await dmp.send(request(peer.url))
        (tmp_path / "c.pem").write_text("no certificate")
        (tmp_path / "c.key").write_text("no key")
        broken = await dmp.send(request(peer.url))
        put(pki().client, tmp_path)
        assert (await dmp.send(request(peer.url))).kind is D
    assert {missing.kind, broken.kind} == {T}
    assert "c." in missing.detail


@pytest.mark.req("REQ-72")
async def test_tls_1_1_is_not_spoken() -> None:
    made = Server(ok)
    context = tls.server_context(pki().server.certificate, pki().server.key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    async with sender() as dmp:
        outcome = await dmp.send(request(f"https://127.0.0.1:{port}/"))
    listening.close()
    assert outcome.kind is T
    assert made.requests == []
