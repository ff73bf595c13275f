"""ITI-18 of the DMP simulator: a stored query taken apart, and the entries that it finds as an answer."""

import re
from typing import NamedTuple

from lxml import etree

from conformance.simulators import ebrim, soap
from conformance.simulators.http import Request, Response
from conformance.simulators.registry import ARCHIVED, DELETED, Held, Registry
from conformance.simulators.xds_faults import Fault

QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
STORED_QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"
STORED_QUERY_RESPONSE = "urn:ihe:iti:2007:RegistryStoredQueryResponse"
FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
STATUS_TYPE = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
FRENCH_STATUS_TYPE = "urn:asip:ci-sis:2010:StatusType:"
_R = f"{{{ebrim.RIM}}}"
_LIST = re.compile(r"\(\s*'(?:[^']|'')*'(?:\s*,\s*'(?:[^']|'')*')*\s*\)")
_STRING = re.compile(r"'((?:[^']|'')*)'")


class StoredQuery(NamedTuple):
    """`parameters`: slot name without `$` → its strings, lists and several values joined."""

    message_id: str
    security: etree._Element | None
    id: str
    whole: bool
    """LeafClass: whole entries, else ObjectRef: their ids."""
    parameters: dict[str, tuple[str, ...]]


def take_apart(request: Request) -> StoredQuery:
    """Raises RefusedError for anything that is not ITI-18 as plain SOAP 1.2."""
    message_id, security, query = soap.opened(request, f"{{{QUERY}}}AdhocQueryRequest", STORED_QUERY)
    adhoc, option = query.find(f"{_R}AdhocQuery"), query.find(f"{{{QUERY}}}ResponseOption")
    if adhoc is None or option is None:
        raise soap.RefusedError(Fault("", "AdhocQueryRequest", "lacks AdhocQuery or ResponseOption"))
    return StoredQuery(
        message_id,
        security,
        adhoc.get("id", ""),
        option.get("returnType") == "LeafClass",
        {slot.get("name", "").lstrip("$"): _strings(slot) for slot in adhoc.findall(f"{_R}Slot")},
    )


def _strings(slot: etree._Element) -> tuple[str, ...]:
    """The quoted strings of a parameter; raises RefusedError for another form."""
    found: list[str] = []
    for value in slot.iterfind(f"{_R}ValueList/{_R}Value"):
        text = (value.text or "").strip()
        if not (_LIST.fullmatch(text) or _STRING.fullmatch(text)):
            raise soap.RefusedError(Fault("", slot.get("name", ""), "is not a string or list of strings"))
        found += [one.replace("''", "'") for one in _STRING.findall(text)]
    return tuple(found)


def answer(query: StoredQuery, registry: Registry, patient: str) -> Response:
    """The entries of `patient` (that of the VIHF) which the query names."""
    faults = _faults(query)
    found = () if faults else tuple(one for one in _find(query, registry) if one.patient == patient)
    envelope, body = soap.envelope(STORED_QUERY_RESPONSE, query.message_id)
    status = soap.STATUS + ("Failure" if faults else "Success")
    response = etree.SubElement(
        body, f"{{{QUERY}}}AdhocQueryResponse", {"status": status}, {"query": QUERY, "rim": ebrim.RIM}
    )
    if faults:
        soap.error_list(response, faults)
    objects = etree.SubElement(response, f"{_R}RegistryObjectList")
    for entry in found:
        if query.whole:
            _leaf(objects, entry)
        else:
            etree.SubElement(objects, f"{_R}ObjectRef", id=entry.entry_uuid)
    return Response(
        200,
        f'application/soap+xml; charset=UTF-8; action="{STORED_QUERY_RESPONSE}"',
        etree.tostring(envelope, xml_declaration=True, encoding="UTF-8"),
    )


def _faults(query: StoredQuery) -> tuple[Fault, ...]:
    """IHE ITI TF-2 §3.18.4.1.2.3.7: what each query must say."""
    needed = {
        FIND_DOCUMENTS: ("XDSDocumentEntryPatientId", "XDSDocumentEntryStatus"),
        GET_DOCUMENTS: ("XDSDocumentEntryUniqueId", "XDSDocumentEntryEntryUUID"),
    }.get(query.id)
    if needed is None:
        return (Fault("XDSUnknownStoredQuery", query.id, "is not served here"),)
    given = [name for name in needed if query.parameters.get(name)]
    if query.id == GET_DOCUMENTS:
        if len(given) != 1:
            return (Fault("XDSStoredQueryParamNumber", " ".join(needed), "exactly one of them"),)
        return ()
    missing = (name for name in needed if name not in given)
    return tuple(Fault("XDSStoredQueryMissingParam", name, "missing") for name in missing)


def _find(query: StoredQuery, registry: Registry) -> tuple[Held, ...]:
    wanted = query.parameters
    held = tuple(registry.by_uuid.values())
    if query.id == GET_DOCUMENTS:
        unique, uuids = (
            wanted.get("XDSDocumentEntryUniqueId", ()),
            wanted.get("XDSDocumentEntryEntryUUID", ()),
        )
        return tuple(one for one in held if one.unique_id in unique or one.entry_uuid in uuids)
    states = {status.rpartition(":")[2] for status in wanted["XDSDocumentEntryStatus"]}
    patients = wanted["XDSDocumentEntryPatientId"]
    return tuple(one for one in held if one.status in states and one.patient in patients)


def _leaf(objects: etree._Element, entry: Held) -> None:
    """An ExtrinsicObject with what this registry keeps of an entry; order of rim.xsd."""
    extrinsic = etree.SubElement(
        objects,
        f"{_R}ExtrinsicObject",
        id=entry.entry_uuid,
        lid=entry.logical_id,
        status=(FRENCH_STATUS_TYPE if entry.status in (ARCHIVED, DELETED) else STATUS_TYPE) + entry.status,
        objectType=ebrim.STABLE_DOCUMENT,
        mimeType="text/xml",
    )
    slot = etree.SubElement(extrinsic, f"{_R}Slot", name="hash")
    etree.SubElement(etree.SubElement(slot, f"{_R}ValueList"), f"{_R}Value").text = entry.sha1
    known = {"XDSDocumentEntry.patientId": entry.patient, "XDSDocumentEntry.uniqueId": entry.unique_id}
    for number, (name, value) in enumerate(known.items()):
        identifier = etree.SubElement(
            extrinsic,
            f"{_R}ExternalIdentifier",
            id=f"{entry.entry_uuid}-{number}",
            registryObject=entry.entry_uuid,
            identificationScheme=ebrim.ENTRY_IDS[name],
            value=value,
        )
        label = etree.SubElement(identifier, f"{_R}Name")
        etree.SubElement(label, f"{_R}LocalizedString", value=name)
