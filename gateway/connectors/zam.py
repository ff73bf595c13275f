"""Business acknowledgements to the creators, over MLLP: one connection for each, which are few."""

import asyncio
import logging
import ssl
from typing import NamedTuple

from gateway import hl7v2
from gateway.config import CreatorSettings, ZamSettings
from gateway.connectors import tls
from gateway.connectors.mllp_client import connect
from gateway.hl7v2 import AckCode
from gateway.hl7v2.zam import ZamRequest
from gateway.model.delivery import Outcome, OutcomeKind

log = logging.getLogger(__name__)


class Meaning(NamedTuple):
    kind: OutcomeKind
    detail: str


_T, _P, _A = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS

ANSWERS: dict[AckCode, Meaning] = {
    AckCode.AA: Meaning(OutcomeKind.DELIVERED, "taken"),
    AckCode.CA: Meaning(OutcomeKind.DELIVERED, "taken"),
    AckCode.AE: Meaning(_P, "the creator finds fault with the acknowledgement"),
    AckCode.CE: Meaning(_P, "the creator finds fault with the acknowledgement"),
    # Circumstantial: may be resent later (§1.7).
    AckCode.AR: Meaning(_T, "the creator does not take acknowledgements now"),
    AckCode.CR: Meaning(_T, "the creator does not take acknowledgements now"),
}
UNREACHABLE = Meaning(_T, "the creator cannot be reached, nothing was taken")
UNANSWERED = Meaning(_A, "the acknowledgement left and no answer came")
UNREADABLE = Meaning(_A, "the answer is no acknowledgement")


class ZamSender:
    """`ports.Sender` for ZamRequest."""

    def __init__(self, settings: ZamSettings) -> None:
        self._settings = settings

    async def send(self, request: ZamRequest) -> Outcome:
        """Send once. Every fault of peer, network or certificates is an outcome."""
        creator = self._settings.creator(request.application, request.facility)
        if creator is None:
            return Outcome(kind=_P, code="ZAM-CREATOR-UNKNOWN")
        left = False
        try:
            secured = await asyncio.to_thread(_context, creator)  # reads files: exchanged ones count at once
            async with connect(
                creator.host, creator.port, timeout=self._settings.timeout, tls=secured
            ) as client:
                left = True
                exchange = await client.exchange(request.data, request.control_id)
        except (OSError, TimeoutError, tls.TlsSettingsError) as fault:
            meaning = UNANSWERED if left else UNREACHABLE
            log.warning(
                "no answer from a creator",
                extra={"fault": type(fault).__name__, "outcome": str(meaning.kind)},
            )
            return Outcome(kind=meaning.kind, code=type(fault).__name__, detail=meaning.detail)
        return _judge(exchange.answer, request.control_id)

    async def close(self) -> None:
        return


def _judge(answer: bytes, control_id: str) -> Outcome:
    """Of the peer's texts nothing is kept: they may quote the patient."""
    try:
        code = hl7v2.read_ack(answer).code
    except hl7v2.NotHl7Error:
        return Outcome(kind=UNREADABLE.kind, detail=UNREADABLE.detail)
    meaning = ANSWERS[code]
    ids = (("control-id", control_id),) if meaning.kind is OutcomeKind.DELIVERED else ()
    return Outcome(kind=meaning.kind, code=code.value, detail=meaning.detail, remote_ids=ids)


def _context(creator: CreatorSettings) -> ssl.SSLContext | None:
    if not creator.tls:
        return None
    return tls.client_context(ca=creator.ca, certificate=creator.client_certificate, key=creator.client_key)
