"""OperationOutcome and response Bundles, accepted by the R4 model itself."""

import json
from typing import Any

import pytest

from gateway.fhir import bundle_response, http_status, operation_outcome, read
from gateway.fhir.outcome import CODE_SYSTEM
from gateway.model.findings import CATALOGUE, Finding, Severity, finding
from tests.fhir_cases import bundle, encode


def checked(body: bytes) -> dict[str, Any]:
    from fhir.resources.R4B import get_fhir_model_class

    tree: dict[str, Any] = json.loads(body)
    get_fhir_model_class(tree["resourceType"]).model_validate(tree)
    return tree


def test_an_issue_says_what_where_and_what_to_do() -> None:
    found = finding("RPPS-MISSING", "Bundle.entry[1].resource", "no validating physician")
    (issue,) = checked(operation_outcome((found,)))["issue"]
    assert issue == {
        "severity": "error",
        "code": "required",
        "details": {"coding": [{"system": CODE_SYSTEM, "code": "RPPS-MISSING"}], "text": found.text},
        "diagnostics": f"no validating physician; {found.remedy}",
        "expression": ["Bundle.entry[1].resource"],
    }


def test_a_canonical_path_is_no_fhirpath_and_goes_into_the_diagnostics() -> None:
    (issue,) = checked(operation_outcome((finding("REQUESTER-MISSING", "requester"),)))["issue"]
    assert "expression" not in issue
    assert issue["diagnostics"].startswith("requester; ")


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_code_of_the_catalogue_makes_a_valid_issue(code: str) -> None:
    (issue,) = checked(operation_outcome((finding(code),)))["issue"]
    assert issue["code"] in ISSUE_TYPES


ISSUE_TYPES = frozenset(
    {
        "invalid",
        "structure",
        "required",
        "value",
        "invariant",
        "security",
        "login",
        "unknown",
        "expired",
        "forbidden",
        "suppressed",
        "processing",
        "not-supported",
        "duplicate",
        "multiple-matches",
        "not-found",
        "deleted",
        "too-long",
        "code-invalid",
        "extension",
        "too-costly",
        "business-rule",
        "conflict",
        "transient",
        "lock-error",
        "no-store",
        "exception",
        "timeout",
        "incomplete",
        "throttled",
        "informational",
    }
)
"""Value set issue-type of FHIR R4."""


def test_without_findings_there_is_still_one_issue() -> None:
    assert checked(operation_outcome(()))["issue"][0]["severity"] == "information"


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        ((), 200),
        (("NOT-VALIDATED",), 200),
        (("INS-KEY",), 422),
        (("INS-KEY", "FHIR-SYNTAX"), 400),
        (("FHIR-MEDIA-TYPE",), 415),
        (("HL7-TOO-LARGE",), 413),
        (("INS-KEY", "STORE-UNAVAILABLE"), 503),
        (("INTERNAL", "INS-KEY"), 500),
    ],
)
def test_http_status(codes: tuple[str, ...], status: int) -> None:
    assert http_status(tuple(finding(code) for code in codes)) == status


def test_a_softened_error_does_not_refuse() -> None:
    assert http_status((Finding(code="INS-KEY", severity=Severity.WARNING),)) == 200


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_a_response_answers_every_entry_in_order(kind: str) -> None:
    taken = read(encode(bundle(lambda tree: tree.update(type=kind))))
    answer = (finding("NOT-VALIDATED"),)
    made = checked(bundle_response(taken, {10: answer}))
    assert (made["type"], len(made["entry"])) == (f"{kind}-response", 11)
    assert {one["response"]["status"] for one in made["entry"]} == {"201 Created"}
    assert [("outcome" in one["response"]) for one in made["entry"]] == [False] * 10 + [True]


@pytest.mark.parametrize("kind", ["document", "collection", "message"])
def test_a_bundle_without_response_kind_is_answered_with_an_outcome(kind: str) -> None:
    taken = read(encode(bundle(lambda tree: tree.update(type=kind))))
    answer = (finding("NOT-VALIDATED"),)
    made = checked(bundle_response(taken, {10: answer}))
    assert made["resourceType"] == "OperationOutcome"
    assert made["issue"][0]["details"]["coding"][0]["code"] == "NOT-VALIDATED"
