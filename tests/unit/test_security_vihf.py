"""The VIHF: every element and attribute of spec dmp-mss.md §2.5, its signature, and what breaks it."""

import base64
import hashlib
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml import XMLVerifier
from signxml.exceptions import InvalidCertificate, InvalidDigest, InvalidSignature

from gateway.model.base import replace
from gateway.model.site import Software
from gateway.security import Cachet, Role, VihfClaims, vihf
from gateway.security.signature import DSIG, EXC_C14N, enveloped_signature
from gateway.security.vihf import AUTOMATE, SAML
from tests.support import XDS_SCHEMAS
from tests.unit.pki_files import cachet, pki

NOW = datetime(2021, 1, 8, 11, 20, 30, 123456, tzinfo=timezone(timedelta(hours=1)))
ID = "_5f0c6c1e-0d3e-4b7e-9a51-0a86a1d7f001"
CLAIMS = VihfClaims(
    patient="279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH",
    structure_id="1920008059",
    sector="SA07^1.2.250.1.71.4.2.4",
    user_id="801234560801",
    subject_name="Passerelle, 0.1, Centre de radiologie Ambroise",
    roles=(AUTOMATE,),
    software=Software(name="Passerelle", version="0.1", homologation="FICTIF-0001"),
)
RADIOLOGIST = (
    Role(code="10", system="1.2.250.1.71.1.2.7", display="Médecin", system_name="professions"),
    Role(code="SM44", system="1.2.250.1.71.4.2.5", display="Radio-diagnostic (SM)"),
)
N = {"s": SAML, "d": DSIG, "h": "urn:hl7-org:v3", "x": EXC_C14N}


def written(claims: VihfClaims = CLAIMS) -> bytes:
    return vihf(claims, cachet(), assertion_id=ID, now=NOW).encode()


def made(claims: VihfClaims = CLAIMS) -> etree._Element:
    return etree.fromstring(written(claims))


def canonical(element: etree._Element) -> bytes:
    """By lxml, as a peer does it: with the prefixes that InclusiveNamespaces names."""
    return etree.tostring(
        element, method="c14n", exclusive=True, inclusive_ns_prefixes=["ds", "saml", "#default", "xsi"]
    )


def verified(data: bytes) -> etree._Element:
    """The content that signxml answers for, with the test authority as the only one trusted."""
    result = XMLVerifier().verify(data, ca_pem_file=str(pki().ca), id_attribute="ID")
    assert not isinstance(result, list)
    assert result.signed_xml is not None
    return result.signed_xml


def values(assertion: etree._Element, name: str) -> list[str]:
    return assertion.xpath("//s:Attribute[@Name=$name]/s:AttributeValue/text()", namespaces=N, name=name)


@pytest.mark.req("REQ-44")
def test_the_assertion_is_saml_2_issued_now_in_utc_by_the_subject_of_the_cachet() -> None:
    assertion = made()
    assert assertion.tag == f"{{{SAML}}}Assertion"
    assert dict(assertion.attrib) == {
        "ID": ID,
        "IssueInstant": "2021-01-08T10:20:30.123Z",
        "Version": "2.0",
    }
    issuer = assertion.find("s:Issuer", N)
    assert issuer.get("Format") == "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
    assert issuer.text == (
        "CN=CACHET FICTIF,OU=1920008059,O=CENTRE DE RADIOLOGIE AMBROISE (FICTIF),ST=Paris (75),C=FR"
    )


def test_children_stand_in_schema_order_with_the_signature_right_after_the_issuer() -> None:
    assert [etree.QName(child).localname for child in made()] == [
        "Issuer",
        "Signature",
        "Subject",
        "AuthnStatement",
        "AttributeStatement",
    ]


