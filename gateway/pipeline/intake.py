"""From received bytes to the answer: read, map, decide, commit, acknowledge.

The answer exists only after the commit. All reports of one message are taken, or none.
"""

import hashlib
import logging
import time
from dataclasses import dataclass
from uuid import uuid4

from gateway import fhir, hl7v2
from gateway.mapping import fhir as fhir_mapping
from gateway.mapping import hl7 as hl7_mapping
from gateway.mapping.hl7_adt import identity as identity_event
from gateway.mapping.hl7_adt import is_identity
from gateway.mapping.hl7_order import is_order, orders
from gateway.mapping.sites import Profile, Sites
from gateway.model.base import replace
from gateway.model.decision import Verdict
from gateway.model.delivery import Destination, MessageState
from gateway.model.findings import Finding, Severity, errors, finding
from gateway.pipeline.deciding import Deciding
from gateway.ports import (
    Clock,
    Conclusion,
    IntakeStore,
    Receipt,
    Received,
    Settled,
    StoreUnavailableError,
)
from gateway.telemetry import correlation, metrics

log = logging.getLogger(__name__)

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
    ) -> None:
        self._store, self._clock, self._environment = store, clock, environment
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
            return self._acknowledge(None, Verdict.REJECT, (why,))
        remark = finding("HL7-SEVERAL-MESSAGES", "MSH", f"{len(parts)} in one frame", Severity.WARNING)
        answers = tuple([await self._take(one, peer, remark) for one in parts])
        return hl7v2.answer_several(frame, answers, now=self._clock.now(), control_id=uuid4().hex[:20])

    async def _take(self, frame: bytes, peer: str, *remarks: Finding) -> bytes:
        """The acknowledgement of one message; `remarks` are kept with what there is to say of it."""
        started = time.perf_counter()
        message: hl7v2.Message | None = None
        state = MessageState.REJECTED
        try:
            try:
                message, profile = self._read(frame)
                message.findings += remarks
            except hl7v2.NotHl7Error as unreadable:
                receipt = await self._unreadable(frame, unreadable.finding, peer)
            else:
                with correlation(message.control_id):
                    receipt = await self._message(message, profile, frame, peer)
            state = receipt.state
            return receipt.answer
        except StoreUnavailableError:
            log.exception("store unavailable", extra={"peer": peer})
            return self._acknowledge(message, Verdict.REJECT, (finding("STORE-UNAVAILABLE"),))
        except Exception:
            log.exception("intake failed", extra={"peer": peer})
            return self._acknowledge(message, Verdict.REJECT, (finding("INTERNAL"),))
        finally:
            metrics.ACKNOWLEDGE_SECONDS.labels("hl7v2").observe(time.perf_counter() - started)
            metrics.MESSAGES.labels("hl7v2", state).inc()

    async def take_fhir(self, body: bytes, content_type: str, *, peer: str) -> FhirAnswer:
        """Status and body for one FHIR Bundle or DiagnosticReport, after it is stored. Never raises."""
        started = time.perf_counter()
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
            metrics.ACKNOWLEDGE_SECONDS.labels("fhir").observe(time.perf_counter() - started)
            metrics.MESSAGES.labels("fhir", state).inc()

    # --- HL7 v2

    def _read(self, frame: bytes) -> tuple[hl7v2.Message, Profile]:
        """The message in the character set that its site states, else the one it declares."""
        message = hl7v2.read(frame)
        profile = self._sites.match(message)
        return (hl7v2.read(frame, profile.charset), profile) if profile.charset else (message, profile)

    async def _message(self, message: hl7v2.Message, profile: Profile, frame: bytes, peer: str) -> Receipt:
        received = Received(
            raw=frame,
            protocol="hl7v2",
            peer=peer,
            site=profile.site.name,
            received_at=self._clock.now(),
            dedupe_key=dedupe_key(message),
            message_type=f"{message.message_code}^{message.trigger_event}".rstrip("^"),
            control_id=message.control_id,
            sending_application=message.sending_application,
            sending_facility=message.sending_facility,
        )

        def answer(verdict: Verdict, findings: tuple[Finding, ...], _: tuple[Settled, ...]) -> bytes:
            return self._acknowledge(message, verdict, findings)

        if is_order(message):
            conclude = self._deciding.orders(orders(message, profile), profile.site, answer)
        elif is_identity(message):
            conclude = self._deciding.identity(
                identity_event(message, profile), received, profile.site, answer
            )
        else:
            mapped = hl7_mapping.reports(message, profile)
            conclude = self._deciding.reports(mapped, received, profile.site, answer)
        return await self._store.commit(received, conclude)

    async def _unreadable(self, frame: bytes, why: Finding, peer: str) -> Receipt:
        received = Received(
            raw=frame,
            protocol="hl7v2",
            peer=peer,
            site="",
            received_at=self._clock.now(),
            dedupe_key=hashlib.sha256(frame).hexdigest(),
        )
        answer = self._acknowledge(None, Verdict.REJECT, (why,))
        return await self._store.commit(
            received, lambda _: Conclusion(state=MessageState.REJECTED, answer=answer, findings=(why,))
        )

    def _acknowledge(
        self, message: hl7v2.Message | None, verdict: Verdict, findings: tuple[Finding, ...]
    ) -> bytes:
        """Held, blocked and unknown-original are AA: we keep them (architecture decision 9)."""
        code = hl7v2.AckCode.AA
        if verdict is Verdict.REJECT:
            retry = any(found.spec.retry for found in errors(findings))
            code = hl7v2.AckCode.AR if retry else hl7v2.AckCode.AE
        return hl7v2.acknowledge(
            message, code, findings=findings, now=self._clock.now(), control_id=uuid4().hex[:20]
        )

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
        mapped = fhir_mapping.reports(bundle, profile)
        if identifier := fhir.bundle_identifier(bundle):
            received = replace(received, control_id=identifier.value)

        def answer(verdict: Verdict, findings: tuple[Finding, ...], settled: tuple[Settled, ...]) -> bytes:
            if verdict is Verdict.REJECT:
                return _http(findings)
            entries = {
                position: one.decision.findings for position, one in zip(bundle.reports, settled, strict=True)
            }
            return b"200\n" + fhir.bundle_response(bundle, entries)

        apart = bundle.kind == "batch"
        conclude = self._deciding.reports(mapped, received, profile.site, answer, apart=apart)
        return await self._store.commit(received, conclude)


