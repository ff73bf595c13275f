"""One connection of a sender: read, frame, ask the handler, answer; and when to give it up.

event                            what follows
frame                            the handler's answer
frame above the cap              a refusal that names MSH-10, and on
start byte inside a frame        what it cut off is dropped, without answer: the next one would be taken
                                 for it
silence or crawling in a frame   dropped, the connection closed; AR before, for peers with answer_partial
stream ends inside a frame       the same
frames take too much memory      it is read on when others are answered; meanwhile TCP holds the sender back
bytes outside frames             dropped; after JUNK_LIMIT of them the connection is closed
TLS hello on the plain port      closed, and the log says what to do
"""

import asyncio
import logging
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass

from gateway import hl7v2
from gateway.config import MllpSettings
from gateway.connectors.inflight import PIECE, SMALL, Hold, Inflight
from gateway.connectors.mllp_dialogue import Dialogue, Handler, Refuse
from gateway.connectors.mllp_peers import ANYONE, Peers, address_of, certificate_of
from gateway.model.findings import finding
from gateway.telemetry import metrics

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT = 10.0
"""Seconds for a TLS handshake."""
CLOSE_TIMEOUT = 5.0
JUNK_LIMIT = 1024 * 1024
"""Bytes outside frames, since the last frame, after which the peer does not speak MLLP."""
CROWDED_FACTOR = 64
"""So many times `min_rate` a frame must keep up while others are held back for the memory that it takes."""
_TLS_HELLO = b"\x16"
"""First byte of a TLS record that opens a handshake; no MLLP stream begins with it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What all connections of a server share."""

    handler: Handler
    refuse: Refuse
    settings: MllpSettings
    limit: int
    tls: ssl.SSLContext | None
    peers: Peers
    inflight: Inflight


