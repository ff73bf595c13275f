"""What a validated report needs before it may leave (REQ-19, REQ-26)."""

from gateway.model.base import replace
from gateway.model.findings import Finding, Severity, finding
from gateway.model.report import ImagingReport
from gateway.model.submission import Mapped
from gateway.rules.places import placed
from gateway.rules.professional import check_professional, check_structure


def check(mapped: Mapped) -> tuple[Finding, ...]:
    """Every lack of `mapped.report` at once, each with its place in the message or its canonical path.

    A received CDA often names no requester (official samples do not): that is its creator's choice and a
    warning, since the document passes through unchanged.
    """
    report = mapped.report
    if report is None:
        return ()
    received = bool(mapped.context.received_document)
    found = (
        *_validation(report),
        *_requester(report, Severity.WARNING if received else None),
        *_structure(report),
        *_patient(report),
        *_content(report, received),
    )
    return placed(found, mapped)


def _validation(report: ImagingReport) -> tuple[Finding, ...]:
    """legalAuthenticator: when, who, with which national number (CI-SIS CDA header, mandatory)."""
    found: list[Finding] = []
    if report.validated_at is None:
        found.append(finding("VALIDATION-TIME-MISSING", "validated_at"))
    elif report.validated_at.tzinfo is None:
        found.append(finding("VALIDATION-TIME-MISSING", "validated_at", "no offset"))
    if report.legal_authenticator is None:
        found.append(finding("RPPS-MISSING", "legal_authenticator", "no validating physician"))
    else:
        named = check_professional(report.legal_authenticator.id, "legal_authenticator.id")
        found += (replace(one, detail=one.detail or "a name without national number") for one in named)
    return tuple(found)


def _requester(report: ImagingReport, severity: Severity | None) -> tuple[Finding, ...]:
    requester = report.requester
    if requester is None or not (requester.id or requester.family):
        return (finding("REQUESTER-MISSING", "requester", severity=severity),)
    return ()


def _structure(report: ImagingReport) -> tuple[Finding, ...]:
    """The structure of the author: the performer of the exam, else the custodian."""
    for name, structure in (("performer", report.performer), ("custodian", report.custodian)):
        if structure is not None and structure.id:
            return check_structure(structure.id, f"{name}.id")
    return (finding("STRUCTURE-MISSING", "performer"),)


def _patient(report: ImagingReport) -> tuple[Finding, ...]:
    patient = report.patient
    named = patient.birth_family or patient.used_family
    if named and (patient.ins is not None or patient.identifiers):
        return ()
    place = "patient.identifiers" if named else "patient.birth_family"
    return (finding("PATIENT-MISSING", place, "no identifier" if named else "no name"),)


def _content(report: ImagingReport, received: bool) -> tuple[Finding, ...]:
    if received or report.attachments or any(section.text.strip() for section in report.sections):
        return ()
    return (finding("REPORT-EMPTY", "sections"),)
