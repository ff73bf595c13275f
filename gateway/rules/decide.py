"""The decision over one report of a message: reject, hold, block or accept; its version number; its plan."""

from gateway.model.decision import Decision, KnownReport, PlannedDelivery, Verdict
from gateway.model.delivery import DeliveryState, Destination
from gateway.model.findings import Finding, Severity, errors, finding
from gateway.model.report import ImagingReport, ReportStatus
from gateway.model.site import Site
from gateway.model.submission import Action, Mapped
from gateway.rules import addendum, completeness, identity, ins, plan, processing, sequence, visibility
from gateway.rules.places import expected, locate, placed

UNBENDABLE = frozenset({"INVISIBLE-TO-PATIENT-MAIL", "INS-ENV", "INTERNAL"})
"""Codes whose severity no site policy changes (architecture decision 19; REQ-14)."""

_CAUSES = {
    "REPORT-EMPTY": frozenset({"HL7-BASE64", "PDF-INVALID"}),
    "VALIDATION-TIME-MISSING": frozenset({"HL7-DATATYPE"}),
}
"""What a report lacks → errors of mapping that are the reason: only the reason is said."""

_REPLACING = frozenset({ReportStatus.CORRECTED, ReportStatus.APPENDED})


def decide(
    mapped: Mapped,
    known: KnownReport | None,
    *,
    site: Site,
    environment: str,
    enabled: frozenset[Destination],
    content_hash: str,
    current: ImagingReport | None = None,
    sent: tuple[PlannedDelivery, ...] = (),
    outdated: bool = False,
) -> Decision:
    """What becomes of `mapped`, given what the store knows of its report set: `current` is the report of its
    current version, `sent` what a withdrawal has to delete, `outdated` that it names an older document than
    the one that stands (both asked for a withdrawal only).

    `number` is the version that this message makes, 0 when it makes none (rejected, held, unchanged).
    All findings stand in the answer, of mapping and of the rules, with the site's severities.
    """
    policy = _policy(site)
    found = _apply(_all(mapped, environment), policy)
    report = mapped.report
    if report is None:
        found = found if errors(found) else (*found, finding("INTERNAL"))
        return Decision(verdict=Verdict.REJECT, findings=found)
    if errors(found):
        return Decision(verdict=Verdict.REJECT, findings=found)
    if withdrawn(mapped) and outdated:
        place = locate(mapped.provenance, "context.document_id")
        return Decision(verdict=Verdict.REJECT, findings=(*found, finding("WITHDRAWAL-OUTDATED", place)))
    if withdrawn(mapped):
        return _withdraw(mapped, known, found, kept=current is not None, sent=sent)
    if not report.status.validated:
        found = (*found, finding("NOT-VALIDATED", locate(mapped.provenance, "status")))
        return Decision(verdict=Verdict.HOLD, findings=found)
    if known is not None and known.version > 0 and known.content_hash == content_hash:
        return Decision(verdict=Verdict.ACCEPT, findings=(*found, finding("CONTENT-UNCHANGED")))
    if (late := sequence.late(mapped, known, current)) is not None:
        return Decision(verdict=Verdict.HOLD, findings=(*found, late))
    return _accept(mapped, report, known, found, site=site, enabled=enabled, policy=policy)


def _accept(
    mapped: Mapped,
    report: ImagingReport,
    known: KnownReport | None,
    found: tuple[Finding, ...],
    *,
    site: Site,
    enabled: frozenset[Destination],
    policy: dict[str, Severity],
) -> Decision:
    sent = known.version if known is not None else 0
    action, remarks = _action(mapped, report, sent)
    made = plan.make(mapped, enabled=enabled, site=site, action=action)
    found = (*found, *_apply((*remarks, *made.findings), policy))
    if errors(found):
        return Decision(verdict=Verdict.REJECT, findings=found)
    blocked = any(row.state is DeliveryState.BLOCKED for row in made.rows)
    return Decision(
        verdict=Verdict.BLOCK if blocked else Verdict.ACCEPT, findings=found, plan=made.rows, number=sent + 1
    )


