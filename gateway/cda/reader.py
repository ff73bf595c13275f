"""A received CDA → `CdaHeader`. Tolerant: what is absent stays empty, judging it is the work of `checks`."""

import base64
import binascii
import re
from typing import Final

from gateway.cda import reader_people as people
from gateway.cda.checks_body import base64_strict, pdf_magic
from gateway.cda.contents import SHORTENED, decoded, lean
from gateway.cda.reader_parts import code, identifier, identifiers, interval
from gateway.cda.tree import Element
from gateway.cda.values import CdaEncounter, CdaHeader, CdaOrder, Party, ServiceEvent
from gateway.cda.xml import CdaError, attribute, child, children, invalid, parse, text, words
from gateway.model.kept import Kept
from gateway.model.terms import Code, Identifier

_BODIES: Final = {"application/pdf": "pdf", "text/plain": "text"}
_REMEMBERED: Final = 16 << 20
"""Bytes of documents: as many as the store's reader keeps, which hands out the very same bytes."""
UNREADABLE: Final = frozenset({"HL7-BASE64", "PDF-INVALID"})
"""Findings of a body that nobody can open."""
_LEADING_DIGITS: Final = re.compile(r"\d{1,9}")


def read(data: bytes) -> CdaHeader:
    """The header of a CDA R2; times and codes as written.

    Raises CdaError (CDA-INVALID) when `data` is no well-formed ClinicalDocument with id and code, or when
    nobody can open its body (HL7-BASE64, PDF-INVALID). The last headers are remembered: each delivery of a
    version asks for its header again, and reading costs as much as signing a VIHF (measured).
    """
    if (known := _remembered.get(data)) is not None:
        return known
    root = document(lean(data).data, whole=False)
    values = header(root)
    if unreadable := (*base64_strict(root, values), *pdf_magic(root, values)):
        raise CdaError(*unreadable)
    remember(data, values)
    return values


_remembered: Final[Kept[bytes, CdaHeader]] = Kept(_REMEMBERED)


def remember(data: bytes, values: CdaHeader) -> None:
    """`read` need not read this document again: `values` is its header, and its body can be opened."""
    _remembered.put(data, values, len(data))


def document(data: bytes, *, whole: bool = True) -> Element:
    """The ClinicalDocument element, `whole` or without what stands in a structured body; raises CdaError."""
    root = parse(data, whole=whole)
    if root.tag != "ClinicalDocument":
        raise invalid(f"root element {root.tag.rpartition('}')[2]}")
    return root


def header(root: Element) -> CdaHeader:
    """The header values of a ClinicalDocument element; raises CdaError without an id or a code."""
    document_id = identifier(child(root, "id"))
    document_code = code(child(root, "code"))
    if document_id is None:
        raise invalid("no id", "ClinicalDocument/id")
    if document_code is None:
        raise invalid("no code", "ClinicalDocument/code")
    body, media_type = _body(root)
    return CdaHeader(
        id=document_id,
        code=document_code,
        title=text(child(root, "title")),
        effective_time=attribute(child(root, "effectiveTime"), "value"),
        confidentiality=code(child(root, "confidentialityCode")),
        language=attribute(child(root, "languageCode"), "code"),
        set_id=identifier(child(root, "setId")),
        version_number=_number(attribute(child(root, "versionNumber"), "value")),
        template_ids=identifiers(root, "templateId"),
        code_translations=_translations(child(root, "code")),
        patient=people.patient(child(root, "recordTarget/patientRole")),
        authors=tuple(people.author(node) for node in children(root, "author")),
        legal_authenticator=next(
            (people.assigned("LA", node) for node in children(root, "legalAuthenticator")), None
        ),
        authenticators=tuple(people.assigned("AUTHEN", node) for node in children(root, "authenticator")),
        custodian=people.custodian(
            child(root, "custodian/assignedCustodian/representedCustodianOrganization")
        ),
        recipients=tuple(people.recipient(node) for node in children(root, "informationRecipient")),
        participants=tuple(people.participant(node) for node in children(root, "participant")),
        orders=tuple(
            _order(node)
            for fulfilled in children(root, "inFulfillmentOf")
            if (node := child(fulfilled, "order")) is not None
        ),
        service_events=tuple(
            _service_event(node)
            for documented in children(root, "documentationOf")
            if (node := child(documented, "serviceEvent")) is not None
        ),
        encounter=_encounter(child(root, "componentOf/encompassingEncounter")),
        replaces=_replaced(root),
        body=body,
        media_type=media_type,
    )


