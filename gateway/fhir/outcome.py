"""Findings → OperationOutcome; per-entry answers → a transaction or batch response."""

import json
from http import HTTPStatus
from typing import Any

from gateway.fhir.bundle import ReportBundle
from gateway.model.findings import CATALOGUE, Finding, Severity, errors

CODE_SYSTEM = "urn:imaging-report-gateway:finding"
"""System of the finding codes in OperationOutcome.issue.details."""

_SEVERITIES = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "information"}

_ISSUE_TYPES = {
    "FHIR-SYNTAX": "structure",
    "FHIR-INVALID": "structure",
    "FHIR-VERSION": "not-supported",
    "FHIR-MEDIA-TYPE": "not-supported",
    "REF-DANGLING": "not-found",
    "CODE-UNKNOWN": "code-invalid",
    "CONTENT-UNCHANGED": "informational",
    "NOT-VALIDATED": "informational",
    "AWAITING-ANNOUNCEMENT": "informational",
    "HL7-TOO-LARGE": "too-long",
    "STORE-UNAVAILABLE": "transient",
    "INTERNAL": "exception",
}
"""Finding code → issue type (value set issue-type) where `_BY_ERR3` is not precise enough."""
_BY_ERR3 = {"101": "required", "102": "value", "103": "code-invalid", "207": "business-rule"}


def operation_outcome(findings: tuple[Finding, ...]) -> bytes:
    """OperationOutcome (R4, JSON); without findings one issue that says so (issue is 1..*)."""
    return _json(_outcome(findings))


def http_status(findings: tuple[Finding, ...]) -> int:
    """Status of an answer that refuses for `findings`: that of its gravest error; 200 without an error.

    Resend-later wins over everything, then what is wrong with the whole body (413, 415, 400), then 422.
    """
    found = {error.spec.http for error in errors(findings)}
    return next((status for status in (503, 500, 413, 415, 400) if status in found), max(found, default=200))


_RESPONSES = {"transaction": "transaction-response", "batch": "batch-response"}


def bundle_response(bundle: ReportBundle, answers: dict[int, tuple[Finding, ...]]) -> bytes:
    """Answer to what was taken: a transaction-response or batch-response with one entry for each of the
    request, in order; an OperationOutcome for the kinds that have no response Bundle (document, collection,
    message, a bare report).

    `answers` are the findings of the reports, by their position in the Bundle; other entries (Patient…)
    were read as parts of those that were taken, and answer as these.
    """
    if bundle.kind not in _RESPONSES:
        return operation_outcome(tuple(found for findings in answers.values() for found in findings))
    taken = min(map(_status, answers.values()), default="200 OK")
    entries = []
    for index in range(len(bundle.tree.get("entry") or ())):
        findings = answers.get(index)
        response: dict[str, Any] = {"status": taken if findings is None else _status(findings)}
        if findings:
            response["outcome"] = _outcome(findings)
        entries.append({"response": response})
    made: dict[str, Any] = {"resourceType": "Bundle", "type": _RESPONSES[bundle.kind]}
    return _json(made | ({"entry": entries} if entries else {}))


def _status(findings: tuple[Finding, ...]) -> str:
    """`201 Created`, or the status of the gravest error."""
    status = HTTPStatus(http_status(findings))
    if status is HTTPStatus.OK:
        status = HTTPStatus.CREATED
    return f"{status.value} {status.phrase}"


def _outcome(findings: tuple[Finding, ...]) -> dict[str, Any]:
    issues = [_issue(found) for found in findings] or [
        {"severity": "information", "code": "informational", "details": {"text": "Taken"}}
    ]
    return {"resourceType": "OperationOutcome", "issue": issues}


def _issue(found: Finding) -> dict[str, Any]:
    spec = CATALOGUE[found.code]
    fhirpath = found.location[:1].isupper()
    parts = (found.detail, "" if fhirpath else found.location, spec.remedy)
    issue: dict[str, Any] = {
        "severity": _SEVERITIES[found.severity],
        "code": _ISSUE_TYPES.get(found.code, _BY_ERR3.get(spec.err3, "processing")),
        "details": {"coding": [{"system": CODE_SYSTEM, "code": found.code}], "text": spec.text},
        "diagnostics": "; ".join(part for part in parts if part),
    }
    return issue | ({"expression": [found.location]} if fhirpath else {})


def _json(resource: dict[str, Any]) -> bytes:
    return json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
