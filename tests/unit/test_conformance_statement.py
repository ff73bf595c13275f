"""The conformance statement says what the tests prove, no more and no less."""

from pathlib import Path

import pytest

from conformance import statement
from conformance.statement import Evidence, Row, Status

SOURCE = """
import pytest
pytestmark = [pytest.mark.kit, pytest.mark.req("REQ-01")]

@pytest.mark.req("REQ-02", "REQ-03")
def test_one(): ...

class TestGroup:
    @pytest.mark.req("REQ-04")
    async def test_two(self): ...

@pytest.mark.req("REQ-05")
def helper(): ...
"""


def row(requirement: str, status: Status) -> Row:
    return Row(requirement, "Group", "Title", "", status, "")


def test_marks_of_function_class_and_module_are_found_without_running_anything(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(SOURCE)
    found = statement.collect(tmp_path / "tests")
    assert found["REQ-01"] == (Evidence("tests/test_x.py", ("test_one", "TestGroup.test_two")),)
    assert found["REQ-03"][0].tests == ("test_one",)
    assert "REQ-05" not in found


def test_claims_without_evidence_and_evidence_without_claims_are_named() -> None:
    evidence = {"REQ-02": (Evidence("t", ("a",)),), "REQ-99": (Evidence("t", ("b",)),)}
    claims = (row("REQ-01", Status.FULL), row("REQ-02", Status.NOT_YET), row("REQ-03", Status.NOT_YET))
    assert [problem.split(":")[0] for problem in statement.problems(claims, evidence)] == [
        "REQ-01",
        "REQ-02",
        "REQ-99",
    ]


def test_the_table_has_every_row_once() -> None:
    claims = statement.rows()
    assert [claim.id for claim in claims] == [f"REQ-{number:02d}" for number in range(1, 81)]
    assert all(claim.title for claim in claims)


@pytest.mark.req("REQ-79")
def test_no_claim_contradicts_the_tests() -> None:
    assert statement.problems(statement.rows(), statement.collect()) == ()


@pytest.mark.req("REQ-79")
def test_the_page_is_fresh() -> None:
    """Stale? Run `conformance statement --write` and commit what changed."""
    made = statement.page(statement.rows(), statement.collect())
    assert statement.PAGE.read_text(encoding="utf-8") == made
