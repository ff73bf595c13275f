"""From a delivery job to a mail or a folder, complete and checked, or a PrepareError with findings."""

import io
import json
import zipfile
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from lxml import etree

from gateway.model.base import replace
from gateway.model.version import DeliveryJob, DocumentKind
from gateway.pipeline.destinations import PrepareError, folder, mssante
from tests.unit.mail_jobs import PDF, cda_of, document, job, replacement, to_patient, with_site

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"


def with_cda(made: DeliveryJob, data: bytes) -> DeliveryJob:
    return replace(
        made,
        documents=(
            document(DocumentKind.CDA, data, "text/xml"),
            document(DocumentKind.PDF, PDF, "application/pdf"),
        ),
    )


def without_patient_ids(made: DeliveryJob) -> DeliveryJob:
    root = etree.fromstring(cda_of(made))
    role = root.find("{*}recordTarget/{*}patientRole")
    assert role is not None
    for identifier in role.findall("{*}id"):
        role.remove(identifier)
    return with_cda(made, etree.tostring(root))


# ------------------------------------------------------------ mail


@pytest.mark.req("REQ-50")
def test_the_archive_in_the_mail_holds_the_exact_cda_and_the_pdf_stands_beside_it() -> None:
    made = job()
    message = message_from_bytes(mssante.prepare(made).data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    archive, page = message.iter_attachments()
    with zipfile.ZipFile(io.BytesIO(archive.get_content())) as found:
        assert found.read("IHE_XDM/SUBSET01/DOC00001.XML") == cda_of(made)
        assert not [name for name in found.namelist() if name.endswith(".PDF")]
    assert page.get_content() == PDF


def test_preparing_again_gives_the_same_bytes() -> None:
    made = job()
    unknown = replace(made, version=replace(made.version, version_id=99))
    assert mssante.prepare(unknown) == mssante.prepare(made)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (with_cda(job(), b"<not-a-cda/>"), "CDA-INVALID"),
        (with_site(job(), source_id=""), "XDS-VALUE-MISSING"),
        (replace(job(), recipient=None), "MAILBOX-UNKNOWN"),
    ],
)
def test_what_cannot_be_prepared_is_a_finding(made: DeliveryJob, code: str) -> None:
    with pytest.raises(PrepareError) as raised:
        mssante.prepare(made)
    assert [found.code for found in raised.value.findings] == [code]


@pytest.mark.req("REQ-51")
def test_a_mail_that_is_too_large_for_the_patient_is_not_made() -> None:
    size = len(mssante.prepare(to_patient()).data)
    with pytest.raises(PrepareError) as raised:
        mssante.prepare(to_patient(), patient_limit=size - 1)
    assert raised.value.findings[0].code == "DOCUMENT-TOO-LARGE"
    assert mssante.prepare(to_patient(), patient_limit=size)
    assert mssante.prepare(job(), patient_limit=1)


# ------------------------------------------------------------ folder


def files(made: DeliveryJob) -> dict[str, bytes]:
    return dict(folder.prepare(made).files)


def test_the_folder_holds_every_artefact() -> None:
    made = job()
    found = files(made)
    assert list(found) == ["cda.xml", "report.pdf", "metadata.xml", "IHE_XDM.ZIP", "summary.json"]
    assert found["cda.xml"] == cda_of(made)
    assert found["report.pdf"] == PDF
    slots = etree.fromstring(found["metadata.xml"]).iterfind(f".//{{{RIM}}}Slot[@name='URI']")
    assert ["".join(slot.itertext()).strip() for slot in slots] == ["cda.xml"]
    assert zipfile.is_zipfile(io.BytesIO(found["IHE_XDM.ZIP"]))


def test_the_summary_tells_what_the_files_are_without_identity() -> None:
    made = replacement()
    data = files(made)["summary.json"]
    summary = json.loads(data)
    assert summary["schema"] == "gateway.folder/1"
    assert (summary["version"], summary["action"], summary["status"]) == (2, "replace", "final")
    assert summary["document_id"] == made.version.identity.document_id
    assert summary["replaces"] == [made.version.identity.replaces_document_id]
    assert summary["files"][0]["name"] == "cda.xml"
    assert summary["missing"] == []
    for secret in (b"PAT-TROIS", b"279035121518989", b"DUPONT", b"scanner"):
        assert secret not in data


def test_the_name_is_safe_and_tells_sets_apart() -> None:
    assert folder.prepare(job()).name.startswith("CR-2021-000042_")
    assert folder.prepare(job()).name.endswith("_v1")
    names = set()
    for key in ("../../etc^1.2", "..^1.2", "^1.2", "é" * 300, "A/B^1.2", "A B^1.2", "A B^1.3", "con^1"):
        made = job()
        identity = replace(made.version.identity, set_key=key)
        name = folder.prepare(replace(made, version=replace(made.version, identity=identity))).name
        assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        assert len(name) < 120
        names.add(name)
    assert len(names) == 8


def test_without_metadata_the_folder_keeps_what_there_is_and_says_so() -> None:
    request = folder.prepare(without_patient_ids(job()))
    assert [name for name, _ in request.files] == ["cda.xml", "report.pdf", "summary.json"]
    assert request.remark == "without metadata.xml and IHE_XDM.ZIP: XDS-VALUE-MISSING"
    missing = json.loads(dict(request.files)["summary.json"])["missing"]
    assert missing[0]["location"] == "recordTarget/patientRole/id"


def test_a_folder_for_bytes_that_are_no_cda_is_refused() -> None:
    with pytest.raises(PrepareError):
        folder.prepare(with_cda(job(), b"nothing"))
