"""ITI-41: envelope, WS-Addressing, security header and MTOM package, read with the standard library."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from lxml import etree

from gateway.model.base import replace
from gateway.xds import provide_and_register
from gateway.xds.soap import SoapRequest
from tests.support import XDS_SCHEMAS, needs_kit
from tests.unit.xds_samples import DOCUMENT, ENTRY_ID, SUBMISSION

NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://www.w3.org/2005/08/addressing",
    "w": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "x": "urn:ihe:iti:xds-b:2007",
    "xop": "http://www.w3.org/2004/08/xop/include",
    "lcm": "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0",
}
ACTION = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
MESSAGE_ID = "urn:uuid:2a3b4c5d-0000-4000-8000-000000000001"
URL = "https://dmp.example/repository"


def make(documents: tuple[tuple[str, bytes], ...] = ((ENTRY_ID, DOCUMENT),)) -> SoapRequest:
    assertion = '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1"/>'
    return provide_and_register(SUBMISSION, documents, assertion=assertion, message_id=MESSAGE_ID, to=URL)


def parts(request: SoapRequest) -> list[EmailMessage]:
    """The parts, by the standard library's own MIME parser."""
    head = f"Content-Type: {request.content_type}\r\n\r\n".encode()
    message = message_from_bytes(head + request.body, policy=policy.HTTP)
    assert isinstance(message, EmailMessage)
    return [part for part in message.iter_parts() if isinstance(part, EmailMessage)]


def envelope(request: SoapRequest) -> etree._Element:
    payload = parts(request)[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    return etree.fromstring(payload)


def test_the_content_type_names_root_start_info_and_action() -> None:
    request = make()
    head = message_from_bytes(f"Content-Type: {request.content_type}\r\n\r\n".encode(), policy=policy.HTTP)
    parameters = dict(head["content-type"].params)
    boundary = parameters.pop("boundary")
    start = parameters.pop("start")
    assert head.get_content_type() == "multipart/related"
    assert parameters == {
        "type": "application/xop+xml",
        "start-info": "application/soap+xml",
        "action": ACTION,
    }
    assert request.body.startswith(f"--{boundary}\r\n".encode())
    assert parts(request)[0]["content-id"] == start
    assert request.action == ACTION


def test_the_root_part_is_an_xop_package_of_soap() -> None:
    root = parts(make())[0]
    assert root.get_content_type() == "application/xop+xml"
    assert root["content-type"].params["charset"] == "UTF-8"
    assert root["content-type"].params["type"] == "application/soap+xml"
    assert root["content-transfer-encoding"] == "binary"


def test_the_headers_of_ws_addressing() -> None:
    root = envelope(make())
    assert root.tag == f"{{{NS['s']}}}Envelope"
    header = {etree.QName(node).localname: node for node in root.iterfind("s:Header/*", NS)}
    assert header["Action"].text == ACTION
    assert header["Action"].get(f"{{{NS['s']}}}mustUnderstand") == "true"
    assert header["MessageID"].text == MESSAGE_ID
    assert header["To"].text == URL
    assert header["ReplyTo"].findtext("a:Address", namespaces=NS) == f"{NS['a']}/anonymous"


def test_the_assertion_stands_in_the_security_header() -> None:
    assertion = '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1"/>'
    request = provide_and_register(
        SUBMISSION, ((ENTRY_ID, DOCUMENT),), assertion=assertion, message_id=MESSAGE_ID, to=URL
    )
    (inside,) = envelope(request).findall("s:Header/w:Security/*", NS)
    assert (
        etree.tostring(inside, method="c14n", exclusive=True)
        == assertion.replace("/>", "></saml:Assertion>").encode()
    )


def test_a_signed_assertion_has_the_same_canonical_bytes_inside_the_envelope() -> None:
    """Exclusive C14N with the prefixes that the VIHF names: nothing in scope above may change them."""
    assertion = (
        '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ID="_1"><saml:AttributeValue>'
        '<Role xmlns="urn:hl7-org:v3" xsi:type="CE" code="10"/></saml:AttributeValue></saml:Assertion>'
    )
    prefixes, alone = ["ds", "saml", "#default", "xsi"], etree.fromstring(assertion)
    before = etree.tostring(alone, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes)
    request = provide_and_register(
        SUBMISSION, ((ENTRY_ID, DOCUMENT),), assertion=assertion, message_id=MESSAGE_ID, to=URL
    )
    (inside,) = envelope(request).findall("s:Header/w:Security/*", NS)
    after = etree.tostring(inside, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes)
    assert after == before


def test_the_document_travels_as_a_binary_part_that_xop_includes() -> None:
    request = make()
    (document,) = envelope(request).findall(".//x:Document", NS)
    include = document.find("xop:Include", NS)
    assert document.get("id") == ENTRY_ID
    assert include is not None
    attachment = parts(request)[1]
    assert attachment["content-id"] == f"<{str(include.get('href')).removeprefix('cid:')}>"
    assert attachment.get_content_type() == "text/xml"
    assert attachment["content-transfer-encoding"] == "binary"
    assert b"\r\n\r\n" + DOCUMENT + b"\r\n--" in request.body


def test_bytes_that_hold_the_boundary_get_another_boundary() -> None:
    boundary = make().body.split(b"\r\n", 1)[0]
    nasty = b"<a>" + boundary + b"--</a>"
    request = make(((ENTRY_ID, nasty),))
    assert not request.body.startswith(boundary)
    assert nasty in request.body


def test_the_same_message_id_gives_the_same_bytes() -> None:
    assert make() == make()


@pytest.mark.parametrize("documents", [(), (("urn:uuid:other", DOCUMENT),), ((ENTRY_ID, DOCUMENT),) * 2])
def test_documents_and_entries_must_match_one_to_one(documents: tuple[tuple[str, bytes], ...]) -> None:
    with pytest.raises(ValueError, match="one to one"):
        make(documents)


def test_a_submission_without_assertion_has_no_security_header() -> None:
    request = provide_and_register(
        replace(SUBMISSION), ((ENTRY_ID, DOCUMENT),), assertion="", message_id=MESSAGE_ID, to=URL
    )
    assert envelope(request).find("s:Header/w:Security", NS) is None


@needs_kit
@pytest.mark.kit
@pytest.mark.req("REQ-36")
def test_the_body_fits_the_xds_schema_once_the_include_is_resolved() -> None:
    """XOP: the included part stands for the Base64 text of the element (the schema knows no Include)."""
    root = envelope(make())
    (document,) = root.findall(".//x:Document", NS)
    for include in document:
        document.remove(include)
    document.text = "PGEvPg=="
    schema = etree.XMLSchema(etree.parse(str(XDS_SCHEMAS / "ebxml" / "XDS.b_DocumentRepository.xsd")))
    body = root.find("s:Body", NS)
    assert body is not None
    assert schema.validate(body[0]), schema.error_log