def _several(frame: bytes) -> tuple[bytes, ...]:
    """The messages of a frame that holds more than one, or a batch; () for one that is a single message."""
    if frame[:3] == b"MSH" and frame.find(b"MSH", 3) < 0:
        return ()
    parts = hl7v2.split_batch(frame)
    return () if parts in ((frame,), ()) else parts


def dedupe_key(message: hl7v2.Message) -> str:
    """SHA-256 over MSH-3, MSH-4, MSH-10 and the payload without MSH-7 (REQ-03).

    Never MSH-10 alone: official initial, replacement and deletion samples share MSH-10 `015`.
    """
    raw, msh = message.raw, message.segments[0].raw
    separator = message.delimiters.field.encode()
    fields = msh.split(separator)
    if len(fields) > 6:
        fields[6] = b""
    start = raw.find(msh)
    digest = hashlib.sha256(
        "\x1f".join((message.sending_application, message.sending_facility, message.control_id)).encode()
    )
    digest.update(separator.join(fields))
    digest.update(memoryview(raw)[start + len(msh) :])
    return digest.hexdigest()


def _http(findings: tuple[Finding, ...]) -> bytes:
    """Status line and OperationOutcome as one stored answer."""
    return f"{fhir.http_status(findings)}\n".encode() + fhir.operation_outcome(findings)