@pytest.mark.req("REQ-44")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VIHF_Version", "3.0"),
        ("Authentification_Mode", "INDIRECTE"),
        ("Secteur_Activite", "SA07^1.2.250.1.71.4.2.4"),
        ("urn:oasis:names:tc:xacml:2.0:resource:resource-id", CLAIMS.patient),
        ("Ressource_URN", "urn:dmp"),
        ("urn:oasis:names:tc:xspa:1.0:subject:subject-id", CLAIMS.subject_name),
        ("Identifiant_Structure", "1920008059"),
        ("LPS_Nom", "Passerelle"),
        ("LPS_Version", "0.1"),
        ("LPS_ID_HOMOLOGATION_DMP", "FICTIF-0001"),
    ],
)
def test_an_attribute_states_its_claim_once(name: str, value: str) -> None:
    assert values(made(), name) == [value]


def test_a_claim_without_value_has_no_attribute() -> None:
    names = [found.get("Name") for found in made().iter(f"{{{SAML}}}Attribute")]
    assert "LPS_ID" not in names
    assert "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code" not in names
    assert len(names) == len(set(names)) == 12


def test_the_number_of_the_installation_is_stated_when_it_is_known() -> None:
    assert values(made(replace(CLAIMS, software_id="1.2.3")), "LPS_ID") == ["1.2.3"]


def test_a_secret_connection_is_asked_by_a_confidentiality_code() -> None:
    name = "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code"
    assert values(made(replace(CLAIMS, secret_connection=True)), name) == ["INVISIBLE_REPRESENTANTS_LEGAUX"]


def test_the_version_of_the_vihf_is_the_site_s_choice() -> None:
    assert values(made(replace(CLAIMS, version="4.0")), "VIHF_Version") == ["4.0"]


def test_subject_and_authentication_say_who_answers_and_that_nobody_logged_in_here() -> None:
    assertion = made()
    assert assertion.findtext("s:Subject/s:NameID", namespaces=N) == "801234560801"
    statement = assertion.find("s:AuthnStatement", N)
    assert statement.get("AuthnInstant") == "2021-01-08T10:20:30.123Z"
    assert (
        statement.findtext("s:AuthnContext/s:AuthnContextClassRef", namespaces=N)
        == "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
    )
    assert assertion.find("s:Conditions", N) is None


def coded(assertion: etree._Element, tag: str) -> list[dict[str, str]]:
    return [dict(found.attrib) for found in assertion.iter(f"{{urn:hl7-org:v3}}{tag}")]


XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def test_an_automate_has_the_one_role_automate() -> None:
    assert coded(made(), "Role") == [
        {
            XSI_TYPE: "CE",
            "code": "AUTOMATE",
            "codeSystem": "1.2.250.1.213.1.1.4.6",
            "displayName": "AUTOMATE",
        }
    ]


def test_a_physician_has_profession_then_skill_as_two_values_of_one_attribute() -> None:
    assertion = made(replace(CLAIMS, roles=RADIOLOGIST))
    assert coded(assertion, "Role") == [
        {
            XSI_TYPE: "CE",
            "code": "10",
            "codeSystem": "1.2.250.1.71.1.2.7",
            "codeSystemName": "professions",
            "displayName": "Médecin",
        },
        {
            XSI_TYPE: "CE",
            "code": "SM44",
            "codeSystem": "1.2.250.1.71.4.2.5",
            "displayName": "Radio-diagnostic (SM)",
        },
    ]
    name = "urn:oasis:names:tc:xacml:2.0:subject:role"
    assert len(assertion.xpath("//s:Attribute[@Name=$name]", namespaces=N, name=name)) == 1


def test_the_purpose_of_use_is_normal_access() -> None:
    assert coded(made(), "PurposeOfUse") == [
        {
            XSI_TYPE: "CE",
            "code": "normal",
            "codeSystem": "1.2.250.1.213.1.1.4.248",
            "codeSystemName": "mode acces VIHF 1.0",
            "displayName": "Accès normal",
        }
    ]


