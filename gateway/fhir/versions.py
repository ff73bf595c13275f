"""Which FHIR version a payload has, by its MIME parameter or its shape (spec fhir.md §7.2).

Acceptance by a model proves nothing (a Patient fits three versions), so the version is decided first.
"""

from typing import Any, NamedTuple

R4 = frozenset({"4.0", "4.0.1", "4.3", "4.3.0", "R4", "R4B"})
"""Values of the MIME parameter `fhirVersion` that are taken."""


class Marker(NamedTuple):
    """An element that exists, or has a form, in one other version only.

    `path` is read through lists; `form` is "" (present at all), "list" or "object" (JSON form of the value).
    """

    resource: str
    path: str
    version: str
    form: str = ""


MARKERS = (
    Marker("DiagnosticReport", "performer.actor", "STU3"),
    Marker("DiagnosticReport", "performer.role", "STU3"),
    Marker("DiagnosticReport", "category", "STU3", "object"),
    Marker("DiagnosticReport", "codedDiagnosis", "STU3"),
    Marker("DiagnosticReport", "image", "STU3"),
    Marker("DiagnosticReport", "context", "STU3"),
    Marker("ImagingStudy", "uid", "STU3"),
    Marker("ImagingStudy", "accession", "STU3"),
    Marker("ImagingStudy", "availability", "STU3"),
    Marker("Observation", "context", "STU3"),
    Marker("Observation", "related", "STU3"),
    Marker("Patient", "animal", "STU3"),
    Marker("DiagnosticReport", "study", "R5"),
    Marker("DiagnosticReport", "note", "R5"),
    Marker("DiagnosticReport", "supportingInfo", "R5"),
    Marker("DiagnosticReport", "composition", "R5"),
    Marker("ImagingStudy", "modality.coding", "R5"),
    Marker("ImagingStudy", "series.modality.coding", "R5"),
    Marker("ServiceRequest", "code.concept", "R5"),
    Marker("ServiceRequest", "reason", "R5"),
    Marker("Encounter", "class", "R5", "list"),
    Marker("Encounter", "actualPeriod", "R5"),
    Marker("Composition", "identifier", "R5", "list"),
    Marker("Observation", "triggeredBy", "R5"),
)

FOREIGN_TYPES = {
    "DiagnosticOrder": "DSTU2",
    "DiagnosticRequest": "STU3",
    "ProcedureRequest": "STU3",
    "ReferralRequest": "STU3",
    "ImagingManifest": "STU3",
    "ImagingSelection": "R5",
    "GenomicStudy": "R5",
    "Transport": "R5",
}
"""Resource types that R4 does not have, with a version that has them."""


def foreign(resource: dict[str, Any]) -> tuple[str, str]:
    """(version, element) that show `resource` to be of another FHIR version, ("", "") when none does."""
    kind = str(resource.get("resourceType"))
    if kind in FOREIGN_TYPES:
        return FOREIGN_TYPES[kind], "resourceType"
    for marker in MARKERS:
        if marker.resource == kind and _present(resource, marker):
            return marker.version, marker.path
    return "", ""


def _present(resource: dict[str, Any], marker: Marker) -> bool:
    *parents, last = marker.path.split(".")
    level: list[Any] = [resource]
    for name in parents:
        children = (item.get(name) for item in level if isinstance(item, dict))
        level = [one for child in children for one in (child if isinstance(child, list) else [child])]
    values = [item[last] for item in level if isinstance(item, dict) and last in item]
    forms = {"": object, "list": list, "object": dict}
    return any(isinstance(value, forms[marker.form]) for value in values)
