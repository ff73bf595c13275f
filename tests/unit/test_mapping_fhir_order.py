"""A FHIR ServiceRequest without report → the canonical order that an ORM of the same exam gives."""

import pytest

from gateway.fhir import FhirError, read
from gateway.mapping.fhir_order import STATUSES, orders
from gateway.model.order import ImagingOrder, MappedOrder, OrderStatus, order_keys
from tests.fhir_cases import Change, Json, bundle, encode, profile, resource, setting, url, without

_KNOWN = {"coding": [{"system": "urn:oid:1.2.250.1.215.300.1", "code": "ACQH004"}]}
_LAB = [{"coding": [{"system": "http://snomed.info/sct", "code": "108252007"}]}]


def asked(*changes: Change) -> Json:
    """The Bundle of the report before there is one: patient, people, order, study."""
    return bundle(without("DiagnosticReport"), without("Observation"), *changes)


def mapped(*changes: Change) -> tuple[MappedOrder, ...]:
    return orders(read(encode(asked(*changes))), profile())


def order(*changes: Change) -> ImagingOrder:
    (one,) = mapped(*changes)
    assert one.order is not None, one.findings
    return one.order


def codes(*changes: Change) -> list[tuple[str, str]]:
    return [(note.code, note.location) for one in mapped(*changes) for note in one.findings]


@pytest.mark.req("REQ-64")
def test_an_order_by_itself_is_taken_with_its_numbers_people_and_exam() -> None:
    found = order()
    assert found.status is OrderStatus.COMPLETED
    assert order_keys(found) == (
        "accession:105234751^1.2.250.1.925.994044785528.27",
        "placer:984375862^1.2.250.1.748.12345678.12",
        "filler:CR-2021-000042^1.2.250.1.925.994044785528.30",
        "study:1.2.250.1.925.994044.27.123.1876360",
    )
    assert found.patient.ins is not None
    assert found.requester is not None
    assert (found.requester.id, found.requester.family) == ("801234567897", "DUPONT")
    assert found.reason == "Céphalées persistantes"
    (act,) = found.acts
    assert act.ccam is not None
    assert (act.ccam.code, [one.code for one in act.modalities]) == ("ACQH004", ["CT"])


def test_a_bare_request_with_what_it_contains() -> None:
    tree = asked()
    request = resource(tree, "ServiceRequest")
    patient = resource(tree, "Patient") | {"id": "p"}
    bare = request | {"contained": [patient], "subject": {"reference": "#p"}, "requester": None}
    bare.pop("requester")
    (one,) = orders(read(encode(bare)), profile())
    assert one.order is not None, one.findings
    assert one.order.patient.birth_family == "PAT-TROIS"


@pytest.mark.parametrize("said", STATUSES)
def test_what_its_status_says(said: str) -> None:
    assert order(setting("ServiceRequest", status=said)).status is STATUSES[said]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"status": "draft"}, "status"),
        ({"status": "unknown"}, "status"),
        ({"intent": "proposal"}, "intent"),
        ({"intent": "plan"}, "intent"),
    ],
)
def test_what_asks_for_nothing_yet_is_refused(fields: dict[str, str], place: str) -> None:
    ((code, location),) = codes(setting("ServiceRequest", **fields))
    assert (code, location.rpartition(".")[2]) == ("ORDER-UNSERVED", place)


def test_an_order_of_another_service_is_refused() -> None:
    assert codes(setting("ServiceRequest", category=_LAB, code=_KNOWN)) == []
    local = {"coding": [{"system": "urn:oid:1.2.3", "code": "NFS"}], "text": "Numération"}
    for category in (_LAB, None):
        found = codes(setting("ServiceRequest", category=category, code=local))
        assert [code for code, _ in found] == ["NOT-IMAGING"]


def test_what_the_requester_wants_to_know_is_told_by_the_type_of_his_notes() -> None:
    def note(kind: str, text: str) -> Json:
        system = "https://interop.esante.gouv.fr/ig/fhir/document-core/StructureDefinition/fr-note-type"
        return {"extension": [{"url": system, "valueCode": kind}], "text": text}

    found = order(
        setting(
            "ServiceRequest",
            priority="asap",
            note=[
                note("finaliteExamen", "Lésion ?"),
                note("justificationDemande", "Chute"),
                {"text": "2018"},
            ],
        )
    )
    assert (found.question, found.history, found.priority) == ("Lésion ?", "2018", "A")
    assert found.reason == "Céphalées persistantes\nChute"


def test_the_study_that_it_announces_is_no_order_number() -> None:
    uid = {"system": "urn:dicom:uid", "value": "urn:oid:1.2.250.1.99.1"}
    found = order(without("ImagingStudy"), setting("ServiceRequest", identifier=[uid]))
    assert order_keys(found) == ("study:1.2.250.1.99.1",)


def test_an_order_without_any_number_is_refused() -> None:
    found = codes(without("ImagingStudy"), setting("ServiceRequest", identifier=None))
    assert found == [("ORDER-NUMBER-MISSING", "Bundle.entry[6].resource.identifier")]


def test_the_appointment_and_what_is_wanted_without_a_study() -> None:
    found = order(
        without("ImagingStudy"),
        setting(
            "ServiceRequest",
            occurrenceDateTime="2021-01-08T10:25:00+01:00",
            orderDetail=[{"coding": [{"system": "urn:oid:1.2.840.10008.2.16.4", "code": "MR"}]}],
        ),
    )
    (act,) = found.acts
    assert act.start is not None
    assert act.start.isoformat() == "2021-01-08T10:25:00+01:00"
    assert [one.code for one in act.modalities] == ["MR"]


def test_an_order_is_said_when_its_bundle_was_made() -> None:
    def unstamped(tree: Json) -> None:
        del tree["timestamp"]

    updated = setting("ServiceRequest", meta={"lastUpdated": "2021-01-07T08:00:00+01:00"})
    assert [one.said_at and one.said_at.isoformat() for one in (order(), order(unstamped, updated))] == [
        "2021-01-08T11:17:05+01:00",
        "2021-01-07T08:00:00+01:00",
    ]
    assert order(unstamped).said_at is None


def test_an_order_that_replaces_another_leaves_it_to_say_that_it_is_revoked() -> None:
    def second(tree: Json) -> None:
        first = resource(tree, "ServiceRequest")
        later = first | {
            "identifier": [{"value": "2"}],
            "replaces": [{"reference": url(tree, "ServiceRequest")}],
        }
        first["status"] = "revoked"
        tree["entry"].append({"fullUrl": "urn:uuid:0-2", "resource": later})

    found = [one.order.status for one in mapped(second) if one.order is not None]
    assert found == [OrderStatus.CANCELLED, OrderStatus.COMPLETED]


def test_every_value_of_the_bundle_is_read_ignored_or_kept() -> None:
    (one,) = mapped()
    assert "Bundle.entry[6].resource.identifier[0].value" in one.coverage.mapped
    paths = {entry.path for entry in one.provenance}
    assert {"status", "placer", "accession", "requester", "acts[0].ccam", "reason"} <= paths


def test_neither_report_nor_order_is_refused() -> None:
    with pytest.raises(FhirError) as refused:
        read(encode(asked(without("ServiceRequest"))))
    assert [one.code for one in refused.value.findings] == ["FHIR-NO-REPORT"]