def test_the_signature_is_enveloped_exclusive_c14n_rsa_sha256_over_the_assertion() -> None:
    info = made().find("d:Signature/d:SignedInfo", N)
    assert info.find("d:CanonicalizationMethod", N).get("Algorithm") == EXC_C14N
    assert info.find("d:SignatureMethod", N).get("Algorithm").endswith("xmldsig-more#rsa-sha256")
    assert info.find("d:Reference", N).get("URI") == f"#{ID}"
    assert [found.get("Algorithm") for found in info.iter(f"{{{DSIG}}}Transform")] == [
        f"{DSIG}enveloped-signature",
        EXC_C14N,
    ]
    prefixes = info.find("d:Reference/d:Transforms/d:Transform/x:InclusiveNamespaces", N)
    assert prefixes.get("PrefixList") == "ds saml #default xsi"
    assert info.find("d:Reference/d:DigestMethod", N).get("Algorithm").endswith("xmlenc#sha256")


def test_what_is_signed_is_the_canonical_form_of_what_is_sent() -> None:
    """SignedInfo is written in canonical form by hand: lxml must find nothing to change in it."""
    info = made().find("d:Signature/d:SignedInfo", N)
    signed = etree.tostring(etree.fromstring(etree.tostring(info)), method="c14n", exclusive=True)
    value = made().findtext("d:Signature/d:SignatureValue", namespaces=N)
    assert base64.b64decode(value) == cachet().sign(signed)


@pytest.mark.req("REQ-44")
def test_signxml_verifies_the_signature_against_the_authority_of_the_cachet() -> None:
    signed = verified(written(replace(CLAIMS, roles=RADIOLOGIST)))
    assert signed.tag == f"{{{SAML}}}Assertion"
    assert len(coded(signed, "Role")) == 2


def test_a_cachet_of_an_unknown_authority_is_refused_by_a_verifier() -> None:
    files = pki().other_cachet
    stranger = Cachet.load(files.certificate.read_bytes(), files.key.read_bytes())
    data = vihf(CLAIMS, stranger, assertion_id=ID, now=NOW).encode()
    with pytest.raises(InvalidCertificate):
        verified(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"279035121518989", b"279035121518988"),
        (b"801234560801", b"801234560802"),
        (b'code="AUTOMATE"', b'code="10"'),
        (b"SA07^", b"SA01^"),
        (b'xsi:type="CE"', b'xsi:type="CD"'),
        (b'Version="2.0"', b'Version="2.1"'),
    ],
)
def test_any_change_of_the_content_breaks_the_digest(old: bytes, new: bytes) -> None:
    data = written()
    assert old in data
    with pytest.raises(InvalidDigest):
        verified(data.replace(old, new))


def test_a_changed_signature_value_is_not_accepted() -> None:
    assertion = made()
    value = assertion.find("d:Signature/d:SignatureValue", N)
    value.text = ("A" if value.text[0] != "A" else "B") + value.text[1:]
    with pytest.raises(InvalidSignature):
        verified(etree.tostring(assertion))


def test_the_signature_holds_inside_a_soap_envelope_with_namespaces_of_its_own() -> None:
    envelope = etree.fromstring(
        '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns="urn:else"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soap:Header><w xmlns="urn:w"/></soap:Header>'
        "</soap:Envelope>"
    )
    envelope[0][0].append(made())
    inner = etree.fromstring(etree.tostring(envelope)).find(f".//{{{SAML}}}Assertion")
    assert verified(etree.tostring(inner)).get("ID") == ID


@pytest.mark.skipif(not shutil.which("xmlsec1"), reason="xmlsec1 is not installed")
def test_xmlsec1_verifies_the_signature_too(tmp_path: Path) -> None:
    file = tmp_path / "vihf.xml"
    file.write_bytes(written())
    command = ["xmlsec1", "--verify", "--id-attr:ID", f"{SAML}:Assertion", "--trusted-pem", str(pki().ca)]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.kit
