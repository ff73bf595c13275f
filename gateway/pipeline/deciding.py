"""What a mapped message comes to: conclusions for the commit. Pure; nothing here waits, stores or sends."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.model.command import Command
from gateway.model.decision import MESSAGE_STATES, KnownReport, Verdict
from gateway.model.delivery import Destination, MessageState
from gateway.model.findings import Finding, errors
from gateway.model.identity import MappedIdentity
from gateway.model.order import MappedOrder
from gateway.model.people import Patient
from gateway.model.site import Site
from gateway.model.submission import Action, Mapped
from gateway.model.version import VersionIdentity
from gateway.pipeline import commands, report_sets
from gateway.pipeline.feed import completed, order_entry, speak
from gateway.pipeline.identity import identity, set_key
from gateway.pipeline.reading import Readout, readout
from gateway.ports import Conclusion, Known, OrderEntry, Received, Settled
from gateway.rules import addendum, ins, plan, processing
from gateway.rules.decide import decide, with_policy, withdrawn
from gateway.rules.places import locate

_WORST = (Verdict.ACCEPT, Verdict.HOLD, Verdict.BLOCK, Verdict.REJECT)

Answer = Callable[[Verdict, tuple[Finding, ...], tuple[tuple[Finding, ...], ...]], bytes]
"""Renders what was decided in the sender's protocol: verdict, all findings, those of each report or order."""
Judgement = tuple[Verdict, tuple[Finding, ...]]
Conclude = Callable[[Known], Conclusion]
"""Runs inside the commit, perhaps more than once."""


