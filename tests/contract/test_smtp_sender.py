"""SmtpSender against real SMTP servers on loopback: replies, lost connections, TLS, kept connections."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from pydantic import SecretStr

from conformance.simulators import mail_rules
from gateway.config import MssanteSettings
from gateway.connectors import smtp
from gateway.connectors.smtp import CAUSES, MEANINGS, Cause, SmtpSender, Stage
from gateway.connectors.smtp_session import Session
from gateway.connectors.tls import TlsSettingsError, client_context
from gateway.model.base import replace
from gateway.model.delivery import OutcomeKind
from gateway.mssante import MailRequest
from gateway.pipeline.destinations.mssante import prepare
from tests.unit.mail_jobs import DUPONT_BOX, job
from tests.unit.pki_files import pki

DELIVERED, TRANSIENT = OutcomeKind.DELIVERED, OutcomeKind.TRANSIENT
PERMANENT, AMBIGUOUS = OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS
MAIL = MailRequest(
    sender="radiologie@ambroise.mssante.fr",
    recipient=DUPONT_BOX,
    message_id="1@ambroise.mssante.fr",
    data=b"Subject: essai\r\n\r\nPremi\xe8re ligne\r\n.ligne qui commence par un point\r\n".replace(
        b"\xe8", b"e"
    ),
)


class Operator:
    """aiosmtpd handler: keeps what it takes; `replies` script MAIL, RCPT and DATA, a callable runs first."""

    def __init__(self, **replies: str | Callable[[SMTP], Awaitable[str]]) -> None:
        self.replies = replies
        self.taken: list[tuple[str, list[str], bytes]] = []
        self.peers: set[Any] = set()
        self.options: list[str] = []

    async def _reply(self, server: SMTP, command: str, usual: str) -> str:
        scripted = self.replies.get(command, usual)
        return scripted if isinstance(scripted, str) else await scripted(server)

    async def handle_MAIL(  # noqa: N802 - the names are aiosmtpd's
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.options = options
        reply = await self._reply(server, "MAIL", "250 OK")
        if reply.startswith("250"):
            envelope.mail_from = address
        return reply

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        reply = await self._reply(server, "RCPT", "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        self.peers.add(session.peer)
        reply = await self._reply(server, "DATA", "250 2.0.0 Ok: queued as 4XYZ12")
        if reply.startswith("250"):
            self.taken.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return reply


async def cut(server: SMTP) -> str:
    """The connection goes without a reply."""
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()
    return "421 gone"


async def silent(server: SMTP) -> str:
    await asyncio.sleep(30)
    return "250 OK"


@contextlib.asynccontextmanager
async def operator(handler: Operator, **options: Any) -> AsyncIterator[MssanteSettings]:
    """The server's settings, for a sender without TLS."""
    loop = asyncio.get_running_loop()
    tls = options.pop("ssl", None)
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="mss.test", loop=loop, **options), "127.0.0.1", 0, ssl=tls
    )
    try:
        yield MssanteSettings(
            host="localhost", port=server.sockets[0].getsockname()[1], tls="none", timeout=20.0
        )
    finally:
        server.close()


