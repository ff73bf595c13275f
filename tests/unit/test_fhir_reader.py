"""What `fhir.read` takes, and how it refuses the rest: by findings, never by a crash (REQ-04, REQ-09)."""

import json

import pytest

from gateway.fhir import FhirError, read
from gateway.model.findings import Finding
from tests.fhir_cases import Json, bundle, encode, resource, setting

REPORT = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}}


def refusal(body: bytes, content_type: str = "application/fhir+json") -> tuple[Finding, ...]:
    with pytest.raises(FhirError) as caught:
        read(body, content_type)
    return caught.value.findings


def refused(body: bytes, content_type: str = "application/fhir+json") -> tuple[str, str, str]:
    (found, *_) = refusal(body, content_type)
    return found.code, found.location, found.detail


# --- taken


@pytest.mark.req("REQ-04")
@pytest.mark.parametrize("kind", ["transaction", "batch", "collection", "document", "message"])
def test_every_kind_of_bundle_that_carries_a_report_is_read(kind: str) -> None:
    found = read(encode(bundle(lambda tree: tree.update(type=kind))))
    assert (found.kind, found.bare, found.reports) == (kind, False, (10,))


@pytest.mark.req("REQ-04")
def test_a_bare_report_is_read() -> None:
    found = read(encode(REPORT))
    assert (found.kind, found.bare, found.reports) == ("", True, (-1,))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/fhir+json",
        "application/fhir+json; charset=utf-8; fhirVersion=4.0",
        "application/fhir+json;fhirVersion=4.3",
        "application/json",
        "",
    ],
)
def test_json_media_types(content_type: str) -> None:
    assert read(encode(REPORT), content_type).bare


def test_a_byte_order_mark_is_taken() -> None:
    assert read(b"\xef\xbb\xbf" + encode(REPORT)).bare


def test_an_entry_without_resource_is_taken() -> None:
    # Published EU example: the last entry announces the fullUrl of a Binary and holds nothing.
    tree = bundle(
        lambda tree: tree["entry"].append({"fullUrl": "urn:uuid:00000000-0000-4000-8000-00000000ffff"})
    )
    assert read(encode(tree)).reports == (10,)


def test_a_report_that_another_one_cites_is_background() -> None:
    def with_prior(tree: Json) -> None:
        prior = dict(resource(tree, "DiagnosticReport"), id="prior", conclusion="Ancien.")
        tree["entry"].append({"fullUrl": "urn:uuid:00000042-0000-4000-8000-000000000099", "resource": prior})
        resource(tree, "DiagnosticReport")["extension"] = [
            {
                "url": "http://example.org/comparison",
                "valueReference": {"reference": tree["entry"][-1]["fullUrl"]},
            }
        ]

    assert read(encode(bundle(with_prior))).reports == (10,)


# --- media type and syntax


@pytest.mark.req("REQ-09")
@pytest.mark.parametrize("content_type", ["application/fhir+xml", "application/fhir+json", "application/xml"])
def test_xml_is_refused_as_a_media_type(content_type: str) -> None:
    assert refused(b'<Bundle xmlns="http://hl7.org/fhir"/>', content_type)[0] == "FHIR-MEDIA-TYPE"
    assert refused(b"\n <Bundle/>", content_type)[2] == "XML"


@pytest.mark.parametrize(
    "content_type", ["text/html", "application/octet-stream", "application/json; charset=iso-8859-1"]
)
def test_other_media_types_and_character_sets_are_refused(content_type: str) -> None:
    assert refused(encode(REPORT), content_type)[0] == "FHIR-MEDIA-TYPE"


@pytest.mark.parametrize(
    ("body", "place", "detail"),
    [
        (b"", "line 1, column 1", "not JSON"),
        (b'{"resourceType": ', "line 1, column 18", "not JSON"),
        (b"MSH|^~\\&|", "line 1, column 1", "not JSON"),
        (b'{"resourceType":"Patient","resourceType":"Patient"}', "", "the key resourceType stands twice"),
        (b"[" * 100_000, "", "nested too deeply"),
        (b'{"a":' * 100_000, "", "nested too deeply"),
        (b'{"resourceType":"Patient","a":' + b"[" * 80 + b"]" * 80 + b"}", "", "more than 64 levels"),
        (b"[]", "", "no resourceType"),
        (b'"text"', "", "no resourceType"),
        (b'{"resourceType": 5}', "", "no resourceType"),
        (b'{"resourceType":"DiagnosticReport","x":NaN}', "", "a number out of range"),
        (b'{"resourceType":"DiagnosticReport","x":' + b"9" * 5000 + b"}", "", "a number out of range"),
        (b"\xff\xfe{", "", "not UTF-8"),
        (b'{"resourceType":"DiagnosticReport","x":"\\uD83d"}', "", "half a character (a lone surrogate)"),
        (b'{"resourceType":"\xe9"}', "", "not UTF-8"),
    ],
)
def test_what_is_no_json_resource_is_syntax(body: bytes, place: str, detail: str) -> None:
    assert refused(body) == ("FHIR-SYNTAX", place, detail)


# --- version


