"""What a file is, from its first bytes; names and extensions are not asked."""

import re
from enum import StrEnum

from conformance.xml import WIDE

_ROOT = re.compile(rb"<(?:[\w.-]+:)?(ClinicalDocument|SubmitObjectsRequest|stylesheet|transform)[\s>]")
_HEADER = re.compile(rb"[!-9;-~]+:")
_MAIL = re.compile(rb"(?im)^(from|to|subject|message-id|received):")


class Kind(StrEnum):
    CDA = "cda"
    HL7V2 = "hl7v2"
    FHIR = "fhir"
    XDM = "xdm"
    XDS = "xds"
    MAIL = "mail"
    PDF = "pdf"
    UNKNOWN = "unknown"


def recognise(data: bytes) -> Kind:
    """UNKNOWN when nothing fits; an XML file is told by its root, a self-presenting CDA is a CDA."""
    if data.startswith(WIDE):
        return Kind.CDA  # XML in UTF-16: its parser says what is wrong with it
    start = data[:4096].lstrip(b"\xef\xbb\xbf\x0b\r\n\t ")
    if data.startswith(b"PK\x03\x04"):
        return Kind.XDM
    if start.startswith(b"%PDF-"):
        return Kind.PDF
    if start.startswith((b"MSH", b"FHS", b"BHS")):
        return Kind.HL7V2
    if start.startswith(b"{"):
        return Kind.FHIR
    if start.startswith(b"<"):
        found = _ROOT.search(data)
        if found is None:
            return Kind.UNKNOWN
        return Kind.XDS if found[1] == b"SubmitObjectsRequest" else Kind.CDA
    if _HEADER.match(start) and _MAIL.search(start):
        return Kind.MAIL
    return Kind.UNKNOWN
