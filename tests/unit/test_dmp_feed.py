"""TD2.1: the request of one attempt, read back from its bytes as the DMP would."""

import hashlib
from datetime import UTC, datetime

import pytest
from lxml import etree
from signxml import XMLVerifier

from gateway.dmp import DmpError, DmpRequest, provide
from gateway.model.base import replace
from gateway.model.terms import INS_NIR_DEMO, Identifier
from gateway.model.version import DeliveryJob
from gateway.pipeline.destinations import PrepareError
from gateway.pipeline.destinations.dmp import prepare
from gateway.xds import mtom
from gateway.xds.xml import RIM, WSA, WSSE, XDSB, XOP
from tests.reports import PATIENT, with_report
from tests.support import XDS_SCHEMAS
from tests.unit.dmp_jobs import DMP_SITE, OLD_ENTRY, URL, cda, ids, job, replacement, with_site
from tests.unit.pki_files import cachet, pki

NOW = datetime(2021, 1, 8, 10, 20, tzinfo=UTC)
MESSAGE = "urn:uuid:0b6f0d5e-7f6b-4d42-8f7e-000000000001"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
N = {"wsa": WSA, "wsse": WSSE, "x": XDSB, "rim": RIM, "saml": SAML, "xop": XOP}


def feed(made: DeliveryJob, message_id: str = MESSAGE, assertion_id: str = "_a1") -> DmpRequest:
    return provide(made, cachet=cachet(), url=URL, message_id=message_id, assertion_id=assertion_id, now=NOW)


def envelope(request: DmpRequest) -> etree._Element:
    return etree.fromstring(mtom.read(request.content_type, request.body).root.data)


def slot(root: etree._Element, name: str) -> str:
    return root.findtext(f".//rim:Slot[@name='{name}']/rim:ValueList/rim:Value", namespaces=N) or ""


@pytest.mark.req("REQ-35")
def test_the_document_goes_as_it_is_with_its_hash_and_size() -> None:
    request = feed(job())
    document = mtom.read(request.content_type, request.body).parts[1].data
    assert document == cda()
    assert request.document_hash == hashlib.sha1(cda(), usedforsecurity=False).hexdigest()
    assert slot(envelope(request), "hash") == request.document_hash
    assert slot(envelope(request), "size") == str(len(cda()))


@pytest.mark.req("REQ-35")
def test_addressing_names_service_action_and_this_attempt() -> None:
    request = feed(job())
    root = envelope(request)
    assert request.url == root.findtext(".//wsa:To", namespaces=N) == URL
    assert request.action == root.findtext(".//wsa:Action", namespaces=N)
    assert request.action == "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
    assert root.findtext(".//wsa:MessageID", namespaces=N) == MESSAGE


def resource_id(root: etree._Element) -> str:
    path = ".//saml:Attribute[@Name='urn:oasis:names:tc:xacml:2.0:resource:resource-id']/saml:AttributeValue"
    return root.findtext(path, namespaces=N) or ""


@pytest.mark.req("REQ-36", "REQ-44")
def test_entry_submission_set_and_vihf_name_the_same_patient() -> None:
    root = envelope(feed(job()))
    found = root.xpath(
        "//rim:ExternalIdentifier[contains(rim:Name/*/@value, 'patientId')]/@value", namespaces=N
    )
    assert found == [resource_id(root)] * 2
    assert resource_id(root) == "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH"


@pytest.mark.req("REQ-44")
def test_the_assertion_in_the_security_header_still_verifies_in_the_sent_bytes() -> None:
    security = envelope(feed(job())).find(".//wsse:Security", N)
    assertion = security.find("saml:Assertion", N)
    # As a receiver that works on the whole envelope: the namespaces around it stay in scope.
    XMLVerifier().verify(etree.tostring(assertion), ca_pem_file=str(pki().ca), id_attribute="ID")
    assert assertion.get("ID") == "_a1"


def test_ids_in_the_request_name_the_document_for_later() -> None:
    made = job()
    request = feed(made)
    entry = envelope(request).find(".//rim:ExtrinsicObject", N).get("id")
    assert request.unique_id == made.version.identity.document_id
    assert request.remote_ids == (("entryUUID", entry), ("uniqueId", request.unique_id))


