"""Why an exam is asked for (words, codes) and allergies: from HL7 v2 and FHIR to report, order, CDA, page."""

from typing import Any

import pytest
from lxml import etree

from gateway import cda, hl7v2, pdf
from gateway.mapping.hl7_order import orders
from gateway.model.base import replace
from gateway.model.imaging import ContraIndication
from gateway.model.order import ImagingOrder
from gateway.model.report import ImagingReport
from gateway.model.terms import ATC, CIM10, CISIS_TERMS, SNOMED_CT, Code
from tests import fhir_cases
from tests.fhir_cases import Change, Json, setting, url
from tests.reports import VERSION
from tests.support import FIXTURES
from tests.unit.mapping_messages import ORU, mapped, profile, report, with_field

ORM = (FIXTURES / "hl7v2" / "orm_zds.er7").read_bytes().decode()
NS = {"c": "urn:hl7-org:v3"}
HEADACHE = Code(code="R51", system=CIM10, display="Céphalée")
IODINE = Code(code="MED-1105", system=CISIS_TERMS, display="Hypersensibilité au PDC iodé")
ICD_10 = "http://hl7.org/fhir/sid/icd-10"


def with_head(*segments: str, message: str = ORU) -> str:
    """`message` with further segments between the patient and the order."""
    head, order = message.split("ORC|", 1)
    return head + "".join(f"{one}\r" for one in segments) + "ORC|" + order


def order(message: str) -> ImagingOrder:
    (made,) = orders(hl7v2.read(message.encode()), profile())
    assert made.order is not None
    return made.order


# --- reasons


@pytest.mark.req("REQ-28")
def test_a_reason_of_cim_10_keeps_its_code_and_says_it_in_words() -> None:
    (asked,) = report(with_field("OBR", 31, "R51^Céphalée^I10")).orders
    assert (asked.reason, asked.reasons) == ("Céphalée", (HEADACHE,))


def test_every_repetition_counts_and_a_code_of_an_unknown_system_is_words() -> None:
    (asked,) = report(with_field("OBR", 31, "R51^Céphalée^I10~XX1^Vertiges^L~25064002^Céphalée^SCT")).orders
    assert asked.reason == "Céphalée\nVertiges"
    assert [(one.code, one.system) for one in asked.reasons] == [("R51", CIM10), ("25064002", SNOMED_CT)]


def test_a_code_alone_is_no_words_and_the_next_place_is_looked_at() -> None:
    (asked,) = report(with_field("OBR", 13, "Fièvre", with_field("OBR", 31, "R51^^I10"))).orders
    assert asked.reason == "Fièvre"
    assert [one.code for one in asked.reasons] == ["R51"]


@pytest.mark.req("REQ-64")
def test_the_diagnosis_of_an_order_is_its_reason_with_the_system_of_dg1_2() -> None:
    silent = with_field("OBR", 31, "", ORM).rstrip("\r")
    made = order(silent + "\rDG1|1|I10|R51^Céphalée|||W\r")
    assert (made.reason, made.reasons) == ("Céphalée", (HEADACHE,))


def test_a_diagnosis_of_the_stay_is_no_reason_of_the_exam() -> None:
    """A disease that has nothing to do with the exam must not reach everybody who reads the report."""
    stay = "DG1|1|I10|B24^Immunodéficience|||A"
    assert order(with_head(stay, message=ORM)).reasons == ()
    (asked,) = report(with_head(stay)).orders
    assert (asked.reasons, "Immuno" in asked.reason) == ((), False)


def test_provenance_and_coverage_name_the_fields() -> None:
    asked = with_field("OBR", 31, "R51^Céphalée^I10")
    made = mapped(with_head("AL1|1|DA|V08AB02^Iohexol^ATC|SV|Urticaire", message=asked))
    sources = {one.path: (one.source, one.rule) for one in made.provenance}
    assert sources["orders[0].reasons[0]"] == ("OBR-31.1", "")
    assert sources["contraindications[0]"] == ("AL1-3", "allergy.csv:V08A")
    assert {"OBR-31", "AL1-2", "AL1-3", "AL1-4", "AL1-5"} <= set(made.coverage.mapped)


# --- allergies


@pytest.mark.parametrize(
    ("segment", "stated"),
    [
        (
            "AL1|1|DA|V08AB02^Iohexol^ATC|SV|Urticaire~Œdème",
            ContraIndication(
                code=IODINE,
                comment="Allergie médicamenteuse : Iohexol ; sévérité : sévère ; réaction : Urticaire, Œdème",
            ),
        ),
        (
            "AL1|1|DA|^Produit de contraste iodé",
            ContraIndication(code=IODINE, comment="Allergie médicamenteuse : Produit de contraste iodé"),
        ),
        (
            "AL1|1|DA|J01CA04^Amoxicilline^ATC|MO",
            ContraIndication(
                code=Code(code="J01CA04", system=ATC, display="Amoxicilline"),
                comment="Allergie médicamenteuse ; sévérité : modérée",
            ),
        ),
        ("AL1|1|FA|^Arachide|U", ContraIndication(comment="Allergie alimentaire : Arachide")),
        ("AL1|1||IODE", ContraIndication(comment="Allergie : IODE")),
        (
            "AL1|1|MC|MED-1117^Patient porteur de Pacemaker",
            ContraIndication(
                code=Code(code="MED-1117", system=CISIS_TERMS, display="Patient porteur de Pacemaker"),
                comment="Contre-indication",
            ),
        ),
    ],
)
@pytest.mark.req("REQ-28")
def test_an_allergy_is_a_contra_indication(segment: str, stated: ContraIndication) -> None:
    assert report(with_head(segment)).contraindications == (stated,)
    assert order(with_head(segment, message=ORM)).contraindications == (stated,)


