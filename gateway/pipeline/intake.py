"""From received bytes to the answer: read, map, decide, commit, acknowledge.

The answer exists only after the commit. All reports of one message are taken, or none.
"""

import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count

from gateway import fhir, hl7v2
from gateway.mapping import fhir as fhir_mapping
from gateway.mapping.fhir_order import orders as fhir_orders
from gateway.mapping.sites import Sites
from gateway.model.base import replace
from gateway.model.command import Command
from gateway.model.decision import Verdict
from gateway.model.delivery import Destination, MessageState
from gateway.model.findings import Finding, Severity, errors, finding
from gateway.pipeline import commands
from gateway.pipeline.deciding import Conclude, Deciding
from gateway.pipeline.reading import Reading, read, readout
from gateway.ports import (
    Clock,
    Conclusion,
    IntakeStore,
    Receipt,
    Received,
    StoreUnavailableError,
)
from gateway.telemetry import correlation, metrics

log = logging.getLogger(__name__)

Read = Callable[[bytes], Awaitable[Reading]]

_HL7V2_SECONDS = metrics.ACKNOWLEDGE_SECONDS.labels("hl7v2")
_HL7V2_MESSAGES = {state: metrics.MESSAGES.labels("hl7v2", state) for state in MessageState}

MOST_MESSAGES = 1000
"""Of one frame: each is stored before the next one, while the sender waits."""


@dataclass(frozen=True, slots=True)
class FhirAnswer:
    """HTTP status and body (FHIR JSON) of a FHIR intake."""

    status: int
    body: bytes