def test_a_second_attempt_sends_the_same_submission_under_fresh_ids() -> None:
    """Architecture decision 6: so the registry recognises what it has."""
    first, second = (
        envelope(feed(job(), f"urn:uuid:0b6f0d5e-7f6b-4d42-8f7e-00000000000{n}", f"_a{n}")) for n in (1, 2)
    )
    path = ".//x:ProvideAndRegisterDocumentSetRequest/*[1]"
    assert etree.tostring(first.find(path, N)) == etree.tostring(second.find(path, N))
    assert etree.tostring(first.find(".//saml:Assertion", N)) != etree.tostring(
        second.find(".//saml:Assertion", N)
    )


@pytest.mark.req("REQ-29")
def test_a_replacement_points_from_the_new_entry_to_the_old_entry_uuid() -> None:
    request = feed(replacement(("uniqueId", "2.25.1"), ("entryUUID", OLD_ENTRY)))
    links = envelope(request).findall(f".//rim:Association[@associationType='{RPLC}']", N)
    assert [(link.get("sourceObject"), link.get("targetObject")) for link in links] == [
        (request.entry_uuid, OLD_ENTRY)
    ]


def test_a_creation_points_to_nothing_even_when_an_older_version_is_known() -> None:
    request = feed(replace(job(), previous_remote_ids=(("entryUUID", OLD_ENTRY),)))
    assert RPLC.encode() not in request.body


def refused(made: DeliveryJob) -> list[tuple[str, str]]:
    with pytest.raises(DmpError) as error:
        feed(made)
    return [(found.code, str(found.severity)) for found in error.value.findings]


@pytest.mark.parametrize(
    "previous", [(), (("entryUUID", ""),), (("uniqueId", "2.25.1"),), (("entryUUID", "1.2.3"),)]
)
def test_a_replacement_whose_entry_is_unknown_is_refused(previous: tuple[tuple[str, str], ...]) -> None:
    assert refused(replacement(*previous)) == [("DMP-ENTRY-UNKNOWN", "error")]


@pytest.mark.req("REQ-36")
def test_a_document_of_another_patient_than_the_report_s_never_leaves() -> None:
    other = replace(PATIENT, ins=Identifier(value="279035121518989", system=INS_NIR_DEMO))
    assert refused(job(with_report(patient=other))) == [("CDA-MISMATCH", "error")]


def test_a_version_without_cda_is_a_lookup_error() -> None:
    with pytest.raises(LookupError):
        feed(replace(job(), documents=()))


@pytest.mark.kit
@pytest.mark.req("REQ-36")
@pytest.mark.skipif(not XDS_SCHEMAS.is_dir(), reason="XDS.b schemas not found (set SHARED)")
@pytest.mark.parametrize("made", [job(), replacement(("entryUUID", OLD_ENTRY))], ids=["new", "replacement"])
def test_the_body_fits_the_xds_b_schema(made: DeliveryJob) -> None:
    body = envelope(feed(made)).find(".//x:ProvideAndRegisterDocumentSetRequest", N)
    # xop:Include stands for the Base64 that the schema expects (MTOM §1.2).
    for document in body.findall("x:Document", N):
        document[:] = []
        document.text = "QQ=="
    schema = etree.XMLSchema(etree.parse(XDS_SCHEMAS / "ebxml" / "XDS.b_DocumentRepository.xsd"))
    schema.assertValid(etree.fromstring(etree.tostring(body)))


def test_prepare_takes_fresh_ids_and_makes_the_saml_id_an_ncname() -> None:
    request = prepare(job(), cachet=cachet(), url=URL, registry="", now=NOW, ids=ids())
    root = envelope(request)
    assert root.findtext(".//wsa:MessageID", namespaces=N) == "urn:uuid:00000000-0000-0000-0000-000000000001"
    assert root.find(".//saml:Assertion", N).get("ID") == "_00000000-0000-0000-0000-000000000002"


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (replacement(), "DMP-ENTRY-UNKNOWN"),
        (with_site(sector=""), "DMP-PROFILE-INCOMPLETE"),
        (with_site(source_id=""), "XDS-VALUE-MISSING"),
        (replace(job(), documents=(replace(job().documents[0], data=b"<x/>"),)), "CDA-INVALID"),
    ],
    ids=["dmp", "profile", "metadata", "document"],
)
def test_prepare_turns_every_reason_into_findings(made: DeliveryJob, code: str) -> None:
    with pytest.raises(PrepareError) as error:
        prepare(made, cachet=cachet(), url=URL, registry="", now=NOW, ids=ids())
    assert [found.code for found in error.value.findings] == [code]


def test_the_site_of_the_jobs_is_complete() -> None:
    """The refusals above are of one missing value each."""
    assert feed(job()).body
    assert DMP_SITE.fictive
