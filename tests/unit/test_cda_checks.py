"""Own checks, one change of a valid document each (cda.md §2: what the official rules do not catch)."""

from base64 import b64encode

import pytest

from gateway import cda
from gateway.cda.checks import RULES, has_key
from gateway.model.findings import Severity
from tests.reports import REPLACEMENT, VERSION
from tests.support import KIT, SAMPLES, needs_kit, needs_samples

PDF = b"%PDF-1.4\n%%EOF\n"
VALID = cda.build_n1(VERSION, PDF).data
SECOND = cda.build_n1(REPLACEMENT, PDF).data
WORDS = VALID.replace(b64encode(PDF), b64encode(b"Examen normal."))
STRUCTURED = VALID.replace(b"nonXMLBody", b"structuredBody")


def test_a_built_document_has_no_finding() -> None:
    assert cda.check(VALID) == ()
    assert cda.check(SECOND) == ()


def test_every_rule_names_its_source() -> None:
    assert all(rule.title and rule.source for rule in RULES)


CHANGES = [
    ("INS root", VALID, b"1.2.250.1.213.1.4.10", b"1.2.3.4", "CDA-INS-MISSING"),
    ("INS key", VALID, b"279035121518989", b"279035121518988", "INS-KEY"),
    ("no offset", VALID, b"20210108111805+0100", b"20210108111805", "CDA-ADVICE"),
    ("milliseconds", VALID, b"20210108111805+0100", b"20210108111805.1+0100", "CDA-ADVICE"),
    ("date only", VALID, b"20210108111805+0100", b"20210108", "CDA-ADVICE"),
    ("act without offset", VALID, b"20210108102500+0100", b"20210108102500", "CDA-ADVICE"),
    ("RPPS without 8", VALID, b'extension="801234560801"', b'extension="11234560801"', "RPPS-FORM"),
    ("ADELI is no fault", VALID, b'extension="801234560801"', b'extension="0751234567"', None),
    ("RPPS too short", VALID, b'extension="801234560801"', b'extension="8012345"', "RPPS-FORM"),
    ("unknown type digit", VALID, b'extension="801234560801"', b'extension="21234560801"', "RPPS-FORM"),
    ("four templates", VALID, b"<id root=", b'<templateId root="1.2"/><id root=', "CDA-RULE"),
    ("other template", VALID, b"1.3.6.1.4.1.19376.1.2.20", b"1.2.250.1.213.1.1.1.45", "CDA-RULE"),
    ("N1 template on N3", STRUCTURED, b"", b"", "CDA-RULE"),
    ("media type", VALID, b'mediaType="application/pdf"', b'mediaType="image/jpeg"', "CDA-RULE"),
    ("plain text is allowed", WORDS, b'mediaType="application/pdf"', b'mediaType="text/plain"', None),
    ("a PDF declared as text", VALID, b'mediaType="application/pdf"', b'mediaType="text/plain"', "CDA-RULE"),
    ("representation", VALID, b'representation="B64"', b'representation="TXT"', "CDA-RULE"),
    ("no Base64", VALID, b"JVBERi0x", b"JVBERi0*", "HL7-BASE64"),
    ("no PDF", VALID, b"JVBERi0x", b"AAAAAAAA", "PDF-INVALID"),
    ("confidentiality", VALID, b'code="N" displayName="Normal"', b'code="R" displayName="R"', "CDA-ADVICE"),
    ("no setId", VALID, b"<setId", b"<other", "CDA-ADVICE"),
    ("version 2 alone", VALID, b'<versionNumber value="1"', b'<versionNumber value="2"', "CDA-RULE"),
    ("version 1 replaces", SECOND, b'<versionNumber value="2"', b'<versionNumber value="1"', "CDA-ADVICE"),
    ("transformation", SECOND, b'typeCode="RPLC"', b'typeCode="XFRM"', "CDA-ADVICE CDA-RULE"),
    ("practice setting", VALID, b'code="AMBULATOIRE"', b'code="RADIOLOGIE"', "CDA-RULE"),
    ("no order", VALID, b"inFulfillmentOf", b"unknown", "CDA-ADVICE"),
    ("RM", VALID, b'translation code="CT"', b'translation code="RM"', "CDA-ADVICE"),
    ("no modality", VALID, b"1.2.840.10008.2.16.4", b"1.2.3", "CDA-ADVICE"),
    ("region", VALID, b'code="774007"', b'code="69536005"', "CDA-ADVICE"),
    ("not a CDA", VALID, b"urn:hl7-org:v3", b"urn:x", "CDA-INVALID"),
]  # fmt: skip


@pytest.mark.parametrize("title, data, old, new, codes", CHANGES, ids=[change[0] for change in CHANGES])
def test_one_change_one_finding(title: str, data: bytes, old: bytes, new: bytes, codes: str | None) -> None:
    assert old in data
    found = {item.code for item in cda.check(data.replace(old, new))}
    assert found == set((codes or "").split())


def test_a_dangling_reference_of_a_structured_body_is_a_warning() -> None:
    body = STRUCTURED.replace(b"1.3.6.1.4.1.19376.1.2.20", b"1.2.840.10008.9.1")
    body = body.replace(b"<text ", b'<reference value="#here"/><content ID="here"/><text ')
    assert cda.check(body) == ()
    (found,) = cda.check(body.replace(b'ID="here"', b'ID="elsewhere"'))
    assert (found.code, found.location) == ("CDA-ADVICE", "ClinicalDocument//reference")


def test_a_missing_ins_is_an_error_for_the_dmp_and_a_warning_else() -> None:
    data = VALID.replace(b"1.2.250.1.213.1.4.10", b"1.2.3.4")
    assert [item.severity for item in cda.check(data)] == [Severity.WARNING]
    assert [item.severity for item in cda.check(data, for_dmp=True)] == [Severity.ERROR]


def test_a_finding_names_the_place_and_never_the_value() -> None:
    data = VALID.replace(b'extension="801234560801"', b'extension="21234560801"')
    found = cda.check(data)
    assert "ClinicalDocument/author[1]/assignedAuthor/id" in [item.location for item in found]
    assert not any("1234560801" in str(item) for item in found)


@pytest.mark.req("REQ-13")
@pytest.mark.parametrize(
    "matricule, valid",
    [
        ("279035121518989", True),
        ("279035121518988", False),
        ("2790351215189", False),
        ("27903512151898X", False),
        ("179032A12345604", True),
        ("179032B12345631", True),
        ("", False),
    ],
)
def test_the_key_of_a_matricule(matricule: str, valid: bool) -> None:
    assert has_key(matricule) is valid


@pytest.mark.samples
@needs_samples
def test_the_official_ris_documents_have_warnings_only() -> None:
    """They carry the modality RM and an encounter without offset (cda.md §10.6, §10.14)."""
    for path in (SAMPLES / "cda").glob("*.xml"):
        assert {(item.code, item.severity) for item in cda.check(path.read_bytes())} == {
            ("CDA-ADVICE", Severity.WARNING)
        }


@pytest.mark.kit
@needs_kit
def test_the_official_examples_have_no_error() -> None:
    for path in (KIT / "ExemplesCDA").glob("*.xml"):
        assert [item for item in cda.check(path.read_bytes()) if item.severity is Severity.ERROR] == []
