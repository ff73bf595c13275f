"""The FHIR CapabilityStatement of the intake endpoint: only what is served."""

import json

from gateway import __version__


def capability_statement() -> bytes:
    """FHIR R4 CapabilityStatement (JSON)."""
    return json.dumps(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2026-11-21",
            "kind": "instance",
            "software": {"name": "Gateway for medical imaging reports", "version": __version__},
            "implementation": {"description": "Intake of imaging reports and orders"},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "rest": [
                {
                    "mode": "server",
                    "interaction": [{"code": "transaction"}],
                    "resource": [
                        {"type": kind, "interaction": [{"code": "create"}]}
                        for kind in ("DiagnosticReport", "ServiceRequest")
                    ],
                }
            ],
        },
        ensure_ascii=False,
    ).encode()
