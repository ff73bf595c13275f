"""N3, N1 and orders built by us against the official rules: XSD, six generic steps, volet (cda.md §1)."""

from collections.abc import Callable

import pytest

from conformance.schematron.official import Official
from conformance.xml import parse
from gateway import cda
from gateway.cda import Built
from gateway.model.findings import errors
from tests.n3_cases import CASES, FULL
from tests.order_cases import HOUSE, IDENTITY, ORDERS
from tests.support import KIT, needs_kit

pytestmark = [pytest.mark.kit, needs_kit]

PDF = b"%PDF-1.4\n%%EOF\n"
DOCUMENTS: dict[str, Callable[[], Built]] = {
    **{f"N3 {name}": lambda version=version: cda.build_n3(version, PDF) for name, version in CASES.items()},
    **{f"N1 {name}": lambda version=version: cda.build_n1(version, PDF) for name, version in CASES.items()},
    **{
        f"order {name}": lambda order=order: cda.build_order(order, IDENTITY, HOUSE)
        for name, order in ORDERS.items()
    },
    "N3 without a PDF": lambda: cda.build_n3(FULL),
}


@pytest.fixture(scope="module")
def official() -> Official:
    """One warm engine for all documents: loading the rules takes longer than judging."""
    return Official(KIT)


@pytest.mark.req("REQ-24", "REQ-25", "REQ-65")
@pytest.mark.parametrize("title", DOCUMENTS)
def test_every_document_of_ours_passes_the_official_rules(official: Official, title: str) -> None:
    data = DOCUMENTS[title]().data
    steps, remarks = official.judge(parse(data))
    assert remarks == ()
    assert len([step for step in steps if not step.skipped]) == (6 if title.startswith("N1") else 7)
    assert errors(cda.check(data)) == ()


def test_there_are_enough_cases_to_speak_of_all() -> None:
    assert len(CASES) >= 25
    assert len(ORDERS) >= 6
    kinds = {
        item.code for version in CASES.values() for act in version.report.acts for item in act.modalities
    }
    assert kinds >= {"CT", "MR", "US", "DX", "MG", "NM", "PT", "XA", "BMD"}