@pytest.mark.skipif(not XDS_SCHEMAS.is_dir(), reason="SAML schema not found (set SHARED)")
def test_the_assertion_fits_the_saml_schema(tmp_path: Path) -> None:
    # xsi:type="CE" names a type of HL7 v3, which a validator wants to know: a lone complexType is enough.
    (tmp_path / "ce.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:hl7-org:v3">'
        '<xs:complexType name="CE"><xs:anyAttribute processContents="skip"/></xs:complexType></xs:schema>'
    )
    saml = (XDS_SCHEMAS / "saml" / "sstc-saml-schema-assertion-2.0.xsd").resolve().as_uri()
    (tmp_path / "all.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
        f'<xs:import namespace="{SAML}" schemaLocation="{saml}"/>'
        '<xs:import namespace="urn:hl7-org:v3" schemaLocation="ce.xsd"/></xs:schema>'
    )
    schema = etree.XMLSchema(etree.parse(tmp_path / "all.xsd"))
    schema.assertValid(made(replace(CLAIMS, roles=RADIOLOGIST, secret_connection=True)))


@pytest.mark.parametrize("wrong", ["5f0c6c1e", "", "a b", '_"x', "é"])
def test_an_id_that_is_no_ncname_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="NCName"):
        vihf(CLAIMS, cachet(), assertion_id=wrong, now=NOW)


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        vihf(CLAIMS, cachet(), assertion_id=ID, now=datetime(2021, 1, 8, 11))  # noqa: DTZ001 - the case


def test_characters_of_xml_in_a_claim_are_escaped_and_survive() -> None:
    name = "Cabinet <Ambroise> & fils"
    data = written(replace(CLAIMS, subject_name=name))
    assert values(verified(data), "urn:oasis:names:tc:xspa:1.0:subject:subject-id") == [name]


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)


@pytest.mark.req("REQ-44")
@settings(max_examples=60, deadline=None)
@given(texts=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), secret=st.booleans())
def test_what_is_hashed_is_the_canonical_form_whatever_the_claims_say(
    texts: tuple[str, str, str, str], secret: bool
) -> None:
    """The assertion is written in canonical form by hand: lxml must find nothing to change in it."""
    name, user, code, system_name = texts
    role = Role(code=code, system="1.2", display=name, system_name=system_name)
    claims = replace(CLAIMS, subject_name=name, user_id=user, roles=(role,), secret_connection=secret)
    try:
        data = written(claims)
    except ValueError:
        assert any(
            not (char in "\t\n\r" or " " <= char < "\ufffe" or char > "\uffff") for char in "".join(texts)
        )
        return
    read = etree.fromstring(data)
    assert read.findtext("s:Subject/s:NameID", namespaces=N) == user
    assert values(read, "urn:oasis:names:tc:xspa:1.0:subject:subject-id") == ([name] if name else [])
    signature = read.find("d:Signature", N)
    digest = signature.findtext(".//d:DigestValue", namespaces=N)
    begin, _, rest = data.partition(b"<Signature ")
    unsigned = begin + rest.partition(b"</Signature>")[2]
    read.remove(signature)
    assert canonical(read) == unsigned
    assert base64.b64decode(digest) == hashlib.sha256(unsigned).digest()


@pytest.mark.parametrize("char", ["\x00", "\x1f", "\ufffe", "\ud800"])
def test_a_character_that_xml_cannot_hold_is_refused(char: str) -> None:
    with pytest.raises(ValueError, match="XML cannot hold"):
        written(replace(CLAIMS, subject_name=f"Cabinet{char}"))


def test_the_same_claims_at_the_same_instant_give_the_same_bytes() -> None:
    assert written() == written()


def test_the_signature_alone_is_over_the_element_given() -> None:
    signature = enveloped_signature('<a xmlns="urn:a" ID="_a"><b></b></a>', "_a", cachet())
    data = f'<a xmlns="urn:a" ID="_a"><b></b>{signature}</a>'.encode()
    assert verified(data).tag == "{urn:a}a"


def test_midnight_in_paris_is_the_day_before_in_utc() -> None:
    late = datetime(2021, 1, 8, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assertion = vihf(CLAIMS, cachet(), assertion_id=ID, now=late)
    assert etree.fromstring(assertion).get("IssueInstant") == "2021-01-07T23:30:00.000Z"
    assert vihf(CLAIMS, cachet(), assertion_id=ID, now=late.astimezone(UTC)) == assertion
