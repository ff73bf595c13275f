"""IHE_XDM.ZIP: names, layout, pages for people, equal bytes."""

import io
import re
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from gateway.model.base import replace
from gateway.xds import XdmSender, xdm_archive
from tests.unit.xds_samples import DOCUMENT, ENTRY, ENTRY_ID, SUBMISSION

SENDER = XdmSender(
    name="Passerelle",
    organization="Centre <Ambroise> & fils",
    address=("12 Rue Ambroise", "75010 PARIS"),
    contact="0146000000",
    software="Passerelle",
    software_version="0.1",
)
WHEN = datetime(2021, 1, 8, 11, 17, 5, tzinfo=UTC)


def make() -> bytes:
    return xdm_archive(SUBMISSION, ((ENTRY_ID, DOCUMENT),), SENDER, when=WHEN)


def test_equal_arguments_give_equal_bytes_and_another_date_does_not() -> None:
    later = xdm_archive(SUBMISSION, ((ENTRY_ID, DOCUMENT),), SENDER, when=WHEN + timedelta(days=1))
    assert make() == make()
    assert make() != later


@pytest.mark.req("REQ-50")
def test_names_are_of_iso_9660_level_1() -> None:
    with zipfile.ZipFile(io.BytesIO(make())) as found:
        assert found.testzip() is None
        names = [part for name in found.namelist() for part in name.split("/")]
    assert all(re.fullmatch(r"[A-Z0-9_]{1,8}(\.[A-Z0-9_]{1,3})?", name) for name in names)


def test_members_are_dated_and_plain_files() -> None:
    with zipfile.ZipFile(io.BytesIO(make())) as found:
        for member in found.infolist():
            assert member.date_time == (2021, 1, 8, 11, 17, 4)  # zip counts in steps of two seconds
            assert (member.create_system, member.external_attr) == (0, 0x20)


def test_the_index_is_xhtml_with_a_link_to_the_readme() -> None:
    with zipfile.ZipFile(io.BytesIO(make())) as found:
        page = found.read("INDEX.HTM")
    root = etree.fromstring(page, etree.XMLParser(load_dtd=False, no_network=True))
    html = "{http://www.w3.org/1999/xhtml}"
    assert root.tag == f"{html}html"
    assert [link.get("href") for link in root.iter(f"{html}a")] == ["README.TXT"]
    assert "Emetteur : Centre <Ambroise> & fils (0146000000)" in "".join(root.itertext())


def test_several_documents_are_numbered_and_typed() -> None:
    pdf = replace(ENTRY, entry_id="urn:uuid:2", unique_id="2.25.9", mime_type="application/pdf")
    both = replace(SUBMISSION, entries=(ENTRY, pdf))
    data = xdm_archive(both, (("urn:uuid:2", b"%PDF-"), (ENTRY_ID, DOCUMENT)), SENDER, when=WHEN)
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.read("IHE_XDM/SUBSET01/DOC00001.XML") == DOCUMENT
        assert found.read("IHE_XDM/SUBSET01/DOC00002.PDF") == b"%PDF-"


@pytest.mark.parametrize("documents", [(), ((ENTRY_ID, b""), (ENTRY_ID, b"")), (("other", b""),)])
def test_documents_and_entries_must_match(documents: tuple[tuple[str, bytes], ...]) -> None:
    with pytest.raises(ValueError, match="one to one"):
        xdm_archive(SUBMISSION, documents, SENDER, when=WHEN)
