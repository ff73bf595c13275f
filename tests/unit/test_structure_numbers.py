"""FINESS, SIRET and RPPS-rang of a message with their type digit in the document (REQ-20)."""

from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway.cda import build_n1
from gateway.mapping import sites
from gateway.pipeline import offline
from tests.unit.mapping_messages import with_field

NOW = datetime(2021, 1, 8, 12, tzinfo=UTC)
PERFORMER = (
    "h:documentationOf//h:performer//h:representedOrganization/h:id[@root='1.2.250.1.71.4.2.2']/@extension"
)


@pytest.mark.req("REQ-20")
@pytest.mark.parametrize(
    ("kind", "number", "written"),
    [
        ("FINEG", "750000001", "1750000001"),
        ("FINEJ", "750000001", "1750000001"),
        ("SIRET", "12345678900017", "312345678900017"),
        ("INTRN", "1012345678911", "41012345678911"),
        ("IDNST", "1750000001", "1750000001"),
    ],
)
def test_a_number_of_the_message_stands_in_the_document_with_its_type(
    kind: str, number: str, written: str
) -> None:
    message = with_field("ORC", 21, f"Imagerie du Nord^^^^^AUT&1.2.250.1.71.4.2.2&ISO^{kind}^^^{number}")
    (judged, *_) = offline.judge(message.encode(), sites.load(), environment="test", now=NOW)
    assert judged.version is not None, judged.decision.findings
    tree = etree.fromstring(build_n1(judged.version, b"%PDF-1.4").data)
    assert tree.xpath(PERFORMER, namespaces={"h": "urn:hl7-org:v3"}) == [written]
