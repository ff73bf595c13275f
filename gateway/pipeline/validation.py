"""The verdict on the documents of a version, before any of its deliveries may start (architecture 24)."""

from gateway.model.findings import Finding, errors
from gateway.model.version import Document, DocumentKind
from gateway.ports import Produced, Validator


def judged(version_id: int, documents: tuple[Document, ...], validator: Validator) -> Produced:
    """What the worker reports of documents that our own checks let through.

    Raises ValidatorUnavailableError: without a verdict nothing goes.
    """
    cda = (document.data for document in documents if document.kind is DocumentKind.CDA)
    findings = tuple(found for data in cda for found in validator.judge(data))
    return Produced(
        version_id=version_id,
        documents=documents,
        blocked=reason(findings),
        findings=findings,
        official=True,
    )


def reason(findings: tuple[Finding, ...]) -> str:
    """The code that stands for a refusal in the ledger, "" when nothing refuses."""
    return next((found.code for found in errors(findings)), "")
