"""The registry's rules on XDS metadata and on the VIHF: one faultless submission, then one change each."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from lxml import etree

from conformance import pki
from conformance.simulators import ebrim, mtom, vihf, xds_rules
from conformance.simulators.signature import SignatureRefusedError, verify
from conformance.simulators.xds_faults import Submission
from tests.conformance.iti41 import CDA, PATIENT, Wish, assertion, request, sign, slot, submit_objects

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CODE = "XDSRegistryMetadataError"


def judged(text: str, document: bytes = CDA) -> list[tuple[str, str]]:
    metadata = ebrim.read(etree.fromstring(text.encode()))
    faults = xds_rules.check(Submission(metadata, {"Document01": document}))
    return [(fault.code, fault.place) for fault in faults]


def test_the_example_has_no_fault() -> None:
    assert judged(submit_objects(Wish())) == []


@pytest.mark.req("REQ-36")
@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("a54d6aa5", "00000000", "RegistryObjectList"),
        ('value="1.2.3.1"', 'value=""', "DocumentEntry.uniqueId"),
        ('value="1.2.3.1"', f'value="1.2.{"3" * 128}"', "DocumentEntry.uniqueId"),
        ('value="1.2.3"', 'value="urn:x"', "SubmissionSet.sourceId"),
        ("XDSDocumentEntry.patientId", "patientId", "DocumentEntry.patientId"),
        ("^NH", "^PI", "DocumentEntry.patientId"),
        ("1.2.250.1.213.1.4.10", "1.2.3.4", "DocumentEntry.patientId"),
        ("f0306f51", "00000000", "DocumentEntry.typeCode"),
        ("aa543740", "00000000", "SubmissionSet.contentTypeCode"),
        ('nodeRepresentation="SA08"', "", "DocumentEntry.healthcareFacilityTypeCode"),
        ('<rim:LocalizedString value="Amb"/>', "", "DocumentEntry.practiceSettingCode"),
        ('nodeRepresentation="31"', 'nodeRepresentation="10"', "DocumentEntry.classCode"),
        ('nodeRepresentation="N"', 'nodeRepresentation="X"', "DocumentEntry.confidentialityCode"),
        ('nodeRepresentation=""', 'nodeRepresentation="x"', "DocumentEntry.author"),
        ("801234560801^BIDEAULT", "BIDEAULT", "DocumentEntry.author.authorPerson"),
        ("^^^1920008059", "", "DocumentEntry.author.authorInstitution"),
        ('name="languageCode"', 'name="hash"', "DocumentEntry.hash"),
        ("<rim:Value>fr-FR</rim:Value>", "", "DocumentEntry.languageCode"),
        ("<rim:Value>fr-FR</rim:Value>", "<rim:Value>fr-FR</rim:Value>" * 2, "DocumentEntry.languageCode"),
        ("20210108101700", "2021-01-08", "DocumentEntry.creationTime"),
        ("20210108101700", "20210109101700", "SubmissionSet.submissionTime"),
        ("7edca82f", "34268e47", "DocumentEntry.objectType"),
        ('mimeType="text/xml"', "", "DocumentEntry.mimeType"),
        ("CR d'imagerie médicale", "", "DocumentEntry.title"),
        ("&amp;ISO^PI", "&amp;ISO", "DocumentEntry.sourcePatientId"),
        ("PID-8|F", "PID-9|F", "DocumentEntry.sourcePatientInfo"),
        ("Original", "Reference", "HasMember"),
        ("AssociationType:HasMember", "AssociationType:Contains", "Association"),
    ],
)  # fmt: skip
def test_one_change_one_fault(old: str, new: str, place: str) -> None:
    assert (place in [found for _, found in judged(submit_objects(Wish(edits=[(old, new)])))]) is True


def test_masks_may_follow_the_code_of_the_document() -> None:
    one = re.search(r"<rim:Classification [^>]*f4f85eac.*?</rim:Classification>", submit_objects(Wish()))
    assert one is not None
    mask = one[0].replace('"N"', '"MASQUE_PS"').replace("2.16.840.1.113883.5.25", "1.2.250.1.213.1.1.4.13")
    text = submit_objects(Wish()).replace("</rim:ExtrinsicObject>", f"{mask}</rim:ExtrinsicObject>")
    assert judged(text) == []
    wrong = mask.replace("MASQUE_PS", "INVISIBLE_REP_LEGAUX")
    text = submit_objects(Wish()).replace("</rim:ExtrinsicObject>", f"{wrong}</rim:ExtrinsicObject>")
    assert judged(text) == [(CODE, "DocumentEntry.confidentialityCode")]


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("105^^^&1.2.250.1.925&ISO^urn:ihe:iti:xds:2013:accession", True),
        ("1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID", True),
        ("105^^^&1.2.250.1.925&ISO^urn:ihe:iti:xds:2013:uniqueId", False),
        ("#^^^&1.2.250.1.925&ISO^urn:ihe:iti:xds:2013:order", False),
    ],
)
def test_reference_ids_are_those_of_the_dmp(value: str, good: bool) -> None:
    more = slot("urn:ihe:iti:xds:2013:referenceIdList", value)
    marker = "<rim:Name><rim:LocalizedString value=\"CR d'imagerie"
    text = submit_objects(Wish()).replace(marker, more + marker)
    assert (judged(text) == []) is good


def test_hash_and_size_are_of_the_bytes_received() -> None:
    found = judged(submit_objects(Wish()), CDA[:-1])
    repository = "XDSRepositoryMetadataError"
    assert found == [(repository, "DocumentEntry.hash"), (repository, "DocumentEntry.size")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'type="application/soap+xml"\r\n', b""),
        (b"cid:doc1@test", b"cid:other@test"),
        (b"Content-ID: <root@test>", b"Content-ID: <other@test>"),
        (b"\r\n--MIME-boundary-7f3a--\r\n", b""),
        (b"Content-Transfer-Encoding: binary", b"Content-Transfer-Encoding: base64"),
    ],
)
def test_a_package_that_is_no_mtom_is_refused_or_read_rightly(old: bytes, new: bytes) -> None:
    kind, body = request(Wish(), "")
    assert old in body
    if old.startswith(b"type"):
        assert mtom.read(kind, body.replace(old, new)).root.content_id == "root@test"
        return
    with pytest.raises(mtom.MtomError):
        package = mtom.read(kind, body.replace(old, new))
        root = etree.fromstring(package.root.body)
        for document in root.iter("{urn:ihe:iti:xds-b:2007}Document"):
            mtom.included(document, package)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> pki.Pki:
    return pki.make(tmp_path_factory.mktemp("pki"), now=NOW - timedelta(days=1))


def vihf_faults(
    keys: pki.Pki, *edits: tuple[str, str], now: datetime = NOW, after: bool = False
) -> list[str]:
    """Faults of an assertion made at NOW; `edits` before the signature, or after it."""
    cachet = keys.cachet
    subject = x509.load_pem_x509_certificate(cachet.certificate.read_bytes()).subject.rfc4514_string()
    text = assertion(subject, NOW)
    if not after:
        text = _edited(text, edits)
    text = sign(text, cachet.certificate, cachet.key)
    if after:
        text = _edited(text, edits)
    security = etree.fromstring(f"<s>{text}</s>")
    authorities = tuple(x509.load_pem_x509_certificates(keys.ca.read_bytes()))
    return [fault.place for fault in vihf.check(security, frozenset({PATIENT}), authorities, now)]


def _edited(text: str, edits: tuple[tuple[str, str], ...]) -> str:
    for old, new in edits:
        assert old in text, f"nothing to change: {old}"
        text = text.replace(old, new)
    return text


def test_a_true_vihf_has_no_fault(keys: pki.Pki) -> None:
    assert vihf_faults(keys) == []


@pytest.mark.req("REQ-44")
@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('Version="2.0"', 'Version="1.1"', "Assertion/@Version"),
        ("X509SubjectName", "entity", "Issuer"),
        ("CN=CACHET FICTIF", "CN=AUTRE", "Issuer"),
        ("<saml:NameID>801234560801</saml:NameID>", "", "Subject/NameID"),
        ("AuthnInstant=", "Other=", "AuthnStatement/@AuthnInstant"),
        (">3.0<", ">2.0<", "VIHF_Version"),
        (">INDIRECTE<", ">AUTRE<", "Authentification_Mode"),
        ("Identifiant_Structure", "Structure", "Identifiant_Structure"),
        ("SA08^", "XX^", "Secteur_Activite"),
        ("urn:dmp", "urn:other", "Ressource_URN"),
        ("LPS_ID_HOMOLOGATION_DMP", "LPS_ID", "LPS_ID_HOMOLOGATION_DMP"),
        ("279035121518989", "279035121518900", vihf.RESOURCE_ID),
        ("<Role ", "<Other ", vihf.ROLE),
        ("<PurposeOfUse ", "<Other ", vihf.PURPOSE),
    ],
)
def test_one_change_in_the_vihf_one_fault(keys: pki.Pki, old: str, new: str, place: str) -> None:
    assert vihf_faults(keys, (old, new)) == [place]


def test_a_change_after_the_signature_is_noticed(keys: pki.Pki) -> None:
    assert "ds:Signature" in vihf_faults(keys, ("801234560801", "801234567897"), after=True)
    assert "ds:Signature" in vihf_faults(keys, (">Passerelle<", "> Passerelle<"), after=True)


def test_an_assertion_grows_old(keys: pki.Pki) -> None:
    assert vihf_faults(keys, now=NOW + timedelta(minutes=59)) == []
    assert vihf_faults(keys, now=NOW + timedelta(minutes=61)) == ["Assertion/@IssueInstant"]
    assert vihf_faults(keys, now=NOW - timedelta(minutes=6)) == ["Assertion/@IssueInstant"]


def test_a_signature_over_another_element_is_refused(keys: pki.Pki) -> None:
    """Signature wrapping: a true signature is moved onto an assertion that it does not name."""
    text = sign(assertion("CN=x", NOW), keys.cachet.certificate, keys.cachet.key)
    root = etree.fromstring(text)
    root.set("ID", "_another")
    signature = root.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
    assert signature is not None
    with pytest.raises(SignatureRefusedError, match="does not name"):
        verify(root, signature)


def test_the_schemas_of_the_kit_are_optional(tmp_path: Path) -> None:
    from conformance.simulators.dmp import DmpSimulator, Options

    assert DmpSimulator(Options(tmp_path)).schema is None
