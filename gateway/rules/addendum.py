"""An addendum that comes without the text that it adds to (MDM^T06; spec hl7v2.md §4.4).

Report and addendum become one version, whichever came first: the text of the one, the addendum of the other,
validated by whoever validated last. An addendum whose report never came goes out alone, as a document of its
own, and is joined as soon as the report arrives.
"""

from gateway.model.base import replace
from gateway.model.findings import finding
from gateway.model.people import Practitioner
from gateway.model.report import ImagingReport, ReportStatus, Section, SectionKind
from gateway.model.submission import Mapped, Provenance
from gateway.rules.persons import disagreements
from gateway.rules.places import locate

_RULE = "report and addendum of one report set"


def alone(report: ImagingReport) -> bool:
    """A validated report of which only the addendum is known."""
    return report.status is ReportStatus.APPENDED and all(
        one.kind is SectionKind.ADDENDUM for one in report.sections
    )


def joined(mapped: Mapped, current: ImagingReport | None) -> Mapped:
    """`mapped` as one report with `current`, the version that the gateway has, where one of them is an
    addendum alone; else `mapped` itself.

    ADDENDUM-NOT-POSSIBLE (error) when the report is a document whose pages are not ours to change, or is
    about another patient.
    """
    report = mapped.report
    if report is None or not report.status.validated:
        return mapped
    if current is None:
        # The document that it adds to is not replaced by it.
        return replace(mapped, report=replace(report, replaces=None)) if _follows(report) else mapped
    if alone(report) == alone(current):
        return replace(mapped, report=_side_by_side(report, current)) if alone(report) else mapped
    if reason := _against(report, current, mapped):
        place = locate(mapped.provenance, "sections[0].text")
        refusal = finding("ADDENDUM-NOT-POSSIBLE", place, reason)
        return replace(mapped, findings=(*mapped.findings, refusal))
    whole, addendum = (current, report) if alone(report) else (report, current)
    made = replace(_appended(whole, addendum), patient=report.patient)
    came = (Provenance(path="sections", rule=_RULE),)
    return replace(mapped, report=made, trace=mapped.also_from(*came))


def _follows(report: ImagingReport) -> bool:
    return report.replaces is not None and alone(report)


def _side_by_side(report: ImagingReport, current: ImagingReport) -> ImagingReport:
    """A second addendum before the report: they stand together until it comes."""
    return replace(report, sections=_with(current.sections, report.sections), replaces=None)


def _against(report: ImagingReport, current: ImagingReport, mapped: Mapped) -> str:
    """Why the two cannot be one, "" when they can."""
    if differing := disagreements(report.patient, current.patient):
        return f"another patient: {', '.join(differing)}"
    if mapped.context.received_document or report.attachments or current.attachments:
        return "the report is a document"
    return ""


def _appended(whole: ImagingReport, addendum: ImagingReport) -> ImagingReport:
    """`whole` with the addendum behind its text. Nobody takes the report's authors away; an author of the
    addendum stands at its section when he is none of them."""
    signer = addendum.legal_authenticator or (addendum.authors[0] if addendum.authors else None)
    known = {one.id for one in (*whole.authors, whole.legal_authenticator) if one is not None}
    sections = tuple(_signed(one, signer, known) for one in addendum.sections)
    last = addendum if _later(addendum, whole) else whole
    return replace(
        whole,
        status=ReportStatus.APPENDED,
        validated_at=last.validated_at,
        legal_authenticator=last.legal_authenticator or whole.legal_authenticator,
        sections=_with(whole.sections, sections),
        copies_to=tuple(dict.fromkeys((*whole.copies_to, *addendum.copies_to))),
        replaces=whole.replaces,
    )


def _signed(section: Section, signer: Practitioner | None, known: set[str]) -> Section:
    if section.author is not None or signer is None or signer.id in known:
        return section
    return replace(section, author=signer)


def _with(sections: tuple[Section, ...], more: tuple[Section, ...]) -> tuple[Section, ...]:
    """Nothing twice: the same addendum may come under another control id."""
    texts = {one.text for one in sections if one.kind is SectionKind.ADDENDUM}
    return (*sections, *(one for one in more if one.text not in texts))


def _later(one: ImagingReport, other: ImagingReport) -> bool:
    if one.validated_at is None or other.validated_at is None:
        return one.validated_at is not None
    return one.validated_at >= other.validated_at
