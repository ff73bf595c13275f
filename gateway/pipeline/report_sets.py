"""Which report set a report belongs to, and what its withdrawal takes back. Pure, as `deciding`."""

from collections.abc import Iterable

from gateway.model.base import replace
from gateway.model.decision import Decision, KnownReport, Verdict
from gateway.model.findings import Finding, finding
from gateway.model.identity import KeptReport
from gateway.model.report import ReportStatus
from gateway.model.site import Site
from gateway.model.submission import Action, Mapped, Provenance
from gateway.model.terms import Identifier
from gateway.ports import Known, Settled
from gateway.rules.places import locate


def outdated(mapped: Mapped, site: Site, key: str, known: Known, before: KnownReport) -> bool:
    """The withdrawal brings an older document of the set than the one that stands (volet §1.2: a deletion
    holds the latest version)."""
    own = mapped.context.document_id
    if not mapped.context.received_document or own == before.document_id:
        return False
    return mapped.context.prior_document_id != before.document_id and known.set_of(site.name, own) == key


def gone(mapped: Mapped) -> Mapped:
    """A withdrawal with a status that says so: a T04, or ORC-1 = CA, brings the document as it was."""
    report = mapped.report
    if report is None or report.status.withdrawn:
        return mapped
    return replace(mapped, report=replace(report, status=ReportStatus.ENTERED_IN_ERROR))


def taken_back(mapped: Mapped, kept: KeptReport) -> Mapped:
    """`mapped`, a withdrawal, with the report that it withdraws and its own status."""
    assert mapped.report is not None, "decided over a report"
    own = tuple(one for one in mapped.provenance if one.path == "status")
    came = Provenance(path="report", rule="the version that is withdrawn")
    return replace(
        mapped,
        report=replace(kept.report, status=mapped.report.status),
        context=replace(mapped.context, action=Action.DELETE),
        trace=replace(mapped.traced, provenance=(*own, came)),
    )


def chained(mapped: Mapped, site: Site, known: Known) -> Mapped | None:
    """A received CDA without setId, or an MDM whose order is not known, belongs to the set of the document
    that it replaces or withdraws (architecture decision 11): the second version is named by the first one, a
    third one is found by the second.

    None: no such set.
    """
    report = mapped.report
    if report is None or mapped.context.received_set_id:
        return None
    names = (mapped.context.prior_document_id, mapped.context.document_id)
    found = next((key for name in names if name and (key := known.set_of(site.name, name))), "")
    value, _, system = found.rpartition("^")
    if not value or (own := Identifier(value=value, system=system)) == report.report_set:
        return None
    came = Provenance(path="report_set", rule="set of the document that this one names")
    return replace(mapped, report=replace(report, report_set=own), trace=mapped.also_from(came))


def distinct(settled: Iterable[Settled]) -> tuple[Settled, ...]:
    """A report set twice in one message: the second would replace the first at once, so it is refused."""
    made: list[Settled] = []
    seen: set[str] = set()
    for one in settled:
        if one.set_key and one.set_key in seen:
            place = locate(one.mapped.provenance, "report_set")
            one = rejected(one, finding("REPORT-SEVERAL", place))
        seen.add(one.set_key)
        made.append(one)
    return tuple(made)


def rejected(settled: Settled, *more: Finding) -> Settled:
    decision = Decision(verdict=Verdict.REJECT, findings=(*settled.decision.findings, *more))
    return Settled(
        mapped=settled.mapped, decision=decision, set_key=settled.set_key, content_hash=settled.content_hash
    )
