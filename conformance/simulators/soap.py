"""SOAP 1.2 of the DMP simulator: plain requests opened; RegistryResponse (ebRS 3.0) and faults as bytes."""

from typing import NamedTuple
from uuid import uuid4

from lxml import etree

from conformance.simulators.http import Request, Response
from conformance.simulators.vihf import WSSE
from conformance.simulators.xds_faults import Fault
from conformance.xml import XmlRefusedError, parse, text_of

ENV = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
PROVIDE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
PROVIDE_RESPONSE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse"
FAULT_ACTION = "http://www.w3.org/2005/08/addressing/fault"
STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
SEVERITY_ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
_E, _W, _R = f"{{{ENV}}}", f"{{{WSA}}}", f"{{{RS}}}"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


class RefusedError(Exception):
    """The request is not what it should be: it is answered with a SOAP fault."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults[0].text)
        self.faults = faults


class Opened(NamedTuple):
    """A request of plain SOAP 1.2."""

    message_id: str
    security: etree._Element | None
    content: etree._Element


def opened(request: Request, content: str, action: str) -> Opened:
    """The request that holds `content` (Clark name) in its Body, under `action`; raises RefusedError."""
    if not request.headers.get("content-type", "").startswith("application/soap+xml"):
        raise RefusedError(Fault("", "Content-Type", "is not application/soap+xml"))
    try:
        root = parse(request.body)
    except XmlRefusedError as error:
        raise RefusedError(Fault("", "request", str(error))) from None
    header, held = root.find(f"{_E}Header"), root.find(f"{_E}Body/{content}")
    if header is None or held is None:
        raise RefusedError(Fault("", "Body", f"holds no {etree.QName(content).localname}"))
    if text_of(header.find(f"{_W}Action")) != action:
        raise RefusedError(Fault("", "wsa:Action", f"is not {action}"))
    return Opened(text_of(header.find(f"{_W}MessageID")), header.find(f"{{{WSSE}}}Security"), held)


def registry_response(faults: tuple[Fault, ...], relates_to: str) -> Response:
    """Success without faults, Failure with one RegistryError each; an MTOM package, as ITI-41 demands."""
    root, body = envelope(PROVIDE_RESPONSE, relates_to)
    _registry_answer(body, faults)
    return _package(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def plain_response(action: str, faults: tuple[Fault, ...], relates_to: str) -> Response:
    """As `registry_response`, but plain SOAP 1.2: for a request without documents."""
    root, body = envelope(action, relates_to)
    _registry_answer(body, faults)
    return Response(
        200,
        f'application/soap+xml; charset=UTF-8; action="{action}"',
        etree.tostring(root, xml_declaration=True, encoding="UTF-8"),
    )


def _registry_answer(body: etree._Element, faults: tuple[Fault, ...]) -> None:
    status = "Failure" if faults else "Success"
    answer = etree.SubElement(body, f"{_R}RegistryResponse", {"status": STATUS + status}, {"rs": RS})
    if faults:
        error_list(answer, faults)


def error_list(answer: etree._Element, faults: tuple[Fault, ...]) -> None:
    """A RegistryErrorList below `answer`."""
    errors = etree.SubElement(answer, f"{_R}RegistryErrorList", nsmap={"rs": RS})
    for fault in faults:
        etree.SubElement(
            errors,
            f"{_R}RegistryError",
            errorCode=fault.code,
            codeContext=f"{fault.place}: {fault.text}",
            severity=SEVERITY_ERROR,
            location=fault.place,
        )


def soap_fault(faults: tuple[Fault, ...], relates_to: str = "", code: str = "Sender") -> Response:
    """HTTP 500 with a fault; its subcode is the first fault's code, if any; its reason names all of them."""
    root, body = envelope(FAULT_ACTION, relates_to)
    fault = etree.SubElement(body, f"{_E}Fault")
    outer = etree.SubElement(fault, f"{_E}Code")
    etree.SubElement(outer, f"{_E}Value").text = f"env:{code}"
    if faults[0].code:
        inner = etree.SubElement(etree.SubElement(outer, f"{_E}Subcode"), f"{_E}Value", nsmap={"wsse": WSSE})
        inner.text = f"wsse:{faults[0].code}"
    reason = etree.SubElement(etree.SubElement(fault, f"{_E}Reason"), f"{_E}Text", {_XML_LANG: "en"})
    reason.text = "; ".join(f"{found.place} {found.text}" for found in faults)
    return Response(
        500,
        "application/soap+xml; charset=UTF-8",
        etree.tostring(root, xml_declaration=True, encoding="UTF-8"),
    )


def envelope(action: str, relates_to: str) -> tuple[etree._Element, etree._Element]:
    """An answer's envelope and its empty Body."""
    root = etree.Element(f"{_E}Envelope", nsmap={"env": ENV, "wsa": WSA})
    header = etree.SubElement(root, f"{_E}Header")
    etree.SubElement(header, f"{_W}Action", {f"{_E}mustUnderstand": "true"}).text = action
    etree.SubElement(header, f"{_W}MessageID").text = f"urn:uuid:{uuid4()}"
    if relates_to:
        etree.SubElement(header, f"{_W}RelatesTo").text = relates_to
    return root, etree.SubElement(root, f"{_E}Body")


def _package(envelope: bytes) -> Response:
    boundary = f"uuid-{uuid4()}"
    head = (
        f"--{boundary}\r\n"
        'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
        "Content-Transfer-Encoding: binary\r\n"
        "Content-ID: <root@dmp.simulator>\r\n\r\n"
    )
    body = head.encode() + envelope + f"\r\n--{boundary}--\r\n".encode()
    content_type = (
        f'multipart/related; type="application/xop+xml"; start="<root@dmp.simulator>"; '
        f'start-info="application/soap+xml"; boundary="{boundary}"'
    )
    return Response(200, content_type, body)
