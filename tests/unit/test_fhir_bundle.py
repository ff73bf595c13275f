"""References are resolved inside the Bundle, in each of their forms, nowhere else (REQ-05, REQ-07)."""

import pytest

from gateway.fhir import Node, ReportBundle
from gateway.fhir.bundle import bundle_identifier
from gateway.fhir.node import leaves

BASE = "http://ris.example/fhir"
TREE = {
    "resourceType": "Bundle",
    "type": "collection",
    "identifier": {"system": "urn:oid:1.2.3", "value": "M1"},
    "entry": [
        {
            "fullUrl": f"{BASE}/DiagnosticReport/r1",
            "resource": {
                "resourceType": "DiagnosticReport",
                "id": "r1",
                "contained": [{"resourceType": "Practitioner", "id": "p9"}],
            },
        },
        {"fullUrl": f"{BASE}/Patient/p1", "resource": {"resourceType": "Patient", "id": "p1"}},
        {
            "fullUrl": "http://other.example/fhir/Patient/p1",
            "resource": {"resourceType": "Patient", "id": "p1"},
        },
        {
            "fullUrl": "urn:uuid:0d0a7f0e-0000-4000-8000-000000000001",
            "resource": {
                "resourceType": "Practitioner",
                "id": "d1",
                "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": "01234560801"}],
            },
        },
        {"fullUrl": f"{BASE}/Binary/b1"},
    ],
}


def resolved(reference: dict[str, object]) -> str:
    """Path of what a reference written in the report leads to, "" for nothing."""
    bundle = ReportBundle(TREE)
    report = bundle.at(0, set())
    found = bundle.resolve(Node(reference, f"{report.path}.subject", report.reads, report))
    return found.path if found is not None else ""


RPPS = {"system": "https://rpps.esante.gouv.fr", "value": "01234560801"}


@pytest.mark.req("REQ-05")
@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ({"reference": f"{BASE}/Patient/p1"}, "Bundle.entry[1].resource"),
        ({"reference": "http://other.example/fhir/Patient/p1"}, "Bundle.entry[2].resource"),
        ({"reference": "Patient/p1"}, "Bundle.entry[1].resource"),  # relative to the fullUrl that cites
        ({"reference": "Patient/p1/_history/3"}, "Bundle.entry[1].resource"),
        ({"reference": "urn:uuid:0d0a7f0e-0000-4000-8000-000000000001"}, "Bundle.entry[3].resource"),
        ({"reference": "Practitioner/d1"}, "Bundle.entry[3].resource"),  # by type and id
        ({"reference": "#p9"}, "Bundle.entry[0].resource.contained[0]"),
        ({"reference": "#"}, "Bundle.entry[0].resource"),
        (
            {"reference": "Practitioner?identifier=https://rpps.esante.gouv.fr|01234560801"},
            "Bundle.entry[3].resource",
        ),
        ({"type": "Practitioner", "identifier": RPPS}, "Bundle.entry[3].resource"),
        ({"identifier": RPPS}, "Bundle.entry[3].resource"),
        ({"type": "Patient", "identifier": RPPS}, ""),
        ({"reference": "#none"}, ""),
        ({"reference": "Patient/none"}, ""),
        ({"reference": f"{BASE}/Binary/b1"}, ""),  # an entry without resource
        ({"reference": "https://canary.example/Patient/1"}, ""),
        ({"reference": "Practitioner/d1x", "identifier": RPPS}, "Bundle.entry[3].resource"),
        ({"reference": "Practitioner/d1x"}, ""),
        ({"display": "Dr X"}, ""),
        ({}, ""),
    ],
)
def test_resolution(reference: dict[str, object], path: str) -> None:
    assert resolved(reference) == path


def test_the_bundle_identifier_is_the_message_id() -> None:
    found = bundle_identifier(ReportBundle(TREE), set())
    assert found is not None
    assert (found.system, found.value) == ("1.2.3", "M1")


def test_reading_marks_the_path_and_a_missing_element_is_no_place() -> None:
    reads: set[str] = set()
    report = ReportBundle(TREE).at(0, reads)
    assert report.text("id") == "r1"
    assert report.text("contained", "id") == "p9"
    assert report.text("code", "coding", "code") == ""
    assert not report.get("code", "coding")
    assert reads == {"Bundle.entry[0].resource.id", "Bundle.entry[0].resource.contained[0].id"}


def test_leaves_are_all_primitive_values_in_document_order() -> None:
    value = {"a": 1, "b": [{"c": None, "d": False}, "x"], "e": []}
    assert list(leaves(value, "R")) == [("R.a", 1), ("R.b[0].d", False), ("R.b[1]", "x")]
