"""Answers of a registry: statuses, errors, faults; what is none of these is refused by class."""

import pytest

from gateway.xds import NotXdsError, RegistryError, SoapFault, mtom, read_registry_response

RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"
SOAP = "application/soap+xml; charset=UTF-8"


def answer(inner: str) -> bytes:
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/>'
        f"<s:Body>{inner}</s:Body></s:Envelope>"
    ).encode()


SUCCESS = answer(f'<rs:RegistryResponse xmlns:rs="{RS}" status="{STATUS}Success"/>')
FAILURE = answer(
    f'<rs:RegistryResponse xmlns:rs="{RS}" status="{STATUS}Failure"><rs:RegistryErrorList>'
    f'<rs:RegistryError errorCode="XDSNonIdenticalHash" codeContext="autre empreinte" '
    f'severity="{SEVERITY}Error"/>'
    f'<rs:RegistryError errorCode="urn:ihe:XDSRegistryBusy" codeContext="" severity="{SEVERITY}Warning">plein'
    "</rs:RegistryError></rs:RegistryErrorList></rs:RegistryResponse>"
)


def test_success() -> None:
    response = read_registry_response(SOAP, SUCCESS)
    assert (response.status, response.errors, response.fault) == ("Success", (), None)


def test_failure_with_its_errors_in_order() -> None:
    response = read_registry_response(SOAP, FAILURE)
    assert response.status == "Failure"
    assert response.errors == (
        RegistryError(code="XDSNonIdenticalHash", context="autre empreinte", severity="Error"),
        RegistryError(code="XDSRegistryBusy", context="plein", severity="Warning"),
    )


def test_an_error_without_severity_is_an_error() -> None:
    inner = (
        f'<r:RegistryResponse xmlns:r="{RS}" status="{STATUS}Failure"><r:RegistryErrorList>'
        '<r:RegistryError errorCode="X" codeContext="y"/></r:RegistryErrorList></r:RegistryResponse>'
    )
    assert read_registry_response(SOAP, answer(inner)).errors[0].severity == "Error"


def test_partial_success_has_the_urn_of_ihe() -> None:
    inner = (
        f'<r:RegistryResponse xmlns:r="{RS}" status="urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"/>'
    )
    assert read_registry_response(SOAP, answer(inner)).status == "PartialSuccess"


def test_an_answer_as_mtom_package() -> None:
    body = b"".join(mtom.write((mtom.part("r@x", "application/xop+xml", FAILURE),), "edge"))
    response = read_registry_response('multipart/related; boundary=edge; start="<r@x>"', body)
    assert len(response.errors) == 2


def test_a_bare_registry_response_without_envelope() -> None:
    body = f'<RegistryResponse xmlns="{RS}" status="{STATUS}Success"/>'.encode()
    assert read_registry_response("text/xml", body).status == "Success"


def test_a_fault_of_soap_12() -> None:
    fault = answer(
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:w='urn:w'>"
        "w:InvalidSecurity</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang='en'>bad</s:Text>"
        "<s:Text xml:lang='fr'>jeton refusé</s:Text></s:Reason></s:Fault>"
    )
    response = read_registry_response(SOAP, fault)
    assert response.status == ""
    assert response.fault == SoapFault(code="Sender", subcode="InvalidSecurity", reason="jeton refusé")


def test_a_fault_of_soap_11() -> None:
    body = (
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
        b"<faultcode>e:Server</faultcode><faultstring>panne</faultstring></e:Fault></e:Body></e:Envelope>"
    )
    assert read_registry_response("text/xml", body).fault == SoapFault(code="Server", reason="panne")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<html><body>502 Bad Gateway"),
        (SOAP, b""),
        (SOAP, b"\x00\x01"),
        (SOAP, answer("<other/>")),
        (SOAP, answer(f'<rs:RegistryResponse xmlns:rs="{RS}" status="maybe"/>')),
        ("multipart/related; boundary=edge", SUCCESS),
        (SOAP, b'<!DOCTYPE x [<!ENTITY a "b">]>' + SUCCESS),
        ("", b"not xml"),
    ],
)
def test_garbage_is_not_xds(content_type: str, body: bytes) -> None:
    with pytest.raises(NotXdsError):
        read_registry_response(content_type, body)
