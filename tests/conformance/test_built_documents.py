"""Every CDA that example messages become passes the official rules, all steps, without error."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance.schematron.official import Official
from conformance.xml import parse
from gateway import cda, hl7v2
from gateway.mapping import sites
from gateway.mapping.hl7_order import is_order
from gateway.model.findings import Severity
from gateway.model.version import DocumentKind
from gateway.pipeline.offline import judge, unframed
from gateway.pipeline.production import produce
from tests.support import FIXTURES, KIT, SAMPLES, needs_kit

pytestmark = [pytest.mark.kit, needs_kit]
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MESSAGES = sorted([*(FIXTURES / "hl7v2").glob("*.er7"), *(FIXTURES / "fhir").glob("*.json")])


STRUCTURES = "".join(
    f"""
[structures.{number}]
practice_setting = {{ code = "ETABLISSEMENT", system = "1.2.250.1.213.1.1.4.9", display = "Etablissement" }}
facility_type = {{ code = "SA01", system = "1.2.250.1.71.4.2.4", display = "Hôpital public" }}
"""
    for number in ("1750000001", "1300017985")
)
"""The structures that ask in the examples, as a site that takes their orders describes them."""


@pytest.fixture(scope="module")
def official() -> Official:
    return Official(KIT)


@pytest.mark.req("REQ-24", "REQ-27")
@pytest.mark.parametrize("file", MESSAGES, ids=lambda file: file.name)
def test_the_document_of_a_message_passes_the_official_rules(official: Official, file: Path) -> None:
    versions = [
        (one.version, one.mapped.blobs)
        for one in judge(file.read_bytes(), sites.load(), environment="test", now=NOW)
        if one.version is not None
    ]
    if not versions:
        pytest.skip("this message makes no document: its report is not validated")
    for version, blobs in versions:
        (document,) = [one for one in produce(version, blobs) if one.kind is DocumentKind.CDA]
        _, remarks = official.judge(parse(document.data))
        assert [remark for remark in remarks if remark.severity is Severity.ERROR] == []


def _orders() -> list[Path]:
    samples = sorted(
        file for file in (SAMPLES / "hl7v2").rglob("*") if file.suffix != ".tsv" and file.is_file()
    )
    return [file for file in [*MESSAGES, *samples] if file.suffix != ".json" and _is_order(file)]


def _is_order(file: Path) -> bool:
    try:
        return is_order(hl7v2.read(unframed(file.read_bytes())))
    except hl7v2.NotHl7Error:
        return False


@pytest.mark.req("REQ-65")
def test_every_order_of_a_message_is_a_valid_document_or_says_what_it_lacks(
    official: Official, tmp_path: Path
) -> None:
    """Ours and the public ones (téléradiologie flux 1-4, ORM of two libraries)."""
    (tmp_path / "asked.toml").write_text(STRUCTURES, encoding="utf-8")
    built: list[str] = []
    for file in _orders():
        (judged, *_) = judge(
            file.read_bytes(), sites.load(tmp_path), site="asked", environment="test", now=NOW
        )
        assert judged.asked is not None, file.name
        asked = judged.asked
        if reasons := cda.order_possible(asked.order, asked.site):
            assert all(found.code == "ORDER-NOT-POSSIBLE" and found.detail for found in reasons)
            continue
        document = cda.build_order(asked.order, asked.identity, asked.site)
        _, remarks = official.judge(parse(document.data))
        assert [remark for remark in remarks if remark.severity is Severity.ERROR] == [], file.name
        built.append(file.name)
    assert {"orm_zds.er7", "omg_o19.er7", "omi_ipc.er7", "tlr_1_request.er7"} <= set(built)
    assert not SAMPLES.is_dir() or any("flux1" in name for name in built)
