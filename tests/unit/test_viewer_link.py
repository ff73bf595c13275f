"""The link to the images: where the profile names a viewer, and nowhere else (REQ-60)."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from gateway import cda, pdf
from gateway.mapping import sites
from gateway.mapping.profile_file import CONSTANTS
from gateway.model.base import replace
from gateway.model.terms import Identifier
from gateway.model.version import ReportVersion
from tests.n3_cases import CASES, FULL

NS = {"c": "urn:hl7-org:v3"}
VIEWER = "https://drimbox.example/IHEInvokeImageDisplay"
LINKED = replace(FULL, site=replace(FULL.site, viewer=VIEWER))
XSI = "http://www.w3.org/2001/XMLSchema-instance"
"""A name of XML, no place."""


def links(version: ReportVersion) -> list[str]:
    root = etree.fromstring(cda.build_n3(version).data)
    path = "//c:observation[@classCode='DGIMG']/c:text[@mediaType='application/dicom']/c:reference/@value"
    return [str(value) for value in root.xpath(path, namespaces=NS)]


@pytest.mark.req("REQ-60")
@pytest.mark.parametrize("name", sorted(CASES.keys() - {"a link to the images"}))
def test_by_default_no_document_names_a_host(name: str) -> None:
    version = CASES[name]
    for built in (cda.build_n3(version), cda.build_n1(version, b"%PDF-1.4\n%%EOF\n")):
        assert b"://" not in built.data.replace(XSI.encode(), b"")
    assert not [value for label, value in pdf.letter(version).exam if label == "Images"]


@pytest.mark.req("REQ-60")
def test_a_profile_with_a_viewer_links_each_study_for_the_reader_of_this_document() -> None:
    found = links(LINKED)
    assert len(found) == len(LINKED.report.studies)
    for value, study in zip(found, LINKED.report.studies, strict=True):
        assert value.partition("?")[0] == VIEWER
        assert parse_qs(urlsplit(value).query) == {
            "requestType": ["STUDY"],
            "studyUID": [study.uid],
            "Accessionnumber": [study.accession.value if study.accession else ""],
            "idCDA": [LINKED.identity.document_id],
        }


@pytest.mark.req("REQ-60")
def test_people_find_the_same_link_in_the_narrative_and_on_the_page() -> None:
    root = etree.fromstring(cda.build_n3(LINKED).data)
    shown = root.xpath("//c:content[contains(@ID, '-images')]/text()", namespaces=NS)
    assert [text for text in shown if "://" in text] == links(LINKED)
    (row,) = (value for label, value in pdf.letter(LINKED).exam if label == "Images")
    assert row.splitlines() == links(LINKED)


def test_values_are_written_as_a_query() -> None:
    (study, *_) = LINKED.report.studies
    assert study.accession is not None
    odd = replace(study, accession=Identifier(value="A&B 1", system=study.accession.system))
    version = replace(LINKED, report=replace(LINKED.report, studies=(odd,)))
    assert "Accessionnumber=A%26B+1&" in links(version)[0]


@pytest.mark.parametrize(
    "address",
    [
        "http://drimbox.example/view",
        "drimbox.example",
        "https://",
        "https://u@h/v",
        "https://h/v?a=b",
        "https://[h",
    ],
)
def test_an_address_that_is_no_base_is_refused_with_its_line(tmp_path: Path, address: str) -> None:
    (tmp_path / "own.toml").write_text(f'viewer = "{address}"\n')
    with pytest.raises(sites.SitesError, match=r"own\.toml:1: `viewer`"):
        sites.load(tmp_path)


def test_a_real_house_does_not_inherit_the_viewer_of_a_fictive_one() -> None:
    assert "viewer" in CONSTANTS
