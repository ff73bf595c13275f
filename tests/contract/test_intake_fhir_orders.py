"""Orders by FHIR through the intake and its store: kept, joined to the reports that come before or after."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.test_intake_feed import BARE
from tests.fhir_cases import Change, Json, bundle, encode, resource, setting, without
from tests.intake_house import House, fixture

_LAB: Json = {"category": [{"text": "Biologie"}], "code": {"text": "Numération"}}


def asked(*changes: Change) -> Json:
    return bundle(without("DiagnosticReport"), without("Observation"), *changes)


async def post(house: House, tree: Json) -> tuple[int, Any]:
    answer = await house.intake.take_fhir(encode(tree), "application/fhir+json", peer="127.0.0.1:1")
    return answer.status, json.loads(answer.body)


def rows(house: House) -> list[tuple[str, int]]:
    found = house.queries.orders(site="default", status="", cursor=0, limit=10)
    return [(row["status"], row["version"]) for row in found]


@pytest.mark.req("REQ-64")
async def test_an_order_by_fhir_fills_what_the_hl7_report_lacks(house: House) -> None:
    status, answer = await post(house, asked())
    assert (status, answer["type"]) == (200, "transaction-response")
    assert {entry["response"]["status"] for entry in answer["entry"]} == {"201 Created"}
    assert house.last()["state"] == "accepted"
    assert await house.take(fixture("oru_report", *BARE)) == "AA"
    report = house.report()
    assert report.requester is not None
    assert report.requester.id == "801234567897"
    assert report.orders[0].placer is not None
    assert report.orders[0].placer.value == "984375862"
    assert report.acts[0].study_uid == "1.2.250.1.925.994044.27.123.1876360"
    assert house.deliveries().keys() >= {"dmp", "mssante-ps"}


async def test_an_order_by_itself_makes_no_delivery(house: House) -> None:
    await post(house, asked())
    assert house.deliveries() == {}
    assert rows(house) == [("completed", 1)]


@pytest.mark.req("REQ-64")
async def test_an_order_of_hl7_and_its_revocation_by_fhir_are_one_order(house: House) -> None:
    assert await house.take(fixture("orm_zds")) == "AA"
    status, _ = await post(house, asked(setting("ServiceRequest", status="revoked")))
    assert status == 200
    assert rows(house) == [("cancelled", 2)]


async def test_a_report_without_requester_is_taken_after_its_order(house: House) -> None:
    report = bundle(setting("ServiceRequest", requester=None))
    first, _ = await post(house, report)
    second, _ = await post(house, asked())
    assert (first, second) == (422, 200)  # REQUESTER-MISSING, until the order is known
    assert (await post(house, report))[0] == 200
    found = house.report()
    assert found.requester is not None
    assert found.requester.id == "801234567897"


async def test_a_refused_order_refuses_its_transaction_and_is_not_kept(house: House) -> None:
    status, answer = await post(house, asked(setting("ServiceRequest", status="draft")))
    assert (status, answer["resourceType"]) == (422, "OperationOutcome")
    assert answer["issue"][0]["details"]["coding"][0]["code"] == "ORDER-UNSERVED"
    assert rows(house) == []


def _batch(second: Json) -> Callable[[Json], None]:
    def change(tree: Json) -> None:
        tree["type"] = "batch"
        tree["entry"].append(
            {"fullUrl": "urn:uuid:0-2", "resource": resource(tree, "ServiceRequest") | second}
        )

    return change


async def test_the_orders_of_a_batch_stand_each_for_itself(house: House) -> None:
    status, answer = await post(house, asked(_batch(_LAB)))
    said = [entry["response"]["status"] for entry in answer["entry"]]
    assert (status, said[6], said[-1]) == (200, "201 Created", "422 Unprocessable Entity")
    assert rows(house) == [("completed", 1)]


async def test_an_order_of_the_other_environment_is_refused(house: House) -> None:
    def production(tree: Json) -> None:
        text = json.dumps(tree).replace("1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.8")
        tree.update(json.loads(text))

    status, answer = await post(house, asked(production))
    assert (status, answer["issue"][0]["details"]["coding"][0]["code"]) == (422, "INS-ENV")
    assert answer["issue"][0]["expression"][0].startswith("Bundle.entry[0].resource.identifier")


async def test_an_order_beside_a_report_that_does_not_answer_it_is_told(house: House) -> None:
    def beside(tree: Json) -> None:
        other = resource(tree, "ServiceRequest") | {"identifier": [{"value": "2"}]}
        tree["entry"].append({"fullUrl": "urn:uuid:0-2", "resource": other})

    status, _ = await post(house, bundle(beside))
    assert status == 200
    (found,) = [one for one in house.last()["findings"] if one["code"] == "ORDER-BESIDE-REPORT"]
    assert found["location"] == "Bundle.entry[11].resource"
    assert rows(house) == []
