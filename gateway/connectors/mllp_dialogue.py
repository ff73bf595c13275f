"""What goes back for each message, in the mode that the peer speaks: original, enhanced, MLLP release 2."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

from gateway import hl7v2
from gateway.config import MllpPeerSettings
from gateway.hl7v2 import enhanced
from gateway.model.findings import Finding

ANSWER_TIMEOUT = 10.0
"""Seconds that an answer may take to leave for a peer that does not read."""
_MOST_RESENT = 2
"""Answers sent again when the peer says 0x15 (MLLP release 2; Mirth's default)."""

Handler = Callable[[bytes, str], Awaitable[bytes]]
"""(payload, peer) → payload of the answer."""
Refuse = Callable[[bytes, Finding], bytes]
"""(first bytes of a message, what is wrong) → payload of its refusal."""


class Dialogue:
    """Messages and answers of one connection, one at a time."""

    def __init__(
        self, peer: MllpPeerSettings, handler: Handler, refuse: Refuse, writer: asyncio.StreamWriter
    ) -> None:
        self._peer, self._handler, self._refuse, self._writer = peer, handler, refuse, writer
        self._answered: tuple[bytes, ...] = ()
        self._resent = 0

    def calls_for_an_answer(self, payload: bytes) -> bool:
        """False for what only confirms an answer of ours."""
        if self._peer.commit_bytes and payload in (enhanced.COMMITTED, enhanced.NOT_COMMITTED):
            return False
        return not (self._peer.enhanced_mode and enhanced.is_acknowledgement(payload))

    async def confirmed(self, payload: bytes) -> None:
        """The peer has our answer, or wants it again (0x15)."""
        if payload == enhanced.NOT_COMMITTED and self._resent < _MOST_RESENT:
            self._resent += 1
            await self._send(*(one for one in self._answered if one != enhanced.COMMITTED))

    async def answer(self, payload: bytes, name: str) -> None:
        """Have the message handled, and send what its peer expects."""
        said = await self._handler(payload, name)
        told: tuple[bytes, ...] = (said,)
        if self._peer.enhanced_mode:
            told = enhanced.answers(payload, said, control_id=uuid4().hex[:20])
        if self._peer.commit_bytes:
            told = (enhanced.COMMITTED, *told) if enhanced.stored(said) else (enhanced.NOT_COMMITTED,)
        self._answered, self._resent = told, 0
        await self._send(*told)

    async def refuse(self, head: bytes, problem: Finding) -> None:
        """Answer a message that was not kept. `head` are its first bytes."""
        if self._peer.commit_bytes:
            await self._send(enhanced.NOT_COMMITTED)
        else:
            await self._send(self._refuse(head, problem))

    async def _send(self, *payloads: bytes) -> None:
        self._writer.write(b"".join(map(hl7v2.wrap, payloads)))
        if self._writer.transport.get_write_buffer_size():  # else it has left
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await self._writer.drain()
