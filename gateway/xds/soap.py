"""SOAP 1.2 requests of the XDS transactions: envelope with WS-Addressing and wsse:Security, MTOM package.

Source: IHE ITI TF-2 §3.41 and appendix V; spec §2.3. Pure: ids come in, bytes go out.
"""

from hashlib import sha256

from gateway.model.base import Value
from gateway.xds.ebrim import submit_objects_request
from gateway.xds.model import Submission
from gateway.xds.mtom import XOP_XML, part, write
from gateway.xds.xml import DECLARATION, SOAP12, WSA, WSSE, XDSB, XOP, attribute, content

PROVIDE_AND_REGISTER = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
UPDATE_DOCUMENT_SET = "urn:ihe:iti:2010:UpdateDocumentSet"
ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"
_SOAP_XML = "application/soap+xml"


class SoapRequest(Value):
    """What HTTP has to carry: POST `body` with this Content-Type."""

    content_type: str
    action: str
    body: bytes


def envelope(body: str, *, action: str, message_id: str, to: str, assertion: str) -> str:
    """A SOAP 1.2 envelope around the markup `body`. `message_id` is a `urn:uuid:`, `assertion` the markup of
    a signed one, "" for none.

    No default namespace and no prefix `ds`, `saml`, `xsi` stands above the assertion: its signature names
    these in InclusiveNamespaces, so they must mean the same here as where it was signed.
    """
    security = f'<wsse:Security xmlns:wsse="{WSSE}">{assertion}</wsse:Security>' if assertion else ""
    return (
        f'<soap:Envelope xmlns:soap="{SOAP12}" xmlns:wsa="{WSA}"><soap:Header>'
        f'<wsa:Action soap:mustUnderstand="true">{content(action)}</wsa:Action>'
        f"<wsa:MessageID>{content(message_id)}</wsa:MessageID>"
        f"<wsa:ReplyTo><wsa:Address>{ANONYMOUS}</wsa:Address></wsa:ReplyTo>"
        f"<wsa:To>{content(to)}</wsa:To>{security}</soap:Header>"
        f"<soap:Body>{body}</soap:Body></soap:Envelope>"
    )


def provide_and_register(
    submission: Submission,
    documents: tuple[tuple[str, bytes], ...],
    *,
    assertion: str,
    message_id: str,
    to: str,
) -> SoapRequest:
    """ITI-41 for `submission`; `documents` are (entry id, bytes), one for each entry.

    Boundary and content ids follow from `message_id`, which is new for every attempt. Raises ValueError when
    documents and entries do not match one to one, MetadataError for a value that ebRIM cannot carry.
    """
    entries = {entry.entry_id: entry for entry in submission.entries}
    if len(documents) != len(entries) or {entry_id for entry_id, _ in documents} != set(entries):
        raise ValueError("documents and document entries do not match one to one")
    seed = sha256(message_id.encode("utf-8")).hexdigest()[:32]
    content_ids = {entry_id: f"document{n}.{seed}@xds" for n, (entry_id, _) in enumerate(documents, 1)}
    included = "".join(
        f'<xdsb:Document id="{attribute(entry_id)}">'
        f'<xop:Include xmlns:xop="{XOP}" href="cid:{content_ids[entry_id]}"/></xdsb:Document>'
        for entry_id, _ in documents
    )
    body = (
        f'<xdsb:ProvideAndRegisterDocumentSetRequest xmlns:xdsb="{XDSB}">'
        f"{submit_objects_request(submission)}{included}</xdsb:ProvideAndRegisterDocumentSetRequest>"
    )
    root = envelope(body, action=PROVIDE_AND_REGISTER, message_id=message_id, to=to, assertion=assertion)
    attachments = tuple(
        (content_ids[entry_id], entries[entry_id].mime_type, data) for entry_id, data in documents
    )
    return package(root, attachments, action=PROVIDE_AND_REGISTER, seed=seed)


def update_document_set(submission: Submission, *, assertion: str, message_id: str, to: str) -> SoapRequest:
    """A change of metadata, for the registry (ITI-57; spec dmp-mss.md §1.5): no document, so no MTOM.

    Raises MetadataError.
    """
    body = submit_objects_request(submission)
    root = envelope(body, action=UPDATE_DOCUMENT_SET, message_id=message_id, to=to, assertion=assertion)
    return plain(root, action=UPDATE_DOCUMENT_SET)


def plain(root: str, *, action: str) -> SoapRequest:
    """A SOAP 1.2 message without attachments (ITI-18, ITI-57)."""
    return SoapRequest(
        content_type=f'{_SOAP_XML}; charset=UTF-8; action="{action}"',
        action=action,
        body=DECLARATION + root.encode("utf-8"),
    )


def package(
    root: str, attachments: tuple[tuple[str, str, bytes], ...], *, action: str, seed: str
) -> SoapRequest:
    """An MTOM message: envelope and (content id, media type, bytes) attachments."""
    start = f"envelope.{seed}@xds"
    root_type = f'{XOP_XML}; charset=UTF-8; type="{_SOAP_XML}"; action="{action}"'
    parts = (
        part(start, root_type, DECLARATION + root.encode("utf-8")),
        *(part(content_id, media_type, data) for content_id, media_type, data in attachments),
    )
    boundary = _boundary(seed, tuple(item.data for item in parts))
    return SoapRequest(
        content_type=(
            f'multipart/related; boundary="{boundary}"; type="{XOP_XML}"; start="<{start}>"; '
            f'start-info="{_SOAP_XML}"; action="{action}"'
        ),
        action=action,
        body=b"".join(write(parts, boundary)),
    )


def _boundary(seed: str, contents: tuple[bytes, ...]) -> str:
    """A boundary that occurs in none of `contents`."""
    boundary = f"mime.{seed}"
    while any(boundary.encode("ascii") in data for data in contents):
        boundary = f"mime.{sha256(boundary.encode('ascii')).hexdigest()[:32]}"
    return boundary