class Intake:
    """The synchronous half of the gateway; one instance a process."""

    def __init__(
        self,
        store: IntakeStore,
        sites: Sites,
        clock: Clock,
        *,
        environment: str,
        enabled: frozenset[Destination],
        read: Read | None = None,
    ) -> None:
        """`read` reads HL7 v2 messages, None: this process does (`mappers.Mappers`)."""
        self._store, self._clock, self._environment = store, clock, environment
        self._read = read or self._read_here
        self.waiting = 0
        """Messages whose senders wait for the answer."""
        self.use(sites, enabled)

    def use(self, sites: Sites, enabled: frozenset[Destination]) -> None:
        """Profiles and destinations for messages from now on."""
        self._sites, self._deciding = sites, Deciding(self._environment, enabled)

    async def take_hl7v2(self, frame: bytes, *, peer: str) -> bytes:
        """The acknowledgement (ER7) of a frame, after its message is stored. Never raises for any input.

        Several messages in one frame, or a batch, are taken one by one, each with its own acknowledgement.
        """
        parts = _several(frame)
        if not parts:
            return await self._take(frame, peer)
        if len(parts) > MOST_MESSAGES:
            why = finding(
                "HL7-TOO-LARGE", detail=f"{len(parts)} messages in one frame, limit {MOST_MESSAGES}"
            )
            return self._acknowledge(hl7v2.Reply(), Verdict.REJECT, (why,))
        answers = tuple([await self._take(one, peer, *_remarks(frame, parts)) for one in parts])
        return hl7v2.answer_several(frame, answers, now=self._clock.now(), control_id=_control_id())

    async def _take(self, frame: bytes, peer: str, *remarks: Finding) -> bytes:
        """The acknowledgement of one message; `remarks` are kept with what there is to say of it."""
        started = time.perf_counter()
        self.waiting += 1
        reading: Reading | None = None
        state = MessageState.REJECTED
        try:
            reading = read(frame, self._sites, remarks) if remarks else await self._read(frame)
            with correlation(reading.envelope.control_id):
                receipt = await self._message(reading, frame, peer)
            state = receipt.state
            return receipt.answer
        except StoreUnavailableError:
            log.exception("store unavailable", extra={"peer": peer})
            return self._refuse(reading, frame, finding("STORE-UNAVAILABLE"))
        except Exception:
            log.exception("intake failed", extra={"peer": peer})
            return self._refuse(reading, frame, finding("INTERNAL"))
        finally:
            self.waiting -= 1
            _HL7V2_SECONDS.observe(time.perf_counter() - started)
            _HL7V2_MESSAGES[state].inc()

    async def take_fhir(self, body: bytes, content_type: str, *, peer: str) -> FhirAnswer:
        """Status and body for one FHIR Bundle, DiagnosticReport or ServiceRequest, after it is stored. Never
        raises."""
        started = time.perf_counter()
        self.waiting += 1
        state = MessageState.REJECTED
        try:
            receipt = await self._bundle(body, content_type, peer)
            state = receipt.state
            status, _, answer = receipt.answer.partition(b"\n")
            return FhirAnswer(int(status), answer)
        except StoreUnavailableError:
            log.exception("store unavailable", extra={"peer": peer})
            return FhirAnswer(503, fhir.operation_outcome((finding("STORE-UNAVAILABLE"),)))
        except Exception:
            log.exception("intake failed", extra={"peer": peer})
            return FhirAnswer(500, fhir.operation_outcome((finding("INTERNAL"),)))
        finally:
            self.waiting -= 1
            metrics.ACKNOWLEDGE_SECONDS.labels("fhir").observe(time.perf_counter() - started)
            metrics.MESSAGES.labels("fhir", state).inc()

    async def command(self, command: Command) -> commands.CommandAnswer:
        """Carry out what a person orders for a kept report, after it is stored. Raises
        StoreUnavailableError."""
        received = commands.received(command, self._clock)
        profile = self._sites.profiles.get(command.site)
        if profile is None:
            refused = commands.refused(command, finding("SITE-UNKNOWN", detail=command.site))
            return commands.answered((await self._store.commit(received, lambda _: refused)).answer)
        conclude = self._deciding.command(command, received, profile.site)
        return commands.answered((await self._store.commit(received, conclude)).answer)

    # --- HL7 v2

    async def _read_here(self, frame: bytes) -> Reading:
        return read(frame, self._sites)

    async def _message(self, reading: Reading, frame: bytes, peer: str) -> Receipt:
        envelope = reading.envelope
        received = Received(
            raw=frame,
            protocol="hl7v2",
            peer=peer,
            site=envelope.site,
            received_at=self._clock.now(),
            dedupe_key=envelope.dedupe_key,
            message_type=envelope.message_type,
            control_id=envelope.control_id,
            sending_application=envelope.sending_application,
            sending_facility=envelope.sending_facility,
        )
        return await self._store.commit(received, self._conclude(reading, received))

    def _conclude(self, reading: Reading, received: Received) -> Conclude:
        def answer(
            verdict: Verdict, findings: tuple[Finding, ...], _: tuple[tuple[Finding, ...], ...]
        ) -> bytes:
            return self._acknowledge(reading.envelope.reply, verdict, findings)

        if (why := reading.unreadable) is not None:
            refusal = Conclusion(
                state=MessageState.REJECTED, answer=answer(Verdict.REJECT, (why,), ()), findings=(why,)
            )
            return lambda _: refusal
        site = self._sites.named(received.site).site
        if reading.orders:
            return self._deciding.orders(reading.orders, site, answer)
        if reading.identity is not None:
            return self._deciding.identity(reading.identity, received, site, answer)
        return self._deciding.reports(reading.reports, received, site, answer)

    def _acknowledge(self, reply: hl7v2.Reply, verdict: Verdict, findings: tuple[Finding, ...]) -> bytes:
        """Held, blocked and unknown-original are AA: we keep them (architecture decision 9)."""
        code = hl7v2.AckCode.AA
        if verdict is Verdict.REJECT:
            retry = any(found.spec.retry for found in errors(findings))
            code = hl7v2.AckCode.AR if retry else hl7v2.AckCode.AE
        return hl7v2.acknowledge(
            reply, code, findings=findings, now=self._clock.now(), control_id=_control_id()
        )

    def _refuse(self, reading: Reading | None, frame: bytes, why: Finding) -> bytes:
        """For a message that was not kept."""
        if reading is None:
            reply = hl7v2.reply_to(hl7v2.read_header(frame, whole=True))
        else:
            reply = reading.envelope.reply
        return self._acknowledge(reply, Verdict.REJECT, (why,))

    # --- FHIR

    async def _bundle(self, body: bytes, content_type: str, peer: str) -> Receipt:
        received = Received(
            raw=body,
            protocol="fhir",
            peer=peer,
            site=self._sites.default.site.name,
            received_at=self._clock.now(),
            dedupe_key=hashlib.sha256(b"fhir\x1f" + body).hexdigest(),
            message_type="Bundle",
        )
        try:
            bundle = fhir.read(body, content_type)
        except fhir.FhirError as unreadable:
            findings = unreadable.findings
            refusal = Conclusion(state=MessageState.REJECTED, answer=_http(findings), findings=findings)
            return await self._store.commit(received, lambda _: refusal)
        profile = self._sites.default
        if identifier := fhir.bundle_identifier(bundle):
            received = replace(received, control_id=identifier.value)

        places = bundle.reports or bundle.requests

        def answer(
            verdict: Verdict, findings: tuple[Finding, ...], each: tuple[tuple[Finding, ...], ...]
        ) -> bytes:
            if verdict is Verdict.REJECT:
                return _http(findings)
            entries = dict(zip(places, each, strict=True))
            return b"200\n" + fhir.bundle_response(bundle, {**entries, **bundle.refused})

        apart, site = bundle.kind == "batch", profile.site
        if bundle.requests:
            asked = fhir_orders(bundle, profile)
            conclude = self._deciding.orders(asked, site, answer, apart=apart, aside=bundle.faults)
        else:
            mapped = tuple(map(readout, fhir_mapping.reports(bundle, profile)))
            conclude = self._deciding.reports(
                mapped, received, site, answer, apart=apart, aside=bundle.faults
            )
        return await self._store.commit(received, conclude)


_RUN, _NUMBERS = secrets.token_hex(6), count()


def _control_id() -> str:
    """MSH-10 of an answer: of this run of the process, then a number; 20 characters."""
    return f"{_RUN}{next(_NUMBERS):08x}"


def _remarks(frame: bytes, parts: tuple[bytes, ...]) -> Iterator[Finding]:
    """What each message of a frame is told about the others."""
    if len(parts) > 1:
        yield finding("HL7-SEVERAL-MESSAGES", "MSH", f"{len(parts)} in one frame", Severity.WARNING)
    if wrong := hl7v2.miscounted(frame, len(parts)):
        yield finding("HL7-BATCH-COUNT", "BTS-1", wrong)


def _several(frame: bytes) -> tuple[bytes, ...]:
    """The messages of a frame that holds more than one, or a batch; () for one that is a single message."""
    if frame[:3] == b"MSH" and frame.find(b"MSH", 3) < 0:
        return ()
    parts = hl7v2.split_batch(frame)
    return () if parts in ((frame,), ()) else parts


def _http(findings: tuple[Finding, ...]) -> bytes:
    """Status line and OperationOutcome as one stored answer."""
    return f"{fhir.http_status(findings)}\n".encode() + fhir.operation_outcome(findings)
