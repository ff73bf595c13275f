"""An MSSanté operator for tests: takes mail by SMTP, keeps each as .eml, checks it, writes a ledger."""

import asyncio
import hashlib
import ssl
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from conformance.simulators import mail_rules
from conformance.simulators.hold import Held
from conformance.simulators.http import Request, Response
from conformance.simulators.ledger import Ledger, safe_name
from conformance.simulators.modes import Switch, control
from conformance.simulators.smtp import Server

MODES = frozenset({"ok", "450", "550", "slow", "drop", "lost"})
"""ok; 450, 550: that reply after the data, nothing taken; slow: taken, answered after a delay; drop: taken,
then the connection is cut without a reply; lost: cut after the data, nothing taken."""
REPLIES = {"450": "450 4.2.0 mailbox busy (simulated)", "550": "550 5.1.1 mailbox unknown (simulated)"}
TAKEN = "250 2.0.0 taken"
MAX_BYTES = 40 * 1024 * 1024
"""Above the 25 MB of Mon espace santé, so that the sender's own limit is what a test sees."""


class Mailbox:
    """The SMTP side: aiosmtpd calls `handle_DATA` once a mail is complete."""

    def __init__(self, folder: Path, delay: float = 5.0) -> None:
        self.folder, self.delay = folder, delay
        self.switch = Switch(MODES)
        self.ledger = Ledger(folder)
        self._known = {entry["message_id"] for entry in self.ledger.entries}

    async def handle_EHLO(  # noqa: N802 - the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """aiosmtpd takes commands that come together, and does not say so."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_DATA(  # noqa: N802 - the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        data = content if isinstance(content, bytes) else (content or "").encode()
        reply = await self.take(data, str(envelope.mail_from), tuple(envelope.rcpt_tos))
        if not reply:
            transport = server.transport
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
            return "421 4.3.0 connection cut (simulated)"
        return reply

    async def take(self, data: bytes, sender: str, recipients: tuple[str, ...]) -> str:
        """The reply to a mail, in the mode of the moment; "": the connection is cut."""
        mode = self.switch.take()
        if mode in REPLIES:
            return REPLIES[mode]
        if mode != "lost":
            self.keep(data, sender, recipients)
        if mode in ("drop", "lost"):
            return ""
        if mode == "slow":
            await asyncio.sleep(self.delay)
        return TAKEN

    def keep(self, data: bytes, sender: str, recipients: tuple[str, ...], held: Held | None = None) -> None:
        """Judge a mail and keep it. `held`: it was taken earlier."""
        mail = mail_rules.read(data, recipients)
        number = len(self.ledger.entries) + 1
        files = []
        for recipient in recipients:
            path = self.folder / safe_name(recipient) / f"{number:06d}.eml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            files.append(str(path.relative_to(self.folder)))
        documents = [_document(document.data) for document in mail.archive.documents] if mail.archive else []
        self.ledger.append(
            {
                "result": "faults" if mail.faults else "ok",
                "message_id": mail.message_id,
                "duplicate": mail.message_id in self._known,
                "from": mail.sender,
                "envelope_from": sender,
                "to": list(recipients),
                "subject": mail.subject,
                "patient": mail.archive.patient if mail.archive else "",
                "action": mail.archive.action if mail.archive else "",
                "checks": [fault._asdict() for fault in mail.faults],
                "sha256": documents[0]["sha256"] if documents else "",
                "documents": documents,
                "pdf_sha256": [hashlib.sha256(pdf).hexdigest() for pdf in mail.pdfs],
                "size": len(data),
                "files": files,
                **(held.mark() if held else {}),
            }
        )
        self._known.add(mail.message_id)

    async def answer(self, request: Request) -> Response | None:
        """The HTTP side channel: /health, /ledger, /control."""
        ours = control(request, self.switch, self.ledger.entries)
        return ours or Response(404, "text/plain", b"/health, /ledger or /control")


def _document(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


async def listen(mailbox: Mailbox, host: str, port: int, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    """SMTP on `host:port`. With `tls`, STARTTLS is offered and demanded before MAIL."""

    def protocol() -> SMTP:
        return Server(
            mailbox,
            hostname="mssante.simulator",
            ident="MSSante simulator",
            data_size_limit=MAX_BYTES,
            tls_context=tls,
            require_starttls=tls is not None,
            enable_SMTPUTF8=True,
        )

    return await asyncio.get_running_loop().create_server(protocol, host, port)
