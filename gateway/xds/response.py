"""What a registry answers: `rs:RegistryResponse` or a SOAP fault, alone or as root of an MTOM package.

Source: ebRS 3.0 rs.xsd, IHE ITI TF-3 §4.2.4; SOAP 1.2 part 1 §5.4; spec §1.6.
"""

from lxml import etree

from gateway.model.base import Value
from gateway.xds import mtom
from gateway.xds.xml import RS, SOAP11, SOAP12, XML, NotXmlError, parse

SUCCESS = "Success"
FAILURE = "Failure"
PARTIAL_SUCCESS = "PartialSuccess"

STATUSES: dict[str, str] = {
    "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success": SUCCESS,
    "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure": FAILURE,
    "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess": PARTIAL_SUCCESS,
}


class NotXdsError(ValueError):
    """The answer is neither a RegistryResponse nor a SOAP fault. The message says what it is, by class."""


class RegistryError(Value):
    """`code` as on the wire (`XDSNonIdenticalHash`) without a URN prefix; `severity` Error or Warning.

    `context` is the peer's free text: it may hold identities, so it never goes into a log.
    """

    code: str
    context: str = ""
    severity: str = "Error"
    location: str = ""


class SoapFault(Value):
    """`code` is the local name (Sender, Receiver, Client, Server…), `subcode` likewise, `reason` the text."""

    code: str
    subcode: str = ""
    reason: str = ""


class RegistryResponse(Value):
    """`status` is Success, Failure or PartialSuccess; "" when the answer is a `fault`."""

    status: str
    errors: tuple[RegistryError, ...] = ()
    fault: SoapFault | None = None


def read_registry_response(content_type: str, body: bytes) -> RegistryResponse:
    """The answer to ITI-41, 42, 57: plain SOAP 1.2 (or 1.1), MTOM, or a bare RegistryResponse.

    Raises NotXdsError.
    """
    return registry_answer(content_type, body, f"{{{RS}}}RegistryResponse")[0]


def registry_answer(
    content_type: str, body: bytes, tag: str
) -> tuple[RegistryResponse, etree._Element | None]:
    """Status, errors and fault of an answer, and its element `tag`: a RegistryResponse, or an extension of it
    such as AdhocQueryResponse; no element with a fault. Raises NotXdsError."""
    root = _root(content_type, body)
    fault = root.find(f".//{{{SOAP12}}}Fault")
    if fault is not None:
        return RegistryResponse(status="", fault=_fault12(fault)), None
    fault = root.find(f".//{{{SOAP11}}}Fault")
    if fault is not None:
        return RegistryResponse(status="", fault=_fault11(fault)), None
    response = next(root.iter(tag), None)
    if response is None:
        raise NotXdsError(f"the answer is XML without a {etree.QName(tag).localname}")
    status = STATUSES.get(response.get("status", ""))
    if status is None:
        raise NotXdsError(f"the {etree.QName(tag).localname} has no known status")
    errors = tuple(map(_error, response.iter(f"{{{RS}}}RegistryError")))
    return RegistryResponse(status=status, errors=errors), response


def _root(content_type: str, body: bytes) -> etree._Element:
    try:
        if content_type.lstrip()[:10].lower() == "multipart/":
            body = mtom.read(content_type, body).root.data
        return parse(body)
    except mtom.MultipartError as error:
        raise NotXdsError(f"the answer is a broken multipart: {error}") from None
    except NotXmlError:
        raise NotXdsError(f"the answer is not XML ({len(body)} bytes)") from None


def _error(element: etree._Element) -> RegistryError:
    severity = element.get("severity", "").rpartition(":")[2]
    return RegistryError(
        code=element.get("errorCode", "").rpartition("#")[2].rpartition(":")[2],
        context=element.get("codeContext", "") or (element.text or "").strip(),
        severity=severity or "Error",
        location=element.get("location", ""),
    )


def _local(qname: str | None) -> str:
    return (qname or "").strip().rpartition(":")[2]


def _fault12(fault: etree._Element) -> SoapFault:
    code, sub = f"{{{SOAP12}}}Code/{{{SOAP12}}}", f"{{{SOAP12}}}Subcode/{{{SOAP12}}}Value"
    texts = {
        text.get(f"{{{XML}}}lang", ""): (text.text or "").strip() for text in fault.iter(f"{{{SOAP12}}}Text")
    }
    return SoapFault(
        code=_local(fault.findtext(f"{code}Value")),
        subcode=_local(fault.findtext(f"{{{SOAP12}}}Code/{sub}")),
        reason=texts.get("fr") or texts.get("en") or next(iter(texts.values()), ""),
    )


def _fault11(fault: etree._Element) -> SoapFault:
    return SoapFault(
        code=_local(fault.findtext("faultcode")), reason=(fault.findtext("faultstring") or "").strip()
    )
