"""An ITI-41 request written by hand from the spec (dmp-mss.md §1, §2.3, §2.5), shared by simulator tests.

`Wish` states what differs from a faultless request; each test changes one thing. Nothing here uses the
gateway's own XDS, SOAP or VIHF code.
"""

import base64
import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree
from signxml import DigestAlgorithm, SignatureMethod, methods
from signxml.signer import XMLSigner

PATIENT = "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH"
PERSON = "801234560801^BIDEAULT^Jacques^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
PLACE = "Centre de radiologie Ambroise^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1920008059"
CDA = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3">'
    b'<id root="1.2.3.1"/><code code="18748-4" codeSystem="2.16.840.1.113883.6.1"/><recordTarget>'
    b'<patientRole><id root="1.2.250.1.213.1.4.10" extension="279035121518989"/></patientRole>'
    b"</recordTarget></ClinicalDocument>\r\n"
)


@dataclass
class Wish:
    """One submission. `edits` are (old, new) replacements on the finished SubmitObjectsRequest text."""

    unique_id: str = "1.2.3.1"
    set_id: str = "1.2.3.2"
    entry_id: str = "Document01"
    document: bytes = CDA
    replaces: str = ""
    edits: list[tuple[str, str]] = field(default_factory=list)
    assertion_edits: list[tuple[str, str]] = field(default_factory=list)
    assertion: bool = True
    action: str = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"


def slot(name: str, *values: str) -> str:
    inner = "".join(f"<rim:Value>{value.replace('&', '&amp;')}</rim:Value>" for value in values)
    return f'<rim:Slot name="{name}"><rim:ValueList>{inner}</rim:ValueList></rim:Slot>'


def code(scheme: str, owner: str, value: str, coding: str, label: str) -> str:
    return (
        f'<rim:Classification id="c{uuid.uuid4().hex}" classificationScheme="urn:uuid:{scheme}" '
        f'classifiedObject="{owner}" nodeRepresentation="{value}">{slot("codingScheme", coding)}'
        f'<rim:Name><rim:LocalizedString value="{label}"/></rim:Name></rim:Classification>'
    )


def author(scheme: str, owner: str) -> str:
    return (
        f'<rim:Classification id="a{uuid.uuid4().hex}" classificationScheme="urn:uuid:{scheme}" '
        f'classifiedObject="{owner}" nodeRepresentation="">{slot("authorPerson", PERSON)}'
        f"{slot('authorInstitution', PLACE)}</rim:Classification>"
    )


def identifier(scheme: str, owner: str, value: str, name: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="i{uuid.uuid4().hex}" registryObject="{owner}" '
        f'identificationScheme="urn:uuid:{scheme}" value="{value.replace("&", "&amp;")}">'
        f'<rim:Name><rim:LocalizedString value="{name}"/></rim:Name></rim:ExternalIdentifier>'
    )


