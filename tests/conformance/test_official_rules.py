"""Our engine against the published facts on the official rules: spec cda.md §1.3 and §2."""

import copy

import pytest
from lxml import etree

from conformance.schematron.official import Official
from conformance.verdict import Remark
from conformance.xml import parse
from gateway.model.findings import Severity
from tests.conformance.mutations import CAUGHT, EX1, EX3, NOT_CAUGHT, Mutation
from tests.support import KIT, SAMPLES, needs_kit, needs_samples

pytestmark = [pytest.mark.kit, needs_kit]
EXAMPLES = KIT / "ExemplesCDA"
FILES = {EX3: "IMG_CR_IMG_2024.01.xml", EX1: "IMG_CR_IMG_2024.01_CDA-R2-Niveau-1.xml"}


@pytest.fixture(scope="module")
def official() -> Official:
    return Official(KIT)


@pytest.fixture(scope="module")
def documents() -> dict[str, etree._Element]:
    return {key: parse((EXAMPLES / name).read_bytes()) for key, name in FILES.items()}


def errors(official: Official, root: etree._Element) -> list[Remark]:
    _, remarks = official.judge(root)
    return [remark for remark in remarks if remark.severity is Severity.ERROR]


@pytest.mark.req("REQ-24", "REQ-80")
@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("IMG_CR_IMG_2024.01.xml", 7),
        ("IMG_CR_IMG_2024.01_CDA-R2-Niveau-1.xml", 6),
        ("DOC_NON_STRUCTURE_CDA-R2-N1.xml", 6),
        ("IMG-DA-IMG_2024.01_Radiographie_IRM_Genou.xml", 7),
        ("IMG-DA-IMG_2024.01_Scanner_Crane_ThoraxAbdomenPelvis.xml", 7),
    ],
)
def test_official_examples_pass_without_remark(official: Official, name: str, steps: int) -> None:
    done, remarks = official.judge(parse((EXAMPLES / name).read_bytes()))
    assert remarks == ()
    assert [step.name for step in done if not step.skipped][:1] == ["XSD"]
    assert len([step for step in done if not step.skipped]) == steps


@pytest.mark.samples
@needs_samples
@pytest.mark.parametrize("name", ["transmission_initiale", "remplacement", "suppression"])
def test_official_ris_documents_pass(official: Official, name: str) -> None:
    root = parse((SAMPLES / "cda" / f"{name}_cr_imagerie.xml").read_bytes())
    assert errors(official, root) == []


@pytest.mark.parametrize("mutation", CAUGHT, ids=lambda mutation: mutation.name)
def test_what_the_official_rules_catch_is_caught(
    official: Official, documents: dict[str, etree._Element], mutation: Mutation
) -> None:
    root = copy.deepcopy(documents[mutation.example])
    mutation.change(root)
    found = errors(official, root)
    assert found
    assert all(remark.location and (remark.source or remark.step == "XSD") for remark in found)


@pytest.mark.parametrize("mutation", NOT_CAUGHT, ids=lambda mutation: mutation.name)
def test_what_the_official_rules_let_through_is_caught_by_our_own(
    official: Official, documents: dict[str, etree._Element], mutation: Mutation
) -> None:
    from gateway import cda

    root = copy.deepcopy(documents[mutation.example])
    before = cda.check(etree.tostring(root))
    mutation.change(root)
    assert errors(official, root) == []
    found = set(cda.check(etree.tostring(root), for_dmp=True)) - set(before)
    assert found
    assert all(one.location.startswith("ClinicalDocument") and one.remedy for one in found)