@contextlib.asynccontextmanager
async def raw(*lines: bytes, hold: float = 0.0) -> AsyncIterator[MssanteSettings]:
    """A server that says `lines`, one for each line it hears (the first unasked), then hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for line in lines:
                writer.write(line)
                await writer.drain()
                await reader.readline()
            await asyncio.sleep(hold)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield MssanteSettings(
            host="localhost", port=server.sockets[0].getsockname()[1], tls="none", timeout=20.0
        )
    finally:
        server.close()


@contextlib.asynccontextmanager
async def sending(settings: MssanteSettings, **changes: Any) -> AsyncIterator[SmtpSender]:
    sender = SmtpSender(settings.model_copy(update=changes))
    try:
        yield sender
    finally:
        await sender.close()


# ------------------------------------------------------------ delivered


async def test_a_mail_is_taken_byte_for_byte_and_its_ids_are_kept() -> None:
    handler = Operator()
    async with operator(handler) as settings, sending(settings) as sender:
        outcome = await sender.send(MAIL)
    assert (outcome.kind, outcome.code) == (DELIVERED, "250 2.0.0")
    assert dict(outcome.remote_ids) == {"message-id": "1@ambroise.mssante.fr", "queue-id": "4XYZ12"}
    assert handler.taken == [(MAIL.sender, [DUPONT_BOX], MAIL.data)]
    assert f"SIZE={len(MAIL.data)}" in handler.options


@pytest.mark.req("REQ-50", "REQ-53", "REQ-54")
async def test_a_prepared_mail_keeps_the_rules_of_an_independent_reader() -> None:
    handler = Operator()
    async with operator(handler) as settings, sending(settings) as sender:
        assert (await sender.send(prepare(job()))).kind is DELIVERED
    ((_, recipients, content),) = handler.taken
    mail = mail_rules.read(content, tuple(recipients))
    # The fictive page of the test is no PDF/A; everything else must be right.
    assert [fault for fault in mail.faults if "PDF/A" not in str(fault)] == []


async def test_mails_share_one_connection() -> None:
    handler = Operator()
    async with operator(handler) as settings, sending(settings) as sender:
        kinds = [(await sender.send(MAIL)).kind for _ in range(5)]
        kinds += [outcome.kind for outcome in await asyncio.gather(*(sender.send(MAIL) for _ in range(5)))]
    assert kinds == [DELIVERED] * 10
    assert len(handler.taken) == 10
    assert len(handler.peers) == 1


async def test_a_connection_closed_while_idle_is_opened_again_without_a_failure() -> None:
    handler = Operator()
    connections: list[SMTP] = []

    async def remember(server: SMTP) -> str:
        connections.append(server)
        return "250 OK"

    handler.replies["RCPT"] = remember
    async with operator(handler) as settings, sending(settings) as sender:
        assert (await sender.send(MAIL)).kind is DELIVERED
        await cut(connections[0])
        await asyncio.sleep(0.05)
        assert (await sender.send(MAIL)).kind is DELIVERED
    assert len(handler.taken) == 2


async def test_an_announced_end_of_an_idle_connection_is_no_failure() -> None:
    handler = Operator()
    async with operator(handler) as settings, sending(settings) as sender:
        assert (await sender.send(MAIL)).kind is DELIVERED
        once = iter(["421 4.4.2 idle for too long", "250 OK"])

        async def scripted(server: SMTP) -> str:
            return next(once)

        handler.replies["MAIL"] = scripted
        assert (await sender.send(MAIL)).kind is DELIVERED


async def test_an_old_connection_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "CONNECTION_AGE", -1.0)
    handler = Operator()
    async with operator(handler) as settings, sending(settings) as sender:
        await sender.send(MAIL)
        await sender.send(MAIL)
    assert len(handler.peers) == 2


async def test_after_a_refusal_the_next_mail_goes() -> None:
    handler = Operator(RCPT="550 5.1.1 unknown")
    async with operator(handler) as settings, sending(settings) as sender:
        assert (await sender.send(MAIL)).kind is PERMANENT
        handler.replies.clear()
        assert (await sender.send(MAIL)).kind is DELIVERED


# ------------------------------------------------------------ replies


@pytest.mark.parametrize(
    ("command", "reply", "kind", "code"),
    [
        ("MAIL", "451 4.3.0 try later", TRANSIENT, "451 4.3.0"),
        ("MAIL", "552 5.3.4 too large", PERMANENT, "552 5.3.4"),
        ("RCPT", "450 4.2.1 mailbox busy", TRANSIENT, "450 4.2.1"),
        ("RCPT", "550 5.1.1 <alain.dupont@test> unknown", PERMANENT, "550 5.1.1"),
        ("RCPT", "550 no such user", PERMANENT, "550"),
        ("DATA", "452 4.3.1 disk full", TRANSIENT, "452 4.3.1"),
        ("DATA", "554 5.7.1 refused", PERMANENT, "554 5.7.1"),
        ("DATA", "421 4.3.2 shutting down", TRANSIENT, "421 4.3.2"),
    ],
)
async def test_a_reply_decides_by_its_first_digit(
    command: str, reply: str, kind: OutcomeKind, code: str
) -> None:
    async with operator(Operator(**{command: reply})) as settings, sending(settings) as sender:
        outcome = await sender.send(MAIL)
    assert (outcome.kind, outcome.code) == (kind, code)
    assert "dupont" not in outcome.detail


# ------------------------------------------------------------ connections that fail


@pytest.mark.parametrize(("command", "kind"), [("MAIL", TRANSIENT), ("RCPT", TRANSIENT), ("DATA", AMBIGUOUS)])
async def test_a_connection_cut_before_the_content_is_transient_and_after_it_ambiguous(
    command: str, kind: OutcomeKind
) -> None:
    async with operator(Operator(**{command: cut})) as settings, sending(settings) as sender:
        assert (await sender.send(MAIL)).kind is kind


async def test_an_answer_that_never_comes_is_ambiguous_only_after_the_content(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.connectors.smtp_session.FINAL_REPLY", 2.0)
    async with operator(Operator(RCPT=silent)) as settings, sending(settings, timeout=0.1) as sender:
        assert (await sender.send(MAIL)).kind is TRANSIENT
    async with operator(Operator(DATA=silent)) as settings, sending(settings, timeout=0.5) as sender:
        assert (await sender.send(MAIL)).kind is AMBIGUOUS


async def test_a_slow_answer_after_the_content_is_waited_for() -> None:
    async def slow(server: SMTP) -> str:
        await asyncio.sleep(1.5)
        return "250 2.0.0 taken"

    async with operator(Operator(DATA=slow)) as settings, sending(settings, timeout=1.0) as sender:
        assert (await sender.send(MAIL)).kind is DELIVERED


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    async with sending(MssanteSettings(host="127.0.0.1", port=port, tls="none", timeout=0.5)) as sender:
        outcome = await sender.send(MAIL)
    assert (outcome.kind, outcome.code) == (TRANSIENT, "ConnectionRefusedError")


@pytest.mark.parametrize(
    "lines",
    [
        (b"554 5.7.1 go away\r\n",),
        (b"421 too busy\r\n",),
        (b"HTTP/1.1 400 Bad Request\r\n",),
        (),
        (b"220 mss\r\n",),
        (b"220 mss\r\n", b"500 what\r\n", b"500 what\r\n"),
        (b"220 mss\r\n", b"250 mss\r\n", b"rubbish\r\n"),
    ],
)
async def test_a_session_that_cannot_start_leaves_the_mail_waiting(lines: tuple[bytes, ...]) -> None:
    async with raw(*lines) as settings, sending(settings) as sender:
        assert (await sender.send(MAIL)).kind is TRANSIENT


async def test_a_greeting_that_never_comes_ends() -> None:
    async with raw(hold=10) as settings, sending(settings, timeout=0.1) as sender:
        outcome = await sender.send(MAIL)
    assert (outcome.kind, outcome.code) == (TRANSIENT, "TimeoutError")


@pytest.mark.parametrize(
    ("place", "left", "kind"), [("envelope", False, TRANSIENT), ("content", True, AMBIGUOUS)]
)
async def test_an_unforeseen_error_is_judged_by_its_stage(
    monkeypatch: pytest.MonkeyPatch, place: str, left: bool, kind: OutcomeKind
) -> None:
    def broken(session: Session, *_: object) -> None:
        session.left = left
        raise KeyError("unforeseen")

    monkeypatch.setattr(Session, place, broken)
    async with operator(Operator()) as settings, sending(settings) as sender:
        outcome = await sender.send(MAIL)
    assert (outcome.kind, outcome.code) == (kind, "KeyError")


async def test_a_cancelled_send_leaves_no_half_used_connection() -> None:
    handler = Operator(RCPT=silent)
    async with operator(handler) as settings, sending(settings, timeout=5) as sender:
        task = asyncio.create_task(sender.send(MAIL))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        handler.replies.clear()
        assert (await sender.send(MAIL)).kind is DELIVERED


# ------------------------------------------------------------ one write, and when it counts as left


class Scripted:
    """A server that hears and says exactly what a test wants; `heard` has each read of it."""

    def __init__(
        self, *, pipelining: bool, data: bytes = b"354 go\r\n", cut_after: int | None = None
    ) -> None:
        self.pipelining, self.data, self.cut_after = pipelining, data, cut_after
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 mss\r\n")
            while not (heard := await reader.read(64 * 1024)).upper().startswith(b"QUIT"):
                if not heard:
                    break
                self.heard.append(heard)
                for line in heard.splitlines():
                    await self._answer(line, reader, writer)
        writer.close()

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if line.upper().startswith(b"EHLO"):
            writer.write(
                b"250-mss\r\n" + (b"250-PIPELINING\r\n" if self.pipelining else b"") + b"250 HELP\r\n"
            )
        elif line != b"DATA":
            writer.write(b"250 ok\r\n")
        elif not self.data:
            writer.transport.abort()
        else:
            writer.write(self.data)
            if self.cut_after is not None:
                await reader.readexactly(self.cut_after)
                writer.transport.abort()
            elif self.data.startswith(b"354"):
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 2.0.0 taken\r\n")


@contextlib.asynccontextmanager
async def scripted(server: Scripted) -> AsyncIterator[MssanteSettings]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield MssanteSettings(
            host="localhost", port=listening.sockets[0].getsockname()[1], tls="none", timeout=20.0
        )
    finally:
        listening.close()


ENVELOPE = (f"MAIL FROM:<{MAIL.sender}>\r\n", f"RCPT TO:<{DUPONT_BOX}>\r\n", "DATA\r\n")


@pytest.mark.parametrize("pipelining", [True, False])
async def test_the_envelope_goes_in_one_write_where_the_server_lets_it(pipelining: bool) -> None:
    server = Scripted(pipelining=pipelining)
    async with scripted(server) as settings, sending(settings) as sender:
        kinds = [(await sender.send(MAIL)).kind for _ in range(2)]
    assert kinds == [DELIVERED] * 2
    once = ("".join(ENVELOPE),) if pipelining else ENVELOPE
    assert [heard.decode() for heard in server.heard[1:]] == [*once, *once]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("data", [b"451 4.3.0 later\r\n", b"554 5.7.1 no\r\n", b""])
async def test_before_the_content_is_asked_for_nothing_is_ambiguous(pipelining: bool, data: bytes) -> None:
    begun: list[int] = []
    async with scripted(Scripted(pipelining=pipelining, data=data)) as settings, sending(settings) as sender:
        outcome = await sender.send(MAIL, lambda: begun.append(1))
    assert outcome.kind is (PERMANENT if data.startswith(b"554") else TRANSIENT)
    assert begun == []


async def test_content_cut_before_its_end_was_not_taken() -> None:
    long = replace(MAIL, data=MAIL.data + b"x" * 64_000_000 + b"\r\n")
    async with scripted(Scripted(pipelining=True, cut_after=1000)) as settings, sending(settings) as sender:
        assert (await sender.send(long)).kind is TRANSIENT


async def test_content_cut_after_its_end_is_ambiguous() -> None:
    whole = len(MAIL.data) + len(b".")  # a dot more, of the line that begins with one
    server = Scripted(pipelining=True, cut_after=whole)
    async with scripted(server) as settings, sending(settings) as sender:
        assert (await sender.send(MAIL)).kind is AMBIGUOUS


async def test_what_is_given_up_never_begins_to_leave() -> None:
    """The event loop gives up while the server is silent; the mail behind it goes as if nothing had been."""
    handler, begun = Operator(RCPT=silent), []
    async with operator(handler) as settings, sending(settings) as sender:
        first = asyncio.create_task(sender.send(MAIL, lambda: begun.append("first")))
        await asyncio.sleep(0.2)
        second = asyncio.create_task(sender.send(MAIL, lambda: begun.append("second")))
        handler.replies.clear()
        first.cancel()
        assert (await second).kind is DELIVERED
    assert begun == ["second"]
    assert len(handler.taken) == 1


async def test_one_that_waits_can_be_given_up_without_harm_to_the_one_under_way() -> None:
    go = asyncio.Event()

    async def when_told(server: SMTP) -> str:
        await go.wait()
        return "250 OK"

    handler = Operator(RCPT=when_told)
    async with operator(handler) as settings, sending(settings) as sender:
        first = asyncio.create_task(sender.send(MAIL))
        second = asyncio.create_task(sender.send(MAIL))
        await asyncio.sleep(0.2)
        second.cancel()
        go.set()
        assert (await first).kind is DELIVERED
    assert len(handler.taken) == 1


async def test_a_refusal_to_begin_sends_nothing() -> None:
    def refuse() -> None:
        raise RuntimeError("the lease is lost")

    handler = Operator()
    async with operator(handler) as settings, sending(settings) as sender:
        assert (await sender.send(MAIL, refuse)).kind is TRANSIENT
        assert handler.taken == []
        assert (await sender.send(MAIL)).kind is DELIVERED


# ------------------------------------------------------------ TLS


def server_context(*, mutual: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki().server.certificate, pki().server.key)
    if mutual:
        context.load_verify_locations(cafile=str(pki().ca))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.req("REQ-75")
@pytest.mark.parametrize("mutual", [False, True])
async def test_starttls_with_and_without_a_client_certificate(mutual: bool) -> None:
    handler = Operator()
    client = {"client_certificate": pki().client.certificate, "client_key": pki().client.key}
    options = {"tls_context": server_context(mutual=mutual), "require_starttls": True}
    async with (
        operator(handler, **options) as settings,
        sending(settings, tls="starttls", ca=pki().ca, timeout=5, **(client if mutual else {})) as sender,
    ):
        outcome = await sender.send(MAIL)
    assert outcome.kind is DELIVERED


@pytest.mark.req("REQ-75")
async def test_tls_from_the_first_byte() -> None:
    async with (
        operator(Operator(), ssl=server_context(mutual=True)) as settings,
        sending(
            settings,
            tls="tls",
            ca=pki().ca,
            timeout=5,
            client_certificate=pki().client.certificate,
            client_key=pki().client.key,
        ) as sender,
    ):
        assert (await sender.send(MAIL)).kind is DELIVERED


@pytest.mark.req("REQ-75")
async def test_a_server_of_another_authority_gets_nothing() -> None:
    handler = Operator()
    async with (
        operator(handler, tls_context=server_context()) as settings,
        sending(settings, tls="starttls", ca=None, timeout=5) as sender,
    ):
        outcome = await sender.send(MAIL)
    assert outcome.kind is TRANSIENT
    assert outcome.detail == MEANINGS[Stage.SESSION][Cause.TLS].detail
    assert handler.taken == []


@pytest.mark.req("REQ-75")
async def test_a_server_without_starttls_gets_nothing() -> None:
    handler = Operator()
    async with operator(handler) as settings, sending(settings, tls="starttls", ca=pki().ca) as sender:
        outcome = await sender.send(MAIL)
    assert outcome.detail == MEANINGS[Stage.SESSION][Cause.UNSUPPORTED].detail
    assert handler.taken == []


async def test_a_missing_certificate_file_leaves_the_mail_waiting(tmp_path: Path) -> None:
    async with (
        operator(Operator()) as settings,
        sending(settings, tls="tls", ca=tmp_path / "no.pem") as sender,
    ):
        outcome = await sender.send(MAIL)
    assert (outcome.kind, outcome.code) == (TRANSIENT, "TlsSettingsError")


@pytest.mark.parametrize("password", ["fictif", "clé fictive"])
@pytest.mark.parametrize("right", [True, False])
async def test_user_and_password(right: bool, password: str) -> None:
    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password == password.encode()
        return AuthResult(success=good, handled=False)

    options = {"authenticator": authenticate, "auth_required": True, "tls_context": server_context()}
    async with (
        operator(Operator(), **options) as settings,
        sending(
            settings,
            tls="starttls",
            ca=pki().ca,
            timeout=5,
            username="passerelle",
            password=SecretStr(password if right else f"{password} faux"),
        ) as sender,
    ):
        outcome = await sender.send(MAIL)
    assert (outcome.kind, outcome.code[:3]) == ((DELIVERED, "250") if right else (TRANSIENT, "535"))


@pytest.mark.req("REQ-75")
def test_a_client_context_verifies_and_refuses_old_tls(tmp_path: Path) -> None:
    context = client_context(ca=pki().ca)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert [subject["subject"] for subject in context.get_ca_certs()]
    (tmp_path / "bad.pem").write_text("nothing")
    for options in (
        {"ca": tmp_path / "bad.pem"},
        {"certificate": tmp_path / "absent.pem"},
        {"key": pki().client.key},
        {"certificate": pki().client.certificate, "key": pki().server.key},
    ):
        with pytest.raises(TlsSettingsError):
            client_context(**options)


# ------------------------------------------------------------ the table is whole


def _is_error(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, smtplib.SMTPException)


@pytest.mark.parametrize("stage", Stage)
def test_every_cause_has_a_meaning_at_every_stage(stage: Stage) -> None:
    assert set(MEANINGS[stage]) == set(Cause)
    assert all(meaning.detail for meaning in MEANINGS[stage].values())


@pytest.mark.parametrize("kind", [kind for kind in vars(smtplib).values() if _is_error(kind)])
def test_every_error_of_the_library_has_a_cause_of_its_own(kind: type[Exception]) -> None:
    if issubclass(kind, smtplib.SMTPResponseException) or kind is smtplib.SMTPRecipientsRefused:
        # The first go by their code; the last is raised by sendmail() only, which is not used.
        return
    assert kind in CAUSES


def test_only_content_on_its_way_is_ever_ambiguous() -> None:
    ambiguous = {
        (stage, cause)
        for stage, meanings in MEANINGS.items()
        for cause, meaning in meanings.items()
        if meaning.kind is AMBIGUOUS
    }
    replies = {Cause.OK, Cause.LATER, Cause.NEVER}
    assert ambiguous == {(Stage.CONTENT, cause) for cause in set(Cause) - replies}
