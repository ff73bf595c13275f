"""What was asked and done, in the header: where the official example has it (REQ-27), from data (REQ-28)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from conformance.xml import parse
from gateway.mapping import sites
from gateway.model.site import CdaLevel
from gateway.model.version import DocumentKind
from gateway.pipeline import offline
from tests.support import FIXTURES, KIT, needs_kit
from tests.unit.mapping_messages import with_field

NS = {"h": "urn:hl7-org:v3", "ps": "urn:dicom-org:ps3-20"}
NOW = datetime(2021, 1, 8, 12, tzinfo=UTC)
ORDER = "/h:ClinicalDocument/h:inFulfillmentOf[1]/h:order"
EVENT = "/h:ClinicalDocument/h:documentationOf[1]/h:serviceEvent"
TRANSLATION = f"{EVENT}/h:code/h:translation"
PLACES = {
    "study UID": (f"{EVENT}/h:id/@root", "1.2.250.1.925.994044.27.123.1876360"),
    "order number": (f"{ORDER}/h:id/@extension", "984375862"),
    "order authority": (f"{ORDER}/h:id/@root", "1.2.250.1.748.12345678.12"),
    "accession number": (f"{ORDER}/ps:accessionNumber/@extension", "105234751"),
    "accession authority": (f"{ORDER}/ps:accessionNumber/@root", "1.2.250.1.925.994044785528.27"),
    "LOINC act": (f"{EVENT}/h:code[@codeSystem='2.16.840.1.113883.6.1']/@code", "24727-0"),
    "document's LOINC": ("/h:ClinicalDocument/h:code/h:translation/@code", "24727-0"),
    "CCAM act": (f"{TRANSLATION}[@codeSystem='1.2.250.1.215.300.1']/@code", "ACQH004"),
    "modality": (
        f"{TRANSLATION}[@codeSystem='1.2.840.10008.2.16.4'][h:qualifier/h:name/@code='121139']/@code",
        "CT",
    ),
    "region": (
        f"{TRANSLATION}[@codeSystem='2.16.840.1.113883.6.96'][h:qualifier/h:name/@code='39111-0']/@code",
        "774007",
    ),
    "begin": (f"{EVENT}/h:effectiveTime/h:low/@value", "20210108102500+0100"),
}
"""What stands where, and its value for the exam of `tests/fixtures/EXAM.md`."""


def document(data: bytes, folder: Path | None = None, level: CdaLevel = CdaLevel.N3) -> etree._Element:
    site = "own" if folder is not None else ""
    (judged,) = offline.judge(data, sites.load(folder), site=site, environment="test", now=NOW)
    made = offline.documents(offline.at_level(judged, level)).documents
    return etree.fromstring(next(one.data for one in made if one.kind is DocumentKind.CDA))


def values(root: etree._Element, path: str) -> list[str]:
    found = root.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [str(one) for one in found]


@pytest.mark.req("REQ-27")
@pytest.mark.parametrize("level", list(CdaLevel))
@pytest.mark.parametrize("fixture", ["hl7v2/oru_report.er7", "fhir/report.json"])
def test_each_code_and_number_stands_in_its_place(fixture: str, level: CdaLevel) -> None:
    root = document((FIXTURES / fixture).read_bytes(), level=level)
    found = {what: values(root, path) for what, (path, _) in PLACES.items()}
    assert found == {what: [value] for what, (_, value) in PLACES.items()}


@needs_kit
@pytest.mark.kit
@pytest.mark.req("REQ-27")
@pytest.mark.parametrize(
    "example", ["IMG_CR_IMG_2024.01.xml", "IMG_CR_IMG_2024.01_CDA-R2-Niveau-1.xml"], ids=["N3", "N1"]
)
def test_the_official_examples_have_them_in_the_same_places(example: str) -> None:
    root = parse((KIT / "ExemplesCDA" / example).read_bytes())
    missing = [what for what, (path, _) in PLACES.items() if not values(root, path)]
    assert missing == []


def own_tables(folder: Path, **tables: str) -> Path:
    """A site with one code table of its own for each of `tables`: its rows below the shipped header."""
    kinds = []
    for kind, row in tables.items():
        header = (FIXTURES.parents[1] / "mappings" / "codes" / f"{kind}.csv").read_text().splitlines()[0]
        (folder / f"own-{kind}.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
        kinds.append(f'{kind} = ["own-{kind}.csv"]\n')
    (folder / "own.toml").write_text("[codes]\n" + "".join(kinds), encoding="utf-8")
    return folder


@pytest.mark.req("REQ-28")
def test_a_row_of_a_sites_table_changes_the_document_and_no_code_does(tmp_path: Path) -> None:
    ours = with_field("OBR", 24, "SCANNEUR").encode()
    (modality, _), (region, _) = PLACES["modality"], PLACES["region"]
    assert (values(document(ours), modality), values(document(ours), region)) == (["CT"], ["774007"])
    tables = own_tables(
        tmp_path,
        modality="SCANNEUR,PT,Tomographie par émission de positons,our RIS",
        ccam="ACQH004,Scanner du tronc,,,CT,67734004,,,,our RIS",
    )
    changed = document(ours, tables)
    assert (values(changed, modality), values(changed, region)) == (["PT"], ["67734004"])


@pytest.mark.req("REQ-28")
def test_another_locator_reads_another_field(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[locators]\n"order.accession" = "OBR-19.1"\n')
    moved = with_field("OBR", 19, "A-77", with_field("OBR", 18, "")).encode()
    assert values(document(moved, tmp_path), PLACES["accession number"][0]) == ["A-77"]
