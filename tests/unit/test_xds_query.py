"""ITI-18 GetDocuments: the request as the schema wants it, the answer as registries write it."""

import pytest
from lxml import etree

from gateway.xds import FoundEntry, NotXdsError, get_documents, read_query_response
from gateway.xds.soap import SoapRequest
from tests.support import XDS_SCHEMAS, needs_kit

QUERY = "{urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0}"
RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
URL = "https://dmp.example/registry"
SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
ENTRY = "urn:uuid:6f1f62f0-6d0c-5d3a-9c41-5d3f4b5e2a10"


def ask(*unique_ids: str) -> SoapRequest:
    return get_documents(unique_ids, assertion="", message_id="urn:uuid:2a3b4c5d", to=URL)


def body(request: SoapRequest) -> etree._Element:
    found = etree.fromstring(request.body).find(f"{SOAP}Body")
    assert found is not None
    return found[0]


def answer(content: str, status: str = SUCCESS) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{SOAP[1:-1]}"><s:Body><q:AdhocQueryResponse xmlns:q="{QUERY[1:-1]}" '
        f'xmlns:r="{RIM[1:-1]}" status="{status}">{content}</q:AdhocQueryResponse></s:Body></s:Envelope>'
    ).encode()


def leaf(status: str = "Approved") -> str:
    return (
        f'<r:ExtrinsicObject id="{ENTRY}" lid="{ENTRY}" objectType="urn:uuid:7edca82f" mimeType="text/xml" '
        f'status="urn:oasis:names:tc:ebxml-regrep:StatusType:{status}">'
        '<r:Slot name="hash"><r:ValueList><r:Value>AB12</r:Value></r:ValueList></r:Slot>'
        '<r:ExternalIdentifier id="a" registryObject="x" value="279035121518989^^^&amp;1.2.3&amp;ISO^NH" '
        'identificationScheme="urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"/>'
        '<r:ExternalIdentifier id="b" registryObject="x" value="1.2.3^4" '
        'identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"/></r:ExtrinsicObject>'
    )


def test_the_question_names_the_documents_and_wants_whole_entries() -> None:
    request = body(ask("1.2.3", "4.5^O'NEIL"))
    option = request.find(f"{QUERY}ResponseOption")
    query = request.find(f"{RIM}AdhocQuery")
    assert option is not None
    assert query is not None
    assert dict(option.attrib) == {"returnComposedObjects": "true", "returnType": "LeafClass"}
    assert query.get("id") == "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
    slot = query.find(f"{RIM}Slot")
    assert slot is not None
    assert slot.get("name") == "$XDSDocumentEntryUniqueId"
    assert slot.findtext(f"{RIM}ValueList/{RIM}Value") == "('1.2.3','4.5^O''NEIL')"


def test_the_question_is_plain_soap_with_its_action() -> None:
    request = ask("1.2.3")
    assert request.content_type == (
        'application/soap+xml; charset=UTF-8; action="urn:ihe:iti:2007:RegistryStoredQuery"'
    )


@needs_kit
def test_the_question_fits_the_schema() -> None:
    schema = etree.XMLSchema(etree.parse(str(XDS_SCHEMAS / "ebxml" / "query.xsd")))
    schema.assertValid(body(ask("1.2.3", "4.5^6")))


def test_what_the_registry_holds_is_read() -> None:
    found = read_query_response(
        "application/soap+xml", answer(f"<r:RegistryObjectList>{leaf()}</r:RegistryObjectList>")
    )
    assert found.entries == (
        FoundEntry(
            entry_uuid=ENTRY,
            unique_id="1.2.3^4",
            patient_id="279035121518989^^^&1.2.3&ISO^NH",
            status="Approved",
            hash="ab12",
        ),
    )


def test_an_empty_list_is_an_answer_too() -> None:
    found = read_query_response("application/soap+xml", answer("<r:RegistryObjectList/>"))
    assert (found.status, found.entries, found.errors) == ("Success", (), ())


def test_a_refusal_carries_its_codes() -> None:
    errors = (
        '<e:RegistryErrorList xmlns:e="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"><e:RegistryError '
        'errorCode="XDSUnknownStoredQuery" codeContext="?"/></e:RegistryErrorList>'
    )
    found = read_query_response("text/xml", answer(errors, SUCCESS.replace("Success", "Failure")))
    assert (found.status, [error.code for error in found.errors]) == ("Failure", ["XDSUnknownStoredQuery"])


@pytest.mark.parametrize("other", [b"<html/>", b"no", answer("", "urn:x:Perhaps"), b""])
def test_something_else_is_no_answer(other: bytes) -> None:
    with pytest.raises(NotXdsError):
        read_query_response("application/soap+xml", other)
