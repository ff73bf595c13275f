"""FHIR R4 in (Bundle or DiagnosticReport, JSON), OperationOutcome and Bundle responses out.

No I/O, and nothing is ever fetched: a reference leads to a resource of the same Bundle, or nowhere.
"""

from gateway.fhir.bundle import ReportBundle, bundle_identifier
from gateway.fhir.node import Node
from gateway.fhir.outcome import bundle_response, http_status, operation_outcome
from gateway.fhir.reader import FhirError, read

__all__ = [
    "FhirError",
    "Node",
    "ReportBundle",
    "bundle_identifier",
    "bundle_response",
    "http_status",
    "operation_outcome",
    "read",
]