def _action(mapped: Mapped, report: ImagingReport, sent: int) -> tuple[Action, tuple[Finding, ...]]:
    """Create or replace. A replacement whose original is unknown here is taken (architecture decision 13): as
    a replacement when the sender names the document it replaces, so that the DMP can be asked for it; else
    there is nothing to ask for and it goes as a creation. An addendum alone replaces no report."""
    if sent:
        return Action.REPLACE, ()
    if addendum.alone(report):
        place = locate(mapped.provenance, "sections[0].text")
        return Action.CREATE, (finding("ORIGINAL-UNKNOWN", place, "the addendum goes alone"),)
    if mapped.context.action is not Action.REPLACE and report.status not in _REPLACING:
        return Action.CREATE, ()
    if report.replaces is not None:
        place = locate(mapped.provenance, "replaces")
        return Action.REPLACE, (finding("ORIGINAL-UNKNOWN", place),)
    return Action.CREATE, (finding("ORIGINAL-UNKNOWN", locate(mapped.provenance, "status"), "sent as new"),)


def _withdraw(
    mapped: Mapped,
    known: KnownReport | None,
    found: tuple[Finding, ...],
    *,
    kept: bool,
    sent: tuple[PlannedDelivery, ...],
) -> Decision:
    """What never left is cancelled; where it arrived, one more version deletes it: whatever the flags of the
    message say of destinations, since what is wrong must go wherever it went.

    `kept`: the contents of the current version are there. Without them nobody could be told what to delete,
    and it is never acknowledged as if it had been.
    """
    place = locate(mapped.provenance, "status")
    if known is None or known.version == 0:
        held = finding("NOT-VALIDATED", place, "withdrawn")
        return Decision(verdict=Verdict.HOLD, findings=(*found, held))
    if not sent:
        code = "REPORT-WITHDRAWN-BEFORE" if known.status.withdrawn else "REPORT-RECALLED"
        return Decision(
            verdict=Verdict.ACCEPT,
            findings=(*found, finding(code, place)),
            recalls=not known.status.withdrawn,
        )
    if not kept:
        return Decision(verdict=Verdict.REJECT, findings=(*found, finding("WITHDRAWAL-UNSERVED", place)))
    where = ", ".join(sorted({row.destination.value for row in sent}))
    return Decision(
        verdict=Verdict.ACCEPT,
        findings=(*found, finding("REPORT-TAKEN-BACK", place, where)),
        plan=sent,
        number=known.version + 1,
        recalls=True,
    )


def withdrawn(mapped: Mapped) -> bool:
    """The message takes its report back."""
    report = mapped.report
    return report is not None and (report.status.withdrawn or mapped.context.action is Action.DELETE)


def _all(mapped: Mapped, environment: str) -> tuple[Finding, ...]:
    """Everything there is to say, at once: of mapping, of the INS and the flags; of a validated report also
    what it lacks. An error that mapping has found is not said twice, nor what follows from one."""
    report = mapped.report
    if report is None:
        return mapped.findings
    found = [
        *mapped.findings,
        *processing.check(mapped.context.processing_id, environment),
        *visibility.check(mapped),
    ]
    if report.patient.ins is not None:
        found += placed(ins.check(report.patient.ins, environment), mapped)
    if report.status.validated and not withdrawn(mapped):
        said = {one.code for one in errors(mapped.findings)}
        lacking = (one for one in completeness.check(mapped) if one.code not in said)
        found += (one for one in lacking if not _CAUSES.get(one.code, frozenset()) & said)
        found += _traits(mapped, report)
    return expected(tuple(found), mapped)


def _traits(mapped: Mapped, report: ImagingReport) -> tuple[Finding, ...]:
    """Without all five traits an INS cannot be qualified; without an INS nobody asks for them."""
    missing = identity.traits(report.patient) if report.patient.ins is not None else ()
    if not missing:
        return ()
    return (finding("TRAITS-INCOMPLETE", locate(mapped.provenance, "patient"), ", ".join(missing)),)


def with_policy(found: tuple[Finding, ...], site: Site) -> tuple[Finding, ...]:
    """`found` with the severities that the site states."""
    return _apply(found, _policy(site))


def _policy(site: Site) -> dict[str, Severity]:
    return {code: Severity(severity) for code, severity in site.policies if code not in UNBENDABLE}


def _apply(found: tuple[Finding, ...], policy: dict[str, Severity]) -> tuple[Finding, ...]:
    """`found` with the severities that the site states."""
    if not policy:
        return found
    return tuple(
        finding(one.code, one.location, one.detail, policy.get(one.code, one.severity)) for one in found
    )
