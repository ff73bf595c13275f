"""Namespaces of the IHE wire formats, text as markup, and the one parser for XML that a peer sent."""

from xml.sax.saxutils import escape

from lxml import etree

from gateway.xds.hl7types import clean

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
XDSB = "urn:ihe:iti:xds-b:2007"
XOP = "http://www.w3.org/2004/08/xop/include"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
XML = "http://www.w3.org/XML/1998/namespace"

DECLARATION = b"<?xml version='1.0' encoding='UTF-8'?>\n"
"""Before what is written here: UTF-8, always."""


def content(text: str) -> str:
    """`text` between tags, cleaned: one line without characters that XML cannot hold."""
    return escape(clean(text))


def attribute(text: str) -> str:
    """`text` between double quotes, cleaned."""
    return quoted(clean(text))


def quoted(text: str) -> str:
    """Clean text between double quotes."""
    return escape(text, _QUOTE) if '"' in text else escape(text)


_QUOTE = {'"': "&quot;"}


class NotXmlError(ValueError):
    """Bytes that are not well-formed XML, or XML with a DOCTYPE."""


def parse(data: bytes) -> etree._Element:
    """Root of untrusted XML: no DTD, no entities, no network, within the depth and text limits of libxml2.

    Raises NotXmlError; none of our protocols allows a DOCTYPE.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise NotXmlError(f"not well-formed (line {error.lineno})") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotXmlError("a DOCTYPE is not allowed")
    return root