@pytest.mark.req("REQ-04")
@pytest.mark.parametrize("version", ["5.0", "3.0", "1.0"])
def test_the_mime_parameter_decides_the_version(version: str) -> None:
    found = refused(encode(REPORT), f"application/fhir+json; fhirVersion={version}")
    assert found == ("FHIR-VERSION", "", f"fhirVersion {version}")


@pytest.mark.req("REQ-04")
@pytest.mark.parametrize(
    ("fields", "element", "version"),
    [
        ({"performer": [{"actor": {"reference": "Practitioner/1"}}]}, "performer.actor", "STU3"),
        ({"category": {"text": "RAD"}}, "category", "STU3"),
        ({"codedDiagnosis": []}, "codedDiagnosis", "STU3"),
        ({"context": {"reference": "Encounter/1"}}, "context", "STU3"),
        ({"study": [{"reference": "ImagingStudy/1"}]}, "study", "R5"),
        ({"note": [{"text": "x"}]}, "note", "R5"),
        ({"composition": {"reference": "Composition/1"}}, "composition", "R5"),
    ],
)
def test_the_shape_of_another_version_is_named(fields: Json, element: str, version: str) -> None:
    code, place, detail = refused(encode(REPORT | fields))
    assert (code, place) == ("FHIR-VERSION", f"DiagnosticReport.{element}")
    assert detail.startswith(version)


@pytest.mark.parametrize(
    ("other", "version"),
    [
        ({"resourceType": "ImagingStudy", "modality": [{"coding": [{"code": "CT"}]}]}, "R5"),
        ({"resourceType": "ImagingStudy", "uid": "urn:oid:1.2.3"}, "STU3"),
        ({"resourceType": "ServiceRequest", "code": {"concept": {"text": "x"}}}, "R5"),
        ({"resourceType": "Encounter", "class": [{"text": "x"}]}, "R5"),
        ({"resourceType": "ProcedureRequest"}, "STU3"),
    ],
)
def test_the_shape_is_looked_for_in_every_resource(other: Json, version: str) -> None:
    tree = bundle(lambda tree: tree["entry"].append({"resource": other}))
    code, place, detail = refused(encode(tree))
    assert code == "FHIR-VERSION"
    assert place.startswith("Bundle.entry[11].resource.")
    assert detail.startswith(version)


# --- model


@pytest.mark.parametrize("kind", ["FooType", "HumanName", "MedicinalProduct", "", "../x", "Bundle.entry"])
def test_an_unknown_resource_type_is_a_finding_not_a_keyerror(kind: str) -> None:
    tree = bundle(lambda tree: tree["entry"].append({"resource": {"resourceType": kind}}))
    assert refused(encode(tree))[:2] == ("FHIR-INVALID", "Bundle.entry[11].resource.resourceType")


def test_an_unknown_contained_resource_is_found_too() -> None:
    tree = bundle(setting("DiagnosticReport", contained=[{"resourceType": "Foo", "id": "1"}]))
    assert refused(encode(tree))[1] == "Bundle.entry[10].resource.contained[0].resourceType"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (setting("DiagnosticReport", foo=1), "Bundle.entry[10].resource.foo"),
        (setting("DiagnosticReport", code=None), "Bundle.entry[10].resource.code"),
        (setting("DiagnosticReport", issued="2021-01-08T11:17:00"), "Bundle.entry[10].resource.issued"),
        (setting("Patient", birthDate="28/03/1979"), "Bundle.entry[0].resource.birthDate"),
        (lambda tree: tree.update(entry=5), "Bundle.entry"),
        (lambda tree: tree.update(type="searchset"), "Bundle.type"),
        (lambda tree: tree.update(type=["x"]), "Bundle.type"),
        (
            lambda tree: tree["entry"][10]["request"].update(method="DELETE"),
            "Bundle.entry[10].request.method",
        ),
    ],
)
def test_what_breaks_the_model_is_told_by_its_fhirpath(change: object, place: str) -> None:
    assert callable(change)
    assert refused(encode(bundle(change)))[:2] == ("FHIR-INVALID", place)


def test_findings_never_quote_a_value() -> None:
    tree = bundle(
        setting("Patient", birthDate="SECRET-DATE"), setting("DiagnosticReport", issued="SECRET-TIME")
    )
    found = refusal(encode(tree))
    assert len(found) == 2
    assert "SECRET" not in " ".join(str(one) for one in found)


def test_there_is_no_end_of_findings_for_a_hostile_bundle() -> None:
    tree = bundle(
        lambda tree: tree["entry"].extend({"resource": {"resourceType": "Foo"}} for _ in range(1000))
    )
    assert len(refusal(encode(tree))) == 50


@pytest.mark.parametrize("kind", ["Patient", "ImagingStudy", "OperationOutcome"])
def test_a_resource_that_is_no_report(kind: str) -> None:
    body = json.dumps({"resourceType": kind}).encode()
    found = refusal(body)
    assert found[0].code in ("FHIR-NO-REPORT", "FHIR-INVALID")


def test_a_bundle_without_report() -> None:
    tree = {"resourceType": "Bundle", "type": "collection", "entry": []}
    assert refused(encode(tree))[:2] == ("FHIR-NO-REPORT", "Bundle")