class Connection:
    """`host` is the address of the peer; `heard` whether it sent a whole frame, `since` when last active."""

    def __init__(self, sock: socket.socket, terms: Terms) -> None:
        self.host, self.port = sock.getpeername()[:2]
        self.heard, self.since = False, asyncio.get_running_loop().time()
        self.closing = False
        self._socket, self._terms, self._peer = sock, terms, ANYONE
        self._writer: asyncio.StreamWriter | None = None
        self._framer = hl7v2.Framer(terms.limit)
        self._busy = False
        self._began = 0.0
        """When the frame under way began."""
        self._hold = Hold()
        self._junk = 0

    @property
    def name(self) -> str:
        """As logs and messages show it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self._peer.name} {host}:{self.port}".lstrip()

    @property
    def busy(self) -> bool:
        """A message is being handled or answered."""
        return self._busy

    @property
    def idle(self) -> bool:
        return not self._busy and not self._framer.inside

    @property
    def _cap(self) -> int:
        """Bytes of a frame."""
        return min(self._terms.limit, self._peer.max_bytes or self._terms.limit)

    async def run(self) -> None:
        """Until the peer ends, or breaks the rules, or the task is cancelled. Raises nothing."""
        try:
            reader, self._writer = await self._open()
            if self._recognise(self._writer):
                handler, refuse = self._terms.handler, self._terms.refuse
                await self._converse(reader, Dialogue(self._peer, handler, refuse, self._writer))
        except asyncio.CancelledError:
            pass  # between two messages: the server stops, or needs the room
        except (OSError, TimeoutError) as fault:
            reason = getattr(fault, "reason", None) or type(fault).__name__
            log.info("connection lost", extra={"peer": self.name, "fault": reason})
        except Exception:
            log.exception("connection failed", extra={"peer": self.name})
        finally:
            self._terms.inflight.account(self._hold, 0)
            await self._close()

    # --- opening and closing

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(self._socket, self._terms.settings.keepalive)
        loop, tls = asyncio.get_running_loop(), self._terms.tls
        reader = asyncio.StreamReader(PIECE, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            self._socket,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT if tls else None,
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    def _recognise(self, writer: asyncio.StreamWriter) -> bool:
        """Which peer this is; False when nobody whom we serve."""
        certificate = certificate_of(writer.get_extra_info("ssl_object"))
        peer = self._terms.peers.find(address_of(self.host), certificate)
        if peer is None:
            metrics.REFUSED_CONNECTIONS.labels("unknown_peer").inc()
            log.warning(
                "connection refused: the certificate is none of mllp.peers",
                extra={"peer": self.name, "fingerprint": certificate.fingerprint},
            )
            return False
        self._peer = peer
        options = hl7v2.FramerOptions(missing_start=peer.missing_start)
        self._framer = hl7v2.Framer(self._cap, options=options)
        return True

    async def _close(self) -> None:
        if self._writer is None:
            self._socket.close()
            return
        self._writer.close()
        with suppress(Exception):
            await asyncio.wait_for(self._writer.wait_closed(), CLOSE_TIMEOUT)
        if (transport := self._writer.transport) is not None:
            transport.abort()  # a peer that does not read its answer keeps no memory of ours

    # --- reading

    async def _converse(self, reader: asyncio.StreamReader, dialogue: Dialogue) -> None:
        fresh = self._terms.tls is None
        while True:
            inside = self._framer.inside
            data = await self._read(reader)
            if fresh and data.startswith(_TLS_HELLO):
                self._misdirected()
                return
            fresh = False
            head = b"" if data else self._framer.head
            events = self._framer.receive(data) if data else self._framer.end()
            self._account(events)
            await self._take_all(events, dialogue)
            if self.closing:
                return
            received = bool(events)
            del events  # a large message must not wait in memory for the next one
            self._account()
            if not data:
                if inside and self._peer.answer_partial:
                    await dialogue.refuse(head, finding("HL7-TRUNCATED"))
                return
            if self._framer.inside and (received or not inside):
                self._began = asyncio.get_running_loop().time()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """The next bytes, b"" at the end. Between messages there is no limit; a frame has a deadline."""
        if not self._framer.inside:
            return await reader.read(PIECE)
        settings, inflight = self._terms.settings, self._terms.inflight
        clock = asyncio.get_running_loop().time
        paused = clock()
        if await inflight.room(self._hold):
            self._began += clock() - paused  # not for the sender to answer for
        rate = settings.min_rate * (CROWDED_FACTOR if inflight.crowded else 1)
        left = settings.frame_timeout + self._framer.size / rate - (clock() - self._began)
        try:
            async with asyncio.timeout(max(0.0, min(settings.frame_timeout, left))):
                return await reader.read(PIECE)
        except TimeoutError:
            metrics.FRAMING_FAULTS.labels("timeout").inc()
            log.warning("frame timed out", extra={"peer": self.name, "bytes": self._framer.size})
            return b""

    def _account(self, events: tuple[hl7v2.Event, ...] = ()) -> None:
        """Keep the books of what is in memory: the frame under way, and those that are not answered."""
        whole = sum(len(one.payload) for one in events if isinstance(one, hl7v2.Frame))
        self._terms.inflight.account(self._hold, self._framer.buffered + whole)

    # --- events

    def _misdirected(self) -> None:
        metrics.FRAMING_FAULTS.labels("tls_hello").inc()
        log.warning(
            "TLS on the plain port: set mllp.tls_certificate, or let the sender speak plainly",
            extra={"peer": self.name},
        )

    async def _take_all(self, events: tuple[hl7v2.Event, ...], dialogue: Dialogue) -> None:
        for event in events:
            if not self.closing:
                await self._take(event, dialogue)

    async def _take(self, event: hl7v2.Event, dialogue: Dialogue) -> None:
        match event:
            case hl7v2.Frame(payload=payload):
                self._junk = 0
                await self._message(payload, dialogue)
            case hl7v2.TooLarge(size=size, head=head):
                self._junk = 0
                metrics.FRAMING_FAULTS.labels("too_large").inc()
                log.warning("frame too large", extra={"peer": self.name, "bytes": size})
                detail = f"{size} bytes, limit {self._cap}"
                await dialogue.refuse(head, finding("HL7-TOO-LARGE", detail=detail))
            case hl7v2.Truncated(count=count, reason=reason):
                metrics.FRAMING_FAULTS.labels("truncated").inc()
                log.warning(
                    "partial frame dropped", extra={"peer": self.name, "bytes": count, "reason": reason}
                )
            case hl7v2.Junk(count=count):
                self._waste(count)

    def _waste(self, count: int) -> None:
        metrics.FRAMING_FAULTS.labels("junk").inc()
        if not self._junk:  # one line a run, not one a packet
            log.info(
                "bytes outside frames (a sender without start byte needs missing_start)",
                extra={"peer": self.name, "bytes": count},
            )
        self._junk += count
        if self._junk > JUNK_LIMIT:
            log.warning("connection closed: this is no MLLP", extra={"peer": self.name, "bytes": self._junk})
            self.closing = True

    async def _message(self, payload: bytes, dialogue: Dialogue) -> None:
        if not dialogue.calls_for_an_answer(payload):
            await dialogue.confirmed(payload)
            return
        self._busy = True
        try:
            if len(payload) <= SMALL:
                await dialogue.answer(payload, self.name)
            else:
                async with self._terms.inflight.handling(len(payload)):
                    await dialogue.answer(payload, self.name)
        finally:
            self._busy = False
            self.heard, self.since = True, asyncio.get_running_loop().time()


def keep_alive(sock: socket.socket, seconds: float) -> None:
    """Let TCP find out that a silent peer is gone: asked after `seconds`, given up after three more asks."""
    if seconds <= 0:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Names that not every system has.
    for name, value in (("TCP_KEEPIDLE", seconds), ("TCP_KEEPINTVL", seconds / 3), ("TCP_KEEPCNT", 3)):
        if (option := getattr(socket, name, None)) is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, max(1, int(value)))
