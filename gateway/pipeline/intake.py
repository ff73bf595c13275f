"""From received bytes to the answer: read, map, decide, commit, acknowledge.

The answer exists only after the commit. All reports of one message are taken, or none.
"""

import hashlib
import logging
import time
from collections.abc import Callable
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
from gateway.model.decision import MESSAGE_STATES, Decision, Verdict
from gateway.model.delivery import Destination, MessageState
from gateway.model.findings import Finding, errors, finding
from gateway.model.people import Patient
from gateway.model.site import Site
from gateway.model.submission import Action, Mapped
from gateway.pipeline.feed import completed, order_entries, speak
from gateway.pipeline.identity import content_hash, identity, set_key
from gateway.ports import (
    Clock,
    Conclusion,
    IntakeStore,
    Known,
    Receipt,
    Received,
    Settled,
    StoreUnavailableError,
)
from gateway.rules import ins, plan
from gateway.rules.decide import decide, with_policy
from gateway.telemetry import correlation, metrics

log = logging.getLogger(__name__)

_WORST = (Verdict.ACCEPT, Verdict.HOLD, Verdict.BLOCK, Verdict.REJECT)

Answer = Callable[[Verdict, tuple[Finding, ...], tuple[Settled, ...]], bytes]
"""Renders what was decided in the sender's protocol."""


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
        self._store, self._sites, self._clock = store, sites, clock
        self._environment, self._enabled = environment, enabled

    async def take_hl7v2(self, frame: bytes, *, peer: str) -> bytes:
        """The acknowledgement (ER7) of one HL7 v2 message, after it is stored. Never raises for any input."""
        started = time.perf_counter()
        message: hl7v2.Message | None = None
        state = MessageState.REJECTED
        try:
            try:
                message, profile = self._read(frame)
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
            message_type=f"{message.message_code}^{message.trigger_event}",
            control_id=message.control_id,
            sending_application=message.sending_application,
            sending_facility=message.sending_facility,
        )

        def answer(verdict: Verdict, findings: tuple[Finding, ...], _: tuple[Settled, ...]) -> bytes:
            return self._acknowledge(message, verdict, findings)

        if is_order(message):
            return await self._orders(received, message, profile, answer)
        if is_identity(message):
            return await self._identity(received, message, profile, answer)
        return await self._commit(received, hl7_mapping.reports(message, profile), profile, answer)

    async def _orders(
        self, received: Received, message: hl7v2.Message, profile: Profile, answer: Answer
    ) -> Receipt:
        """All orders of the message are taken, or none."""
        mapped, site = orders(message, profile), profile.site
        found = tuple(note for one in mapped for note in one.findings)
        patients = [one.order.patient for one in mapped if one.order is not None]
        found = with_policy((*found, *self._ins(patients[:1])), site)
        verdict = Verdict.REJECT if errors(found) else Verdict.ACCEPT

        def conclude(known: Known) -> Conclusion:
            entries = order_entries(mapped, site.name, known) if verdict is Verdict.ACCEPT else ()
            return Conclusion(
                state=MESSAGE_STATES[verdict],
                answer=answer(verdict, found, ()),
                findings=found,
                orders=entries,
            )

        return await self._store.commit(received, conclude)

    async def _identity(
        self, received: Received, message: hl7v2.Message, profile: Profile, answer: Answer
    ) -> Receipt:
        """The event is kept, and every report that it releases goes out in the same commit."""
        mapped, site = identity_event(message, profile), profile.site
        event = mapped.event
        found = mapped.findings if event is None else (*mapped.findings, *self._ins([event.patient]))
        found = with_policy(found, site)

        def conclude(known: Known) -> Conclusion:
            if event is None or errors(found):
                return Conclusion(
                    state=MessageState.REJECTED, answer=answer(Verdict.REJECT, found, ()), findings=found
                )

            def settle(mapped: Mapped) -> Settled:
                return self._settle(mapped, "", profile, received, known)

            spoken = speak(event, site, known, settle, lambda one: self._reasons(one, site))
            return Conclusion(
                state=MessageState.ACCEPTED,
                answer=answer(Verdict.ACCEPT, (*found, *spoken.findings), ()),
                reports=spoken.reports,
                findings=(*found, *spoken.findings),
                identities=spoken.records,
                changes=spoken.changes,
            )

        return await self._store.commit(received, conclude)

    def _ins(self, patients: list[Patient]) -> tuple[Finding, ...]:
        """A matricule of the other environment, or with a wrong key, is never kept (REQ-13, REQ-14)."""
        return tuple(
            note
            for one in patients
            if one.ins is not None
            for note in ins.check(one.ins, self._environment, "PID-3")
        )

    def _reasons(self, mapped: Mapped, site: Site) -> dict[Destination, str]:
        rows = plan.make(mapped, enabled=self._enabled, site=site, action=Action.CREATE).rows
        return {row.destination: row.reason if row.reason in plan.IDENTITY_REASONS else "" for row in rows}

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
                position: fhir.EntryAnswer(status="201 Created", findings=one.decision.findings)
                for position, one in zip(bundle.reports, settled, strict=True)
            }
            return b"200\n" + fhir.bundle_response(bundle, entries)

        return await self._commit(received, mapped, profile, answer)

    # --- both

    async def _commit(
        self, received: Received, mapped: tuple[Mapped, ...], profile: Profile, answer: Answer
    ) -> Receipt:
        hashes = tuple(content_hash(one.report, one) if one.report else "" for one in mapped)

        def conclude(known: Known) -> Conclusion:
            settled = tuple(
                self._complete(one, digest, profile, received, known)
                for one, digest in zip(mapped, hashes, strict=True)
            )
            verdict = max((one.decision.verdict for one in settled), key=_WORST.index)
            findings = tuple(found for one in settled for found in one.decision.findings)
            if verdict is Verdict.REJECT:  # all or nothing
                settled = tuple(_rejected(one) for one in settled)
            return Conclusion(
                state=MESSAGE_STATES[verdict],
                answer=answer(verdict, findings, settled),
                reports=settled,
                blobs=tuple(blob for one in mapped for blob in one.blobs)
                if verdict != Verdict.REJECT
                else (),
                findings=findings,
            )

        return await self._store.commit(received, conclude)

    def _complete(
        self, mapped: Mapped, digest: str, profile: Profile, received: Received, known: Known
    ) -> Settled:
        """With what orders and the identity feed know; `digest` is that of the report before."""
        whole = completed(mapped, profile.site.name, known)
        return self._settle(whole, digest if whole is mapped else "", profile, received, known)

    def _settle(
        self, mapped: Mapped, digest: str, profile: Profile, received: Received, known: Known
    ) -> Settled:
        """`digest` is the hash of the content, "" when it is not known yet."""
        if not digest and mapped.report is not None:
            digest = content_hash(mapped.report, mapped)
        report, site = mapped.report, profile.site
        key = set_key(report.report_set) if report is not None else ""
        before = known.report(site.name, key) if key else None
        decision = decide(
            mapped,
            before,
            site=site,
            environment=self._environment,
            enabled=self._enabled,
            content_hash=digest,
        )
        made = None
        if decision.number:
            made = identity(
                mapped,
                environment=self._environment,
                site=site,
                key=key,
                number=decision.number,
                known=before,
                now=received.received_at,
            )
        return Settled(mapped=mapped, decision=decision, set_key=key, content_hash=digest, identity=made)


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


def _rejected(settled: Settled) -> Settled:
    decision = Decision(verdict=Verdict.REJECT, findings=settled.decision.findings)
    return Settled(
        mapped=settled.mapped, decision=decision, set_key=settled.set_key, content_hash=settled.content_hash
    )


def _http(findings: tuple[Finding, ...]) -> bytes:
    """Status line and OperationOutcome as one stored answer."""
    return f"{fhir.http_status(findings)}\n".encode() + fhir.operation_outcome(findings)
