"""What FHIR says of an exam beside its narrative: place, side, products, doses, the patient's state."""

from typing import Any

import pytest

from gateway.mapping.fhir_content import NOTE, NOTE_TYPE
from gateway.model.imaging import ContraIndication, Quantity
from gateway.model.report import ImagingReport, SectionKind
from tests.fhir_cases import Change, Json, mapped, resource, setting, url

LOINC, SNOMED, DCM = (
    "http://loinc.org",
    "http://snomed.info/sct",
    "http://dicom.nema.org/resources/ontology/DCM",
)


def report(*changes: Change) -> ImagingReport:
    made = mapped(*changes).report
    assert made is not None
    return made


def coded(system: str, code: str, display: str = "") -> Json:
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}


def result(code: Json, **value: Any) -> Change:
    """One more Observation among the results of the report."""

    def change(tree: Json) -> None:
        number = len(tree["entry"])
        patient = {"reference": url(tree, "Patient")}
        node = {"resourceType": "Observation", "status": "final", "code": code, "subject": patient, **value}
        tree["entry"].append({"fullUrl": f"urn:uuid:more-{number}", "resource": node})
        resource(tree, "DiagnosticReport")["result"].append({"reference": f"urn:uuid:more-{number}"})

    return change


@pytest.mark.req("REQ-27", "REQ-28")
def test_a_body_site_is_a_site_with_its_region_and_the_series_tell_the_side() -> None:
    (act,) = report(
        setting("ServiceRequest", bodySite=[coded(SNOMED, "361291001")]),
        setting(
            "ImagingStudy",
            series=[
                {
                    "uid": "1.2.3",
                    "modality": {"code": "MR"},
                    "laterality": {"system": SNOMED, "code": "419161000"},
                }
            ],
        ),
    ).acts
    assert [one.code for one in act.sites] == ["361291001"]
    assert [one.code for one in act.regions] == ["61685007"]
    assert act.laterality is not None
    assert act.laterality.code == "7771000"


def test_series_of_both_sides_tell_no_one_side() -> None:
    series = [
        {"uid": f"1.2.{side}", "modality": {"code": "MR"}, "laterality": {"code": side}}
        for side in ("7771000", "24028007")
    ]
    (act,) = report(setting("ImagingStudy", series=series)).acts
    assert act.laterality is None


def test_a_dose_is_no_narrative_alone_or_as_components() -> None:
    alone = result(
        coded(DCM, "113813", "PDL"), valueQuantity={"value": 905.5, "unit": "mGy·cm", "code": "mGy.cm"}
    )
    parts = [{"code": coded(DCM, "113830"), "valueQuantity": {"value": 13.64, "unit": "mGy"}}]
    made = report(alone, result(coded(LOINC, "73569-6", "Exposition"), component=parts))
    exposure = made.acts[0].exposure
    assert exposure is not None
    assert [(one.code.code, one.quantity) for one in exposure.doses] == [
        ("113813", Quantity(value="905.5", unit="mGy.cm")),
        ("113830", Quantity(value="13.64", unit="mGy")),
    ]
    assert [one.text for one in made.sections] == [one.text for one in report().sections]


def test_a_measure_that_is_no_dose_of_the_list_stays_in_the_results() -> None:
    made = report(result({"text": "Diamètre"}, valueQuantity={"value": 12, "unit": "mm"}))
    assert any("Diamètre : 12 mm" in one.text for one in made.sections)
    assert made.acts[0].exposure is None


def administered(**fields: Any) -> Change:
    def change(tree: Json) -> None:
        node = {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "subject": {"reference": url(tree, "Patient")},
            "effectiveDateTime": "2021-01-08T10:25:00+01:00",
            **fields,
        }
        tree["entry"].append({"fullUrl": f"urn:uuid:given-{len(tree['entry'])}", "resource": node})

    return change


