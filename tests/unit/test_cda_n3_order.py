"""The imaging order as a document (IMG-DA-IMG 2024.01)."""

import pytest
from lxml import etree

from gateway import cda
from gateway.cda.order_plan import wanted_modality
from gateway.model.base import replace
from gateway.model.order import ImagingOrder
from gateway.model.people import Organization
from gateway.model.terms import SNOMED_CT, Code
from tests.n3_cases import ABDOMEN, CHEST_SITE, CONTRAST, KNEE
from tests.order_cases import HOUSE, IDENTITY, ORDER, ORDERS, wanted

NAMESPACES = {"h": "urn:hl7-org:v3", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
PLAN = "//h:observation[h:templateId/@root='1.2.250.1.213.1.1.3.27.3']"


def xpath(order: ImagingOrder, path: str) -> list[str]:
    root = etree.fromstring(cda.build_order(order, IDENTITY, HOUSE).data)
    return [str(item) for item in root.xpath(path, namespaces=NAMESPACES)]


@pytest.mark.req("REQ-65")
def test_an_order_is_a_document_of_its_requester_under_his_number() -> None:
    assert xpath(ORDER, "/*/h:code/@code") == ["55115-0"]
    assert xpath(ORDER, "/*/h:author/h:assignedAuthor/h:id/@extension") == ["801234567897"]
    assert xpath(ORDER, "/*/h:legalAuthenticator/h:assignedEntity/h:id/@extension") == ["801234567897"]
    assert xpath(ORDER, "/*/h:documentationOf/h:serviceEvent/h:id/@extension") == ["984375874"]
    assert xpath(ORDER, "/*/h:inFulfillmentOf") == []


def test_why_and_what_for_are_told() -> None:
    texts = xpath(ORDER, "//h:section[h:code/@code='55115-0']/h:text//text()")
    assert [text for text in texts if text.strip()] == [
        *("Justification de la demande", "Gonalgie après une chute."),
        *("Finalité de l'examen", "Lésion méniscale ?"),
    ]


def test_each_act_asked_for_has_modality_site_and_side() -> None:
    assert xpath(ORDER, f"{PLAN}/h:code/@code") == ["MR"]
    assert xpath(ORDER, f"{PLAN}/h:targetSiteCode/@code") == ["361291001"]
    assert xpath(ORDER, f"{PLAN}/h:targetSiteCode/h:qualifier/h:value/@code") == ["7771000"]


MODALITIES = {
    ("CT", False): "CT",
    ("DX", False): "MED-1126",
    ("CR", True): "MED-1127",
    ("US", False): "MED-1128",
    ("US", True): "MED-1129",
    ("MED-1127", False): "MED-1127",
    ("BMD", False): "OT",
}


@pytest.mark.parametrize("kind, contrast", MODALITIES)
def test_modalities_are_those_of_an_order(kind: str, contrast: bool) -> None:
    found = wanted_modality(wanted("x", kind, KNEE, products=(CONTRAST,) if contrast else ()))
    assert found is not None
    assert found.code == MODALITIES[kind, contrast]


def test_urgent_orders_say_so_and_refer_to_words() -> None:
    urgent = ORDERS["several acts and sites, urgent"]
    assert xpath(urgent, f"{PLAN}/h:priorityCode/@code") == ["UR"] * 3
    assert xpath(replace(urgent, priority="R"), f"{PLAN}/h:priorityCode") == []


@pytest.mark.parametrize(
    "said, value, flavor", [(True, ["true"], []), (False, ["false"], []), (None, [], ["NASK"])]
)
def test_whether_the_patient_was_told_of_risks(
    said: bool | None, value: list[str], flavor: list[str]
) -> None:
    order = replace(ORDER, informed_of_risks=said)
    path = "//h:observation[h:code/@code='MED-1130']/h:value"
    assert xpath(order, f"{path}/@value") == value
    assert xpath(order, f"{path}/@nullFlavor") == flavor


def test_a_priority_stands_in_words_beside_its_code() -> None:
    assert "Priorité : sans urgence [R]" in xpath(replace(ORDER, priority="R"), "//h:paragraph/text()")
    assert "immédiatement [S]" in xpath(replace(ORDER, priority="S"), "//h:content/text()")


def test_an_order_without_a_time_says_that_its_document_has_given_one() -> None:
    built = cda.build_order(replace(ORDER, requested_at=None), IDENTITY, HOUSE)
    assert ("CDA-ADVICE", "requested_at") in [(item.code, item.location) for item in built.findings]


def test_the_page_of_an_order_shows_what_is_asked_and_when_not_an_exam_done() -> None:
    rows = dict(cda.letter(cda.build_order(ORDER, IDENTITY, HOUSE).data).exam)
    assert rows["Date de la demande"] == "06/01/2021"
    assert "Examen" not in rows


def test_a_side_of_several_sites_is_coded_once_and_said_of_all_in_words() -> None:
    """The rules take one qualifier for all sites of an act (S_PlanDeSoins_IMG-DA-IMG)."""
    side = Code(code="24028007", system=SNOMED_CT, display="Droit")
    order = replace(ORDER, acts=(wanted("Scanner", "CT", CHEST_SITE, ABDOMEN, laterality=side),))
    assert len(xpath(order, f"{PLAN}/h:targetSiteCode")) == 2
    assert xpath(order, f"{PLAN}/h:targetSiteCode/h:qualifier/h:value/@code") == ["24028007"]
    assert "Droit" in xpath(order, "//h:td//text()")
    built = cda.build_order(order, IDENTITY, HOUSE)
    assert ("N3-TEXT-ONLY", "acts[0].laterality") in [(item.code, item.location) for item in built.findings]


def test_an_order_of_a_structure_that_nobody_described_says_what_to_state() -> None:
    assert ORDER.requester is not None
    hospital = Organization(id="1750000001", name="Hôpital fictif")
    order = replace(ORDER, requester=replace(ORDER.requester, organization=hospital))
    found = cda.order_possible(order, HOUSE)
    assert {(item.code, item.location) for item in found} == {
        ("ORDER-NOT-POSSIBLE", "requester.organization.practice_setting"),
        ("ORDER-NOT-POSSIBLE", "requester.organization.facility_type"),
    }
    assert all("[structures]" in item.remedy for item in found)


def test_a_function_that_nobody_named_is_other_with_a_finding() -> None:
    order = ORDERS["PT without a function, region only"]
    assert xpath(order, "//h:observation[h:code/@code='MED-1133']/h:value/@code") == ["GEN-092.04.18"]
    built = cda.build_order(order, IDENTITY, HOUSE)
    assert ("N3-TEXT-ONLY", "acts[0].function") in [(item.code, item.location) for item in built.findings]


@pytest.mark.parametrize(
    "changes, location",
    [
        ({"requester": None}, "requester"),
        ({"acts": ()}, "acts"),
        ({"acts": (wanted("x", "MR"),)}, "acts[0].sites"),
        ({"acts": (replace(ORDER.acts[0], modalities=()),)}, "acts[0].modalities"),
    ],
)
def test_what_cannot_be_a_document_is_said(changes: dict[str, object], location: str) -> None:
    order = replace(ORDER, **changes)
    assert [(item.code, item.location) for item in cda.order_possible(order, HOUSE)] == [
        ("ORDER-NOT-POSSIBLE", location)
    ]
    with pytest.raises(ValueError, match=r"acts|requester"):
        cda.build_order(order, IDENTITY, HOUSE)


@pytest.mark.parametrize("name", ORDERS)
def test_references_of_an_order_resolve(name: str) -> None:
    data = cda.build_order(ORDERS[name], IDENTITY, HOUSE).data
    assert [item for item in cda.check(data) if "reference" in item.location] == []