def test_an_allergy_follows_the_contra_indications_of_the_observations() -> None:
    observed = "OBX|9|CWE|64100-1^Contre-indication^LN||^Claustrophobie||||||F"
    made = report(with_head("AL1|1|FA|^Arachide", message=ORU.rstrip("\r") + f"\r{observed}\r"))
    assert [one.comment for one in made.contraindications] == [
        "Claustrophobie",
        "Allergie alimentaire : Arachide",
    ]


def test_an_empty_al1_states_nothing() -> None:
    assert report(with_head("AL1|1|DA||SV")).contraindications == ()


# --- FHIR says the same


def allergy(**fields: Any) -> Change:
    def change(tree: Json) -> None:
        patient = {"reference": url(tree, "Patient")}
        node = {"resourceType": "AllergyIntolerance", "patient": patient, **fields}
        tree["entry"].append({"fullUrl": f"urn:uuid:allergy-{len(tree['entry'])}", "resource": node})

    return change


def coded(system: str, code: str, display: str, text: str = "") -> Json:
    concept: Json = {"coding": [{"system": system, "code": code, "display": display}]}
    return {**concept, "text": text} if text else concept


def told(*changes: Change) -> ImagingReport:
    made = fhir_cases.mapped(*changes).report
    assert made is not None
    return made


IOHEXOL = allergy(
    category=["medication"],
    code=coded("http://www.whocc.no/atc", "V08AB02", "Iohexol"),
    reaction=[{"severity": "severe", "manifestation": [{"text": "Urticaire"}]}],
)


@pytest.mark.req("REQ-10", "REQ-28")
def test_fhir_and_hl7_of_one_exam_give_the_same_reasons_and_allergies() -> None:
    bundle = told(
        setting("ServiceRequest", reasonCode=[coded(ICD_10, "R51", "Céphalée"), {"text": "Vertiges"}]),
        IOHEXOL,
    )
    message = with_field("OBR", 31, "R51^Céphalée^I10~^Vertiges")
    from_hl7 = report(with_head("AL1|1|DA|V08AB02^Iohexol^ATC|SV|Urticaire", message=message))
    assert bundle.orders == from_hl7.orders
    assert bundle.contraindications == from_hl7.contraindications


def test_a_condition_that_the_request_names_is_a_reason() -> None:
    def condition(tree: Json) -> None:
        patient = {"reference": url(tree, "Patient")}
        node = {"resourceType": "Condition", "code": coded(ICD_10, "R51", "Céphalée"), "subject": patient}
        tree["entry"].append({"fullUrl": "urn:uuid:condition", "resource": node})

    reference = [{"reference": "urn:uuid:condition"}]
    made = told(setting("ServiceRequest", reasonCode=[], reasonReference=reference), condition)
    assert (made.orders[0].reason, made.orders[0].reasons) == ("Céphalée", (HEADACHE,))


@pytest.mark.parametrize(
    "status",
    [
        {"verificationStatus": {"coding": [{"code": "refuted"}]}},
        {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}},
        {"clinicalStatus": {"coding": [{"code": "resolved"}]}},
        {"patient": {"reference": "Patient/another"}},
    ],
)
def test_an_allergy_that_does_not_hold_or_is_of_another_patient_is_left(status: Json) -> None:
    assert told(allergy(code={"text": "Arachide"}, **status)).contraindications == ()


# --- into the documents


def body(made: ImagingReport) -> etree._Element:
    built = cda.build_n3(replace(VERSION, report=made))
    assert not [one for one in cda.check(built.data) if one.severity == "error"]
    return etree.fromstring(built.data)


def test_the_n3_carries_the_code_beside_the_words_of_the_request() -> None:
    root = body(report(with_field("OBR", 31, "R51^Céphalée^I10")))
    (request,) = root.xpath("//c:section[c:code/@code='55115-0']", namespaces=NS)
    assert " ".join("".join(request.find("c:text", NS).itertext()).split()) == "Céphalée [CIM-10 R51]"
    (value,) = request.xpath("c:entry/c:observation/c:value", namespaces=NS)
    assert (value.get("code"), value.find("c:translation", NS).attrib["code"]) == (None, "R51")
    assert value.find("c:translation", NS).attrib["codeSystem"] == CIM10


def test_the_n3_codes_an_allergy_of_the_value_set_and_says_every_other() -> None:
    message = with_head("AL1|1|DA|^PDC iodé|SV", "AL1|2|FA|^Arachide")
    root = body(report(message))
    values = root.xpath("//c:observation[c:code/@code='64100-1']/c:value", namespaces=NS)
    assert [(one.get("code"), (one.text or "").strip()) for one in values] == [
        ("MED-1105", ""),
        (None, "Allergie alimentaire : Arachide"),
    ]


def test_the_page_shows_both() -> None:
    message = with_head("AL1|1|FA|^Arachide", message=with_field("OBR", 31, "R51^^I10"))
    page = pdf.letter(replace(VERSION, report=report(message)))
    rows = dict(row for one in page.sections for block in one.blocks for row in block.rows)
    assert rows["Motif codé de la demande"] == "[CIM-10 R51]"
    assert rows["Contre-indications"] == "Allergie alimentaire : Arachide"