def test_what_was_administered_is_a_product_or_a_radiopharmaceutical_by_its_atc_code() -> None:
    atc = "http://www.whocc.no/atc"
    route = coded("urn:oid:0.4.0.127.0.16.1.1.2.1", "20045000", "Voie intraveineuse")
    (act,) = report(
        administered(
            medicationCodeableConcept=coded(atc, "V08AB11", "Iobitridol"),
            dosage={"route": route, "dose": {"value": 80, "unit": "mL", "code": "mL"}},
            note=[{"text": "Bien toléré."}],
        ),
        administered(medicationCodeableConcept=coded(atc, "V09IX04", "Fludésoxyglucose (18F)")),
        administered(status="entered-in-error", medicationCodeableConcept={"text": "erreur"}),
    ).acts
    (contrast,) = act.products
    assert (contrast.label, contrast.quantity, contrast.comment) == (
        "Iobitridol",
        Quantity(value="80", unit="mL"),
        "Bien toléré.",
    )
    assert contrast.route is not None
    assert contrast.route.code == "20045000"
    assert [one.label for one in act.radiopharmaceuticals] == ["Fludésoxyglucose (18F)"]


def test_a_product_given_to_somebody_else_is_an_error() -> None:
    def other(tree: Json) -> None:
        stranger = {"resourceType": "Patient", "name": [{"family": "AUTRE"}]}
        tree["entry"].append({"fullUrl": "urn:uuid:stranger", "resource": stranger})

    given = administered(medicationCodeableConcept={"text": "x"}, subject={"reference": "urn:uuid:stranger"})
    assert "SUBJECT-MISMATCH" in {one.code for one in mapped(other, given).findings}


def test_pregnancy_and_contra_indications_are_no_narrative() -> None:
    terms = "urn:oid:1.2.250.1.213.1.1.4.322"
    made = report(
        result(coded(LOINC, "82810-3"), valueCodeableConcept=coded(LOINC, "LA26683-5", "Not pregnant")),
        result(coded(LOINC, "64100-1"), valueCodeableConcept=coded(terms, "MED-1109", "Claustrophobe")),
        result(coded(LOINC, "64100-1"), valueString="Ne supporte pas le bruit"),
    )
    assert made.pregnancy is not None
    assert made.pregnancy.code == "60001007"
    first, second = made.contraindications
    assert first.code is not None
    assert (first.code.code, first.code.system) == ("MED-1109", "1.2.250.1.213.1.1.4.322")
    assert second == ContraIndication(comment="Ne supporte pas le bruit")
    assert [one.text for one in made.sections] == [one.text for one in report().sections]


def test_devices_are_those_of_the_procedure_of_the_study() -> None:
    def equipped(tree: Json) -> None:
        procedure = {
            "resourceType": "Procedure",
            "status": "completed",
            "subject": {"reference": url(tree, "Patient")},
            "usedReference": [{"reference": "urn:uuid:device"}],
        }
        device = {
            "resourceType": "Device",
            "deviceName": [{"name": "Scanner 64", "type": "model-name"}],
            "udiCarrier": [{"deviceIdentifier": "1234567896363"}],
        }
        tree["entry"].append({"fullUrl": "urn:uuid:procedure", "resource": procedure})
        tree["entry"].append({"fullUrl": "urn:uuid:device", "resource": device})
        resource(tree, "ImagingStudy")["procedureReference"] = {"reference": "urn:uuid:procedure"}

    (device,) = report(equipped).devices
    assert device.label == "Scanner 64"
    assert device.udi is not None
    assert device.udi.value == "1234567896363"


def test_addenda_keep_their_authors_and_times() -> None:
    def amended(tree: Json) -> None:
        author = {"reference": url(tree, "Practitioner", 1)}
        resource(tree, "DiagnosticReport")["extension"] = [
            {
                "url": NOTE,
                "valueAnnotation": {
                    "extension": [{"url": NOTE_TYPE, "valueCodeableConcept": coded(LOINC, "55107-7")}],
                    "authorReference": author,
                    "time": time,
                    "text": text,
                },
            }
            for time, text in (
                ("2021-01-09T09:00:00+01:00", "Relu."),
                ("2021-01-10T09:00:00+01:00", "Complété."),
            )
        ]

    found = [one for one in report(amended).sections if one.kind is SectionKind.ADDENDUM]
    assert [one.text for one in found] == ["Relu.", "Complété."]
    assert all(one.author is not None and one.author.family for one in found)
    assert [one.authored_at and one.authored_at.day for one in found] == [9, 10]
