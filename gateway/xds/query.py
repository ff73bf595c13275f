"""ITI-18: the stored query GetDocuments, and the entries that a registry answers.

Source: IHE ITI TF-2 §3.18, TF-3 §4.2.4; ebRS 3.0 query.xsd; spec dmp-mss.md §2.2. Only what finds an entry by
its uniqueId is read; the metadata of other people's documents stay with the registry.
"""

from lxml import etree

from gateway.model.base import Value
from gateway.xds.ebrim import ENTRY_PATIENT_ID, ENTRY_UNIQUE_ID
from gateway.xds.response import RegistryError, SoapFault, registry_answer
from gateway.xds.soap import SoapRequest, envelope, plain
from gateway.xds.xml import QUERY, RIM, content

REGISTRY_STORED_QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
_R = f"{{{RIM}}}"


class FoundEntry(Value):
    """A DocumentEntry as the registry holds it now. `status` is Approved, Deprecated, Archived, Deleted…;
    `hash` the SHA-1 (hex, lower case) of the document, "" when the registry does not tell it."""

    entry_uuid: str
    unique_id: str
    patient_id: str = ""
    status: str = ""
    hash: str = ""


class QueryResponse(Value):
    """`status` is Success, Failure or PartialSuccess; "" when the answer is a `fault`."""

    status: str
    entries: tuple[FoundEntry, ...] = ()
    errors: tuple[RegistryError, ...] = ()
    fault: SoapFault | None = None


def get_documents(unique_ids: tuple[str, ...], *, assertion: str, message_id: str, to: str) -> SoapRequest:
    """GetDocuments for these uniqueIds, with whole entries in the answer (LeafClass); plain SOAP 1.2."""
    asked = content(f"({','.join(map(_quoted, unique_ids))})")
    request = (
        f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}">'
        '<query:ResponseOption returnComposedObjects="true" returnType="LeafClass"/>'
        f'<rim:AdhocQuery id="{GET_DOCUMENTS}"><rim:Slot name="$XDSDocumentEntryUniqueId"><rim:ValueList>'
        f"<rim:Value>{asked}</rim:Value></rim:ValueList></rim:Slot></rim:AdhocQuery></query:AdhocQueryRequest>"
    )
    root = envelope(request, action=REGISTRY_STORED_QUERY, message_id=message_id, to=to, assertion=assertion)
    return plain(root, action=REGISTRY_STORED_QUERY)


def read_query_response(content_type: str, body: bytes) -> QueryResponse:
    """The answer to a stored query with LeafClass. Raises NotXdsError."""
    answer, element = registry_answer(content_type, body, f"{{{QUERY}}}AdhocQueryResponse")
    found = () if element is None else tuple(map(_entry, element.iter(f"{_R}ExtrinsicObject")))
    return QueryResponse(status=answer.status, errors=answer.errors, fault=answer.fault, entries=found)


def _entry(element: etree._Element) -> FoundEntry:
    identifiers = {
        one.get("identificationScheme"): one.get("value", "")
        for one in element.findall(f"{_R}ExternalIdentifier")
    }
    hashes = element.xpath("rim:Slot[@name='hash']/rim:ValueList/rim:Value/text()", namespaces={"rim": RIM})
    return FoundEntry(
        entry_uuid=element.get("id", ""),
        unique_id=identifiers.get(ENTRY_UNIQUE_ID, ""),
        patient_id=identifiers.get(ENTRY_PATIENT_ID, ""),
        status=element.get("status", "").rpartition(":")[2],
        hash=str(hashes[0]).strip().lower() if isinstance(hashes, list) and hashes else "",
    )


def _quoted(text: str) -> str:
    """A string of a query parameter: apostrophes are doubled (ITI TF-2 §3.18.4.1.2.3.5)."""
    return "'" + text.replace("'", "''") + "'"