def embedded_pdf(data: bytes) -> bytes | None:
    """Bytes of the PDF in an N1 body, None when the body holds none; raises CdaError (see `read`)."""
    short, contents = lean(data)
    found = body_pdf(document(short, whole=False))
    if found is None or not contents or len(found) != SHORTENED:
        return found
    return decoded(data, contents[0]) if len(contents) == 1 else body_pdf(document(data, whole=False))


def body_pdf(root: Element) -> bytes | None:
    """The PDF of the nonXMLBody: white space in the Base64 is allowed, anything else gives None."""
    node = child(root, "component/nonXMLBody/text")
    if node is None or _body(root)[0] != "pdf":
        return None
    packed = "".join(node.text.split())
    try:
        pdf = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return None
    return pdf if pdf.startswith(b"%PDF-") else None


def body_text(root: Element) -> str:
    """The words of a nonXMLBody in plain text, Base64 or not; "" for any other body."""
    node = child(root, "component/nonXMLBody/text")
    if node is None or _body(root)[0] != "text":
        return ""
    raw = words(node)
    if attribute(node, "representation") != "B64":
        return raw.strip()
    try:
        return base64.b64decode("".join(raw.split()), validate=True).decode("utf-8", "replace").strip()
    except (binascii.Error, ValueError):
        return ""


def _body(root: Element) -> tuple[str, str]:
    if child(root, "component/structuredBody") is not None:
        return "structured", ""
    media_type = attribute(child(root, "component/nonXMLBody/text"), "mediaType")
    return _BODIES.get(media_type, "other"), media_type


def _number(value: str) -> int:
    return int(value) if _LEADING_DIGITS.fullmatch(value) else 0


def _translations(node: Element | None) -> tuple[Code, ...]:
    return tuple(found for item in children(node, "translation") if (found := code(item)) is not None)


def _order(node: Element) -> CdaOrder:
    return CdaOrder(
        placer=identifier(child(node, "id")),
        accession=identifier(child(node, "ps3-20:accessionNumber")),
    )


def _service_event(node: Element) -> ServiceEvent:
    performer: Party | None = None
    for found in children(node, "performer"):
        performer = people.assigned("PRF", found)
        break
    _, low, high = interval(child(node, "effectiveTime"))
    return ServiceEvent(
        id=identifier(child(node, "id")),
        code=code(child(node, "code")),
        translations=_translations(child(node, "code")),
        low=low,
        high=high,
        performer=performer,
    )


def _encounter(node: Element | None) -> CdaEncounter:
    facility = child(node, "location/healthCareFacility")
    _, low, high = interval(child(node, "effectiveTime"))
    return CdaEncounter(
        code=code(child(node, "code")),
        number=identifier(child(node, "id")),
        low=low,
        high=high,
        facility_id=identifier(child(facility, "id")),
        facility_type=code(child(facility, "code")),
        facility_name=text(child(facility, "location/name")),
        facility_address=people.address(child(facility, "location/addr")),
    )


def _replaced(root: Element) -> tuple[Identifier, ...]:
    return tuple(
        parent
        for related in children(root, "relatedDocument")
        if related.get("typeCode") == "RPLC"
        for parent in identifiers(child(related, "parentDocument"), "id")
    )
