"""What comes late: a report that is older than the version taken before, or than its own withdrawal.

A queue that was emptied in the wrong order must not put an old text in the place of a corrected one, nor send
what was withdrawn (issue 4: "replacement before its original is kept and ordered"). Only the validation
time counts, and only when the message states it: MSH-7 of a resend says nothing of the report's age.
"""

from gateway.model.decision import KnownReport
from gateway.model.findings import Finding, finding
from gateway.model.report import ImagingReport
from gateway.model.submission import Action, Mapped
from gateway.rules.places import locate


def late(mapped: Mapped, known: KnownReport | None, current: ImagingReport | None) -> Finding | None:
    """REPORT-WITHDRAWN or REPORT-LATE for a validated report that comes too late, None when it does not."""
    report = mapped.report
    if report is None or known is None:
        return None
    validated = report.validated_at if _stated(mapped) else None
    if known.status.withdrawn:
        gone = known.changed_at
        return _late("REPORT-WITHDRAWN", mapped) if validated and gone and validated < gone else None
    if current is None:
        return None
    own = mapped.context.document_id
    creation = mapped.context.action is Action.CREATE
    if own and creation and current.replaces is not None and current.replaces.value == own:
        return _late("REPORT-LATE", mapped, "the version taken before replaces this document")
    if validated and current.validated_at and validated < current.validated_at:
        return _late("REPORT-LATE", mapped)
    return None


def _late(code: str, mapped: Mapped, detail: str = "") -> Finding:
    return finding(code, locate(mapped.provenance, "validated_at"), detail)


def _stated(mapped: Mapped) -> bool:
    return all(one.code != "VALIDATION-TIME-GUESSED" for one in mapped.findings)