@dataclass(frozen=True, slots=True)
class Deciding:
    """The rules with what this gateway is: its environment, and the destinations it sends to."""

    environment: str
    enabled: frozenset[Destination]

    def reports(
        self,
        read: tuple[Readout, ...],
        received: Received,
        site: Site,
        answer: Answer,
        *,
        apart: bool = False,
        aside: tuple[Finding, ...] = (),
    ) -> Conclude:
        """All reports of one message are taken, or none; `apart`: each stands for itself (FHIR batch,
        architecture decision 12). `aside`: what is wrong with parts that nobody could read."""

        def conclude(known: Known) -> Conclusion:
            settled = report_sets.distinct(self._complete(one, received, site, known) for one in read)
            verdicts = [one.decision.verdict for one in settled]
            kept = [one for one in verdicts if one is not Verdict.REJECT]
            verdict = max((apart and kept) or verdicts, key=_WORST.index)
            findings = (*aside, *(found for one in settled for found in one.decision.findings))
            if verdict is Verdict.REJECT:
                settled = tuple(report_sets.rejected(one) for one in settled)
            taken = [one for one in settled if one.decision.verdict is not Verdict.REJECT]
            return Conclusion(
                state=MESSAGE_STATES[verdict],
                answer=answer(verdict, findings, tuple(one.decision.findings for one in settled)),
                reports=settled,
                blobs=tuple(blob for one in taken for blob in one.mapped.blobs),
                findings=findings,
                partial=bool(aside) or len(taken) < len(settled),
            )

        return conclude

    def orders(
        self,
        mapped: tuple[MappedOrder, ...],
        site: Site,
        answer: Answer,
        *,
        apart: bool = False,
        aside: tuple[Finding, ...] = (),
    ) -> Conclude:
        """All orders of one message are kept, or none; `apart` and `aside` as for reports."""
        judged = tuple(self.judge_order(one, site) for one in mapped)
        verdicts = {verdict for verdict, _ in judged}
        refused = verdicts != {Verdict.ACCEPT} if not apart else Verdict.ACCEPT not in verdicts
        verdict = Verdict.REJECT if refused else Verdict.ACCEPT

        def conclude(known: Known) -> Conclusion:
            entries: list[OrderEntry] = []
            each: list[tuple[Finding, ...]] = []
            for one, (own, found) in zip(mapped, judged, strict=True):
                if not refused and own is Verdict.ACCEPT and one.order is not None:
                    entry, late = order_entry(one, one.order, site.name, known)
                    entries.append(entry)
                    found = (*found, *late)
                each.append(found)
            told = tuple(dict.fromkeys((*aside, *(found for notes in each for found in notes))))
            return Conclusion(
                state=MESSAGE_STATES[verdict],
                answer=answer(verdict, told, tuple(each)),
                findings=told,
                orders=tuple(entries),
                partial=bool(aside) or len(entries) < len(mapped),
            )

        return conclude

    def identity(self, mapped: MappedIdentity, received: Received, site: Site, answer: Answer) -> Conclude:
        """The event is kept, and every report that it releases goes out in the same commit."""
        verdict, found = self.judge_identity(mapped, site)
        event = mapped.event

        def conclude(known: Known) -> Conclusion:
            if event is None or verdict is Verdict.REJECT:
                return Conclusion(
                    state=MessageState.REJECTED, answer=answer(Verdict.REJECT, found, ()), findings=found
                )
            spoken = speak(
                event,
                site,
                known,
                settle=lambda one: self._settle(readout(one), received, site, known),
                planned=lambda one: self._reasons(one, site),
            )
            told = (*found, *spoken.findings)
            return Conclusion(
                state=MessageState.ACCEPTED,
                answer=answer(Verdict.ACCEPT, told, ()),
                reports=spoken.reports,
                findings=told,
                identities=spoken.records,
                changes=spoken.changes,
            )

        return conclude

    def command(self, command: Command, received: Received, site: Site) -> Conclude:
        """What a person orders for a kept report."""

        def conclude(known: Known) -> Conclusion:
            return commands.conclude(
                command, known, lambda one: self._settle(readout(one), received, site, known)
            )

        return conclude

    def judge_order(self, mapped: MappedOrder, site: Site) -> Judgement:
        patient = mapped.order.patient if mapped.order is not None else None
        own = self._ins(patient, locate(mapped.provenance, ins.PATH))
        return self._judged(mapped.processing_id, (*mapped.findings, *own), site)

    def judge_identity(self, mapped: MappedIdentity, site: Site) -> Judgement:
        own = self._ins(mapped.event.patient, "PID-3") if mapped.event is not None else ()
        return self._judged(mapped.processing_id, (*mapped.findings, *own), site)

    def _judged(self, processing_id: str, found: tuple[Finding, ...], site: Site) -> Judgement:
        whole = with_policy((*found, *processing.check(processing_id, self.environment)), site)
        return (Verdict.REJECT if errors(whole) else Verdict.ACCEPT), whole

    def _complete(self, read: Readout, received: Received, site: Site, known: Known) -> Settled:
        """With what orders and the identity feed know."""
        whole = completed(read.mapped, site.name, known)
        return self._settle(read if whole is read.mapped else readout(whole), received, site, known)

    def _settle(self, read: Readout, received: Received, site: Site, known: Known) -> Settled:
        mapped, report = read.mapped, read.mapped.report
        key = set_key(report.report_set) if report is not None else ""
        before = known.report(site.name, key) if key else None
        if before is None and (chained := report_sets.chained(mapped, site, known)) is not None:
            return self._settle(readout(chained), received, site, known)
        if withdrawn(mapped):
            return self._withdraw(mapped, received, site, key, known, before)
        current = None
        if before is not None and before.version and not before.status.withdrawn:
            current = known.current(site.name, key)
        if (whole := addendum.joined(mapped, current)) is not mapped:
            read = readout(whole)
            mapped = whole
        digest = read.canonical.content_hash if read.canonical is not None else ""
        decision = decide(
            mapped,
            before,
            site=site,
            environment=self.environment,
            enabled=self.enabled,
            content_hash=digest,
            current=current,
        )
        made = None
        if decision.number:
            made = self._named(mapped, received, site, key, decision.number, before)
        return Settled(
            mapped=mapped,
            decision=decision,
            set_key=key,
            content_hash=digest,
            identity=made,
            canonical=read.canonical,
        )

    def _withdraw(
        self,
        mapped: Mapped,
        received: Received,
        site: Site,
        key: str,
        known: Known,
        before: KnownReport | None,
    ) -> Settled:
        """The report of the version that is withdrawn goes into the one that says so, whatever else the
        message brought: that is what left, and what is deleted."""
        mapped = report_sets.gone(mapped)
        kept = known.kept(site.name, key) if before is not None else None
        decision = decide(
            mapped,
            before,
            site=site,
            environment=self.environment,
            enabled=self.enabled,
            content_hash="",
            current=kept.report if kept is not None else None,
            sent=known.sent(site.name, key) if before is not None else (),
            outdated=before is not None and report_sets.outdated(mapped, site, key, known, before),
        )
        if kept is None or not decision.number:
            return Settled(mapped=mapped, decision=decision, set_key=key)
        gone = report_sets.taken_back(mapped, kept)
        made = self._named(gone, received, site, key, decision.number, before, withdraws=True)
        return Settled(mapped=gone, decision=decision, set_key=key, identity=made)

    def _named(
        self,
        mapped: Mapped,
        received: Received,
        site: Site,
        key: str,
        number: int,
        before: KnownReport | None,
        *,
        withdraws: bool = False,
    ) -> VersionIdentity:
        """The ids and times of version `number`, fixed by what was received."""
        return identity(
            mapped,
            environment=self.environment,
            site=site,
            key=key,
            number=number,
            known=before,
            now=received.received_at,
            withdraws=withdraws,
        )

    def _ins(self, patient: Patient | None, place: str) -> tuple[Finding, ...]:
        """A matricule of the other environment, or with a wrong key, is never kept (REQ-13, REQ-14)."""
        if patient is None or patient.ins is None:
            return ()
        return ins.check(patient.ins, self.environment, place)

    def _reasons(self, mapped: Mapped, site: Site) -> dict[Destination, str]:
        """Destination → why its deliveries must wait for the identity, "" when they need not."""
        rows = plan.make(mapped, enabled=self.enabled, site=site, action=Action.CREATE).rows
        return {row.destination: row.reason if row.reason in plan.IDENTITY_REASONS else "" for row in rows}
