"""Several reports in one Bundle: all or nothing, except the entries of a batch (architecture decision 12)."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.intake_house import House
from tests.support import FIXTURES

BUNDLE = json.loads((FIXTURES / "fhir" / "report.json").read_bytes())


def bundle(kind: str, *numbers: str, lab: int = -1) -> bytes:
    """The canonical exam with one report for each number; the one at `lab` is no imaging report."""
    made: dict[str, Any] = copy.deepcopy(BUNDLE)
    made["type"] = kind
    entry = made["entry"].pop()
    assert entry["resource"]["resourceType"] == "DiagnosticReport"
    for place, number in enumerate(numbers):
        one = copy.deepcopy(entry)
        one["fullUrl"] = f"urn:uuid:00000042-0000-4000-8000-0000000001{place:02}"
        one["resource"]["identifier"][0]["value"] = number
        if place == lab:
            one["resource"]["category"] = [{"coding": [{"code": "LAB"}]}]
            one["resource"]["code"] = {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]}
        made["entry"].append(one)
    return json.dumps(made).encode()


async def take(house: House, body: bytes) -> tuple[int, list[str], str]:
    """HTTP status, status of each report's entry, state of the message."""
    answer = await house.intake.take_fhir(body, "application/fhir+json", peer="127.0.0.1:1")
    told = json.loads(answer.body)
    entries = [one["response"]["status"] for one in told.get("entry", ())]
    return answer.status, [one[:3] for one in entries[10:]], house.last()["state"]


@pytest.mark.req("REQ-05")
async def test_a_refused_entry_of_a_batch_takes_no_other_with_it(house: House) -> None:
    assert await take(house, bundle("batch", "A", "B", "C", lab=1)) == (
        200,
        ["201", "422", "201"],
        "accepted",
    )
    assert {row["set_key"].partition("^")[0] for row in house.last()["reports"]} == {"A", "C"}
    assert "NOT-IMAGING" in house.codes()


BROKEN: tuple[tuple[str, Callable[[dict[str, Any]], None]], ...] = (
    ("status", lambda entry: entry["resource"].update(status=["final"])),
    ("resourceType", lambda entry: entry["resource"].update(resourceType="Nonsense")),
    ("effectiveDateTime", lambda entry: entry["resource"].update(effectiveDateTime="yesterday")),
    ("request.method", lambda entry: entry.update(request={"method": "DELETE", "url": "DiagnosticReport/1"})),
    ("composition", lambda entry: entry["resource"].update(composition={"reference": "Composition/1"})),  # R5
)
"""What makes an entry structurally invalid."""


def broken(kind: str, change: Callable[[dict[str, Any]], None], place: int = -2) -> bytes:
    """Reports A, B and C, with a fault in the structure of B (or of another entry)."""
    made = json.loads(bundle(kind, "A", "B", "C"))
    change(made["entry"][place])
    return json.dumps(made).encode()


@pytest.mark.req("REQ-04")
@pytest.mark.parametrize(("element", "change"), BROKEN, ids=[name for name, _ in BROKEN])
async def test_a_structurally_invalid_entry_of_a_batch_is_refused_alone(
    house: House, element: str, change: Callable[[dict[str, Any]], None]
) -> None:
    body = broken("batch", change)
    answer = await house.intake.take_fhir(body, "application/fhir+json", peer="127.0.0.1:1")
    entries = [one["response"] for one in json.loads(answer.body)["entry"]]
    assert [one["status"][:3] for one in entries[-3:]] == ["201", "422", "201"]
    (issue, *_) = entries[-2]["outcome"]["issue"]
    assert element in issue["expression"][0]
    assert f"entry[{len(entries) - 2}]" in issue["expression"][0]
    assert {row["set_key"].partition("^")[0] for row in house.last()["reports"]} == {"A", "C"}
    again = await take(house, body)
    assert again == (200, ["201", "422", "201"], "accepted"), "the mended entry may come in the same Bundle"


@pytest.mark.parametrize(("element", "change"), BROKEN, ids=[name for name, _ in BROKEN])
async def test_the_same_in_a_transaction_refuses_it_whole(
    house: House, element: str, change: Callable[[dict[str, Any]], None]
) -> None:
    assert (await take(house, broken("transaction", change)))[::2] == (422, "rejected")
    assert house.deliveries() == {}


async def test_reports_about_an_invalid_patient_are_refused_with_it(house: House) -> None:
    patient = next(
        place for place, one in enumerate(BUNDLE["entry"]) if one["resource"]["resourceType"] == "Patient"
    )
    body = broken("batch", lambda entry: entry["resource"].update(birthDate="1979-99"), patient)
    assert await take(house, body) == (422, [], "rejected")


async def test_a_batch_whose_only_report_is_invalid_is_refused(house: House) -> None:
    made = json.loads(bundle("batch", "A"))
    made["entry"][-1]["resource"]["status"] = ["final"]
    assert await take(house, json.dumps(made).encode()) == (422, [], "rejected")
    assert "FHIR-INVALID" in house.codes()


async def test_a_transaction_is_taken_as_a_whole_or_not_at_all(house: House) -> None:
    assert await take(house, bundle("transaction", "A", "B", "C", lab=1)) == (422, [], "rejected")
    assert house.deliveries() == {}


async def test_a_batch_of_which_nothing_is_taken_is_refused(house: House) -> None:
    assert await take(house, bundle("batch", "A", lab=0)) == (422, [], "rejected")


async def test_a_batch_that_was_taken_in_part_is_processed_again(house: House) -> None:
    """After the site's profile was mended, the same bytes may pass; what was taken makes no new version."""
    body = bundle("batch", "A", "B", lab=1)
    assert await take(house, body) == await take(house, body) == (200, ["201", "422"], "accepted")
    assert "CONTENT-UNCHANGED" in house.codes()


@pytest.mark.parametrize("kind", ["transaction", "batch"])
async def test_two_reports_of_one_name_in_one_bundle_are_refused_with_the_reason(
    house: House, kind: str
) -> None:
    status, entries, state = await take(house, bundle(kind, "A", "A"))
    assert (status, entries, state) == (
        (422, [], "rejected") if kind == "transaction" else (200, ["201", "422"], "accepted")
    )
    assert "REPORT-SEVERAL" in house.codes()
