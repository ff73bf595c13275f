"""Every CDA that our own example messages become passes the official rules, all steps, without error."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance.schematron.official import Official
from conformance.xml import parse
from gateway.mapping import sites
from gateway.model.findings import Severity
from gateway.model.version import DocumentKind
from gateway.pipeline.offline import judge
from gateway.pipeline.production import produce
from tests.support import FIXTURES, KIT, needs_kit

pytestmark = [pytest.mark.kit, needs_kit]
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MESSAGES = sorted([*(FIXTURES / "hl7v2").glob("*.er7"), *(FIXTURES / "fhir").glob("*.json")])


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