def submit_objects(wish: Wish, uri: str = "") -> str:
    """The metadata; with `uri` as in METADATA.XML of an XDM archive."""
    one, whole = wish.entry_id, "SubmissionSet01"
    entry = (
        f'<rim:ExtrinsicObject id="{one}" mimeType="text/xml" '
        'objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">'
        + (slot("URI", uri) if uri else "")
        + slot("creationTime", "20210108101700")
        + slot("hash", hashlib.sha1(wish.document).hexdigest())
        + slot("languageCode", "fr-FR")
        + slot("legalAuthenticator", PERSON)
        + slot("serviceStartTime", "20210108090000")
        + slot("size", str(len(wish.document)))
        + slot("sourcePatientId", "1234567890121^^^&1.2.3.4.567.8.9.10&ISO^PI")
        + slot("sourcePatientInfo", "PID-5|PAT-TROIS^DOMINIQUE^^^^^L", "PID-7|19790328", "PID-8|F")
        + '<rim:Name><rim:LocalizedString value="CR d\'imagerie médicale"/></rim:Name>'
        + author("93606bcf-9494-43ec-9b4e-a7748d1a838d", one)
        + code(
            "41a5887f-8865-4c09-adf7-e362475b143a", one, "31", "1.2.250.1.213.1.1.4.1", "Imagerie médicale"
        )
        + code("f0306f51-975f-434e-a61c-c59651d33983", one, "18748-4", "2.16.840.1.113883.6.1", "CR")
        + code(
            "a09d5840-386c-46f2-b5ad-9c3699a4309d",
            one,
            "urn:ihe:iti:xds-sd:pdf:2008",
            "1.3.6.1.4.1.19376.1.2.3",
            "PDF",
        )
        + code("f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", one, "SA08", "1.2.250.1.71.4.2.4", "Cabinet")
        + code("cccf5598-8b07-4b77-a05e-ae952c785ead", one, "AMBULATOIRE", "1.2.250.1.213.1.1.4.9", "Amb")
        + code("f4f85eac-e6cb-4883-b524-f2705394840f", one, "N", "2.16.840.1.113883.5.25", "Normal")
        + identifier("58a6f841-87b3-4a3e-92fd-a8ffeff98427", one, PATIENT, "XDSDocumentEntry.patientId")
        + identifier("2e82c1f6-a085-4c72-9da3-8640a32e42ab", one, wish.unique_id, "XDSDocumentEntry.uniqueId")
        + "</rim:ExtrinsicObject>"
    )
    package = (
        f'<rim:RegistryPackage id="{whole}">'
        + slot("submissionTime", "20210108102000")
        + author("a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d", whole)
        + code("aa543740-bdda-424e-8c96-df4873be8500", whole, "07", "1.2.250.1.213.2.2", "Consultation")
        + identifier("6b5aea1a-874d-4603-a4bc-96a0a7b38446", whole, PATIENT, "XDSSubmissionSet.patientId")
        + identifier("554ac39e-e3fe-47fe-b233-965d2a147832", whole, "1.2.3", "XDSSubmissionSet.sourceId")
        + identifier("96fdda7c-d067-4183-912e-bf5ee74998a8", whole, wish.set_id, "XDSSubmissionSet.uniqueId")
        + "</rim:RegistryPackage>"
        + f'<rim:Classification id="s{uuid.uuid4().hex}" classifiedObject="{whole}" '
        'classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>'
    )
    member = (
        '<rim:Association id="as01" '
        'associationType="urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember" '
        f'sourceObject="{whole}" targetObject="{one}">{slot("SubmissionSetStatus", "Original")}'
        "</rim:Association>"
    )
    if wish.replaces:
        member += (
            '<rim:Association id="as02" associationType="urn:ihe:iti:2007:AssociationType:RPLC" '
            f'sourceObject="{one}" targetObject="{wish.replaces}"/>'
        )
    text = (
        '<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" '
        'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><rim:RegistryObjectList>'
        f"{entry}{package}{member}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )
    for old, new in wish.edits:
        assert old in text, f"nothing to change: {old}"
        text = text.replace(old, new)
    return text


def attribute(name: str, value: str) -> str:
    return (
        f'<saml:Attribute Name="{name}"><saml:AttributeValue>{value.replace("&", "&amp;")}'
        "</saml:AttributeValue></saml:Attribute>"
    )


def assertion(subject: str, now: datetime | None = None) -> str:
    """An unsigned VIHF of an automaton; `subject` is the DN of the cachet."""
    instant = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    concept = 'xmlns="urn:hl7-org:v3" code="{}" codeSystem="{}" displayName="{}"'
    role = concept.format("AUTOMATE", "1.2.250.1.213.1.1.4.6", "Automate")
    purpose = concept.format("normal", "1.2.250.1.213.1.1.4.248", "Accès normal")
    return (
        '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" '
        f'ID="_{uuid.uuid4()}" IssueInstant="{instant}">'
        '<saml:Issuer Format="urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName">'
        f"{subject}</saml:Issuer>"
        '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>'
        "<saml:Subject><saml:NameID>801234560801</saml:NameID></saml:Subject>"
        f'<saml:AuthnStatement AuthnInstant="{instant}"><saml:AuthnContext><saml:AuthnContextClassRef>'
        "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified</saml:AuthnContextClassRef></saml:AuthnContext>"
        "</saml:AuthnStatement><saml:AttributeStatement>"
        + attribute("VIHF_Version", "3.0")
        + attribute("Authentification_Mode", "INDIRECTE")
        + attribute("Identifiant_Structure", "1920008059")
        + attribute("Secteur_Activite", "SA08^1.2.250.1.71.4.2.4")
        + attribute("urn:oasis:names:tc:xacml:2.0:resource:resource-id", PATIENT)
        + attribute("Ressource_URN", "urn:dmp")
        + attribute("urn:oasis:names:tc:xspa:1.0:subject:subject-id", "Passerelle")
        + attribute("LPS_Nom", "Passerelle")
        + attribute("LPS_Version", "0.1")
        + attribute("LPS_ID_HOMOLOGATION_DMP", "FICTIF-0001")
        + '<saml:Attribute Name="urn:oasis:names:tc:xacml:2.0:subject:role"><saml:AttributeValue>'
        f"<Role {role}/></saml:AttributeValue></saml:Attribute>"
        '<saml:Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"><saml:AttributeValue>'
        f"<PurposeOfUse {purpose}/></saml:AttributeValue></saml:Attribute>"
        "</saml:AttributeStatement></saml:Assertion>"
    )


def sign(text: str, certificate: Path, key: Path) -> str:
    """Signed by signxml: enveloped, exc-c14n, RSA-SHA256, in the place of the placeholder."""
    signer = XMLSigner(
        method=methods.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
    )
    root = etree.fromstring(text.encode())
    signed = signer.sign(
        root,
        key=key.read_bytes(),
        cert=certificate.read_text(),
        reference_uri=root.get("ID"),
        id_attribute="ID",
    )
    return etree.tostring(signed).decode()


def request(wish: Wish, signed_assertion: str) -> tuple[str, bytes]:
    """(Content-Type, body) of the whole MTOM request."""
    for old, new in wish.assertion_edits:
        assert old in signed_assertion, f"nothing to change: {old}"
        signed_assertion = signed_assertion.replace(old, new)
    security = (
        '<wsse:Security xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/'
        f'oasis-200401-wss-wssecurity-secext-1.0.xsd">{signed_assertion}</wsse:Security>'
    )
    envelope = (
        '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:wsa="http://www.w3.org/2005/08/addressing"><env:Header>'
        f'<wsa:Action env:mustUnderstand="true">{wish.action}</wsa:Action>'
        f"<wsa:MessageID>urn:uuid:{uuid.uuid4()}</wsa:MessageID><wsa:To>urn:dmp</wsa:To>"
        f"{security if wish.assertion else ''}</env:Header><env:Body>"
        '<xdsb:ProvideAndRegisterDocumentSetRequest xmlns:xdsb="urn:ihe:iti:xds-b:2007">'
        f"{submit_objects(wish)}"
        f'<xdsb:Document id="{wish.entry_id}"><xop:Include '
        'xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:doc1@test"/></xdsb:Document>'
        "</xdsb:ProvideAndRegisterDocumentSetRequest></env:Body></env:Envelope>"
    )
    boundary = "MIME-boundary-7f3a"
    body = (
        f"--{boundary}\r\n"
        'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
        "Content-Transfer-Encoding: binary\r\nContent-ID: <root@test>\r\n\r\n"
        f"{envelope}\r\n--{boundary}\r\nContent-Type: text/xml\r\n"
        "Content-Transfer-Encoding: binary\r\nContent-ID: <doc1@test>\r\n\r\n"
    ).encode() + wish.document
    body += f"\r\n--{boundary}--\r\n".encode()
    kind = (
        'multipart/related; type="application/xop+xml"; start="<root@test>"; '
        f'start-info="application/soap+xml"; action="{wish.action}"; boundary="{boundary}"'
    )
    return kind, body


def pdf(text: str = "CR") -> bytes:
    """Something that starts like a PDF and declares PDF/A-1b, for rules that look no deeper."""
    return f'%PDF-1.4\n<rdf:Description pdfaid:part="1" pdfaid:conformance="B"/>{text}\n%%EOF'.encode()


def cda_with_pdf(page: bytes) -> bytes:
    """A CDA N1 reduced to what the simulators read."""
    body = base64.b64encode(page).decode()
    return CDA.replace(
        b"</ClinicalDocument>",
        '<component><nonXMLBody><text mediaType="application/pdf" representation="B64">'
        f"{body}</text></nonXMLBody></component></ClinicalDocument>".encode(),
    )
