"""An ITI-41 request taken apart: MTOM, SOAP, the metadata, the documents by their entries."""

from typing import NamedTuple

from lxml import etree

from conformance.simulators import ebrim, mtom, soap, vihf
from conformance.simulators.http import Request
from conformance.simulators.xds_faults import Fault, Submission
from conformance.xml import XmlRefusedError, parse, text_of

XDSB = "urn:ihe:iti:xds-b:2007"
ENVELOPE, SECURITY = f"{{{soap.ENV}}}Envelope", f"{{{vihf.WSSE}}}Security"
PROVIDE_REQUEST = f"{{{XDSB}}}ProvideAndRegisterDocumentSetRequest"


class RefusalError(Exception):
    """The request is no submission: it is answered with a SOAP fault, nothing is registered."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults[0].text)
        self.faults = faults


class Parsed(NamedTuple):
    """A request taken apart. `request` is the ProvideAndRegisterDocumentSetRequest element."""

    message_id: str
    security: etree._Element | None
    request: etree._Element
    submission: Submission


def take_apart(request: Request) -> Parsed:
    """Unpack MTOM and SOAP; raises RefusalError for anything that is not an ITI-41 request."""
    try:
        package = mtom.read(request.headers.get("content-type", ""), request.body)
        envelope = parse(package.root.body)
    except (mtom.MtomError, XmlRefusedError) as error:
        raise RefusalError(Fault("", "request", str(error))) from None
    if envelope.tag != ENVELOPE:
        raise RefusalError(Fault("", "Envelope", "is not a SOAP 1.2 envelope"))
    header = envelope.find(f"{{{soap.ENV}}}Header")
    action = "" if header is None else text_of(header.find(f"{{{soap.WSA}}}Action"))
    named = package.action or action
    if action != soap.PROVIDE or named != soap.PROVIDE:
        raise RefusalError(Fault("", "wsa:Action", f"is not {soap.PROVIDE}"))
    provide = envelope.find(f"{{{soap.ENV}}}Body/{PROVIDE_REQUEST}")
    if header is None or provide is None:
        raise RefusalError(Fault("", "Body", "holds no ProvideAndRegisterDocumentSetRequest"))
    message_id = text_of(header.find(f"{{{soap.WSA}}}MessageID"))
    if not message_id:
        raise RefusalError(Fault("", "wsa:MessageID", "missing"))
    return Parsed(message_id, header.find(SECURITY), provide, _submission(provide, package))


def _submission(provide: etree._Element, package: mtom.Package) -> Submission:
    request = provide.find(f"{{{ebrim.LCM}}}SubmitObjectsRequest")
    if request is None:
        raise RefusalError(Fault("", "Body", "holds no SubmitObjectsRequest"))
    try:
        documents = {
            element.get("id", ""): mtom.included(element, package)
            for element in provide.findall(f"{{{XDSB}}}Document")
        }
    except mtom.MtomError as error:
        raise RefusalError(Fault("", "Document", str(error))) from None
    return Submission(ebrim.read(request), documents)


def without_bytes(request: etree._Element) -> etree._Element:
    """The request with empty Documents: the schema knows base64Binary there, not xop:Include."""
    copy = parse(etree.tostring(request))
    for include in list(copy.iter(mtom.XOP_INCLUDE)):
        parent = include.getparent()
        if parent is not None:
            parent.remove(include)
    return copy
