"""XDS metadata as ebRIM 3.0: `lcm:SubmitObjectsRequest` (IHE ITI TF-3 §4.2.3; spec §1.1).

Element order is that of rim.xsd: slots, Name, Description, classifications, external identifiers.
Ids of classifications and identifiers are counted, so equal submissions give equal bytes.
"""

from itertools import count

from lxml import etree

from gateway.model.base import Value
from gateway.model.terms import Code
from gateway.xds.hl7types import clean, coded, cx, xcn, xon
from gateway.xds.model import HAS_MEMBER, Association, Author, DocumentEntry, Submission, SubmissionSet
from gateway.xds.xml import LCM, RIM, XML

STABLE_DOCUMENT = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
ENTRY_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
SET_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
SET_CONTENT_TYPE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"

ENTRY_CODES: tuple[tuple[str, str], ...] = (
    ("class_code", "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"),
    ("type_code", "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"),
    ("format_code", "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"),
    ("healthcare_facility_type_code", "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"),
    ("practice_setting_code", "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"),
    ("confidentiality_codes", "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"),
    ("event_codes", "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"),
)
"""(attribute of DocumentEntry, classificationScheme)."""

ENTRY_PATIENT_ID = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
ENTRY_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
SET_PATIENT_ID = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SET_SOURCE_ID = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
SET_UNIQUE_ID = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"

REFERENCE_ID_LIST = "urn:ihe:iti:xds:2013:referenceIdList"
LONG_NAME = 256
"""rim:LongName, the longest value of a slot."""
_OBJECT = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"


def submit_objects_request(submission: Submission) -> etree._Element:
    """The request that ITI-41 carries and METADATA.XML is. Raises MetadataError (see there)."""
    request = etree.Element(f"{{{LCM}}}SubmitObjectsRequest", nsmap={"lcm": LCM, "rim": RIM})
    objects = _Writer(etree.SubElement(request, f"{{{RIM}}}RegistryObjectList"))
    objects.submission_set(submission.submission_set)
    for entry in submission.entries:
        objects.entry(entry)
    for entry in submission.entries:
        member = Association(
            kind=HAS_MEMBER,
            source=submission.submission_set.set_id,
            target=entry.entry_id,
            slots=(("SubmissionSetStatus", ("Original",)),),
        )
        objects.association(member)
    for association in submission.associations:
        objects.association(association)
    return request


class MetadataError(ValueError):
    """A value that ebRIM cannot carry: a slot value beyond 256 characters. The message names the slot."""


def _element(parent: etree._Element, tag: str, /, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{RIM}}}{tag}", {key: clean(text) for key, text in attributes.items()})


def _slot(parent: etree._Element, name: str, *values: str) -> None:
    """A slot with its values; none when all values are empty."""
    kept = [text for value in values if (text := clean(value))]
    if not kept:
        return
    if any(len(text) > LONG_NAME for text in kept):
        raise MetadataError(f"slot {name}: a value has more than {LONG_NAME} characters")
    value_list = _element(_element(parent, "Slot", name=name), "ValueList")
    for text in kept:
        _element(value_list, "Value").text = text


def _named(parent: etree._Element, name: str, text: str) -> None:
    """Name or Description in French; nothing for an empty text (cut at rim:FreeFormText, 1024)."""
    if value := clean(text)[:1024]:
        localized = _element(_element(parent, name), "LocalizedString", charset="UTF-8", value=value)
        localized.set(f"{{{XML}}}lang", "fr-FR")


class _Writer:
    """Appends registry objects to one RegistryObjectList, with counted ids."""

    def __init__(self, objects: etree._Element) -> None:
        self._objects = objects
        self._ids = count(1)

    def _id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids):02d}"

    def submission_set(self, value: SubmissionSet) -> None:
        package = _element(
            self._objects, "RegistryPackage", id=value.set_id, objectType=_OBJECT + "RegistryPackage"
        )
        _slot(package, "submissionTime", value.submission_time)
        _named(package, "Name", value.title)
        _named(package, "Description", value.comments)
        self._classify(package, value.set_id, classificationNode=SUBMISSION_SET)
        for author in value.authors:
            self._author(package, value.set_id, SET_AUTHOR, author)
        self._code(package, value.set_id, SET_CONTENT_TYPE, value.content_type_code)
        for scheme, name, text in (
            (SET_PATIENT_ID, "patientId", cx(value.patient_id)),
            (SET_SOURCE_ID, "sourceId", value.source_id),
            (SET_UNIQUE_ID, "uniqueId", value.unique_id),
        ):
            self._identify(package, value.set_id, scheme, f"XDSSubmissionSet.{name}", text)

    def entry(self, value: DocumentEntry) -> None:
        extrinsic = _element(
            self._objects,
            "ExtrinsicObject",
            id=value.entry_id,
            mimeType=value.mime_type,
            objectType=STABLE_DOCUMENT,
        )
        _entry_slots(extrinsic, value)
        _named(extrinsic, "Name", value.title)
        _named(extrinsic, "Description", value.comments)
        for author in value.authors:
            self._author(extrinsic, value.entry_id, ENTRY_AUTHOR, author)
        for attribute, scheme in ENTRY_CODES:
            for code in _codes(value, attribute):
                self._code(extrinsic, value.entry_id, scheme, code)
        for scheme, name, text in (
            (ENTRY_PATIENT_ID, "patientId", cx(value.patient_id)),
            (ENTRY_UNIQUE_ID, "uniqueId", value.unique_id),
        ):
            self._identify(extrinsic, value.entry_id, scheme, f"XDSDocumentEntry.{name}", text)

    def association(self, value: Association) -> None:
        association = _element(
            self._objects,
            "Association",
            id=self._id("as"),
            associationType=value.kind,
            sourceObject=value.source,
            targetObject=value.target,
            objectType=_OBJECT + "Association",
        )
        for name, values in value.slots:
            _slot(association, name, *values)

    def _classify(self, parent: etree._Element, classified: str, **attributes: str) -> etree._Element:
        return _element(
            parent,
            "Classification",
            id=self._id("cl"),
            classifiedObject=classified,
            objectType=_OBJECT + "Classification",
            **attributes,
        )

    def _author(self, parent: etree._Element, classified: str, scheme: str, author: Author) -> None:
        node = self._classify(parent, classified, classificationScheme=scheme, nodeRepresentation="")
        _slot(node, "authorPerson", xcn(author.person) if author.person else "")
        _slot(node, "authorInstitution", *map(xon, author.institutions))
        _slot(node, "authorRole", *author.roles)
        _slot(node, "authorSpecialty", *map(coded, author.specialties))

    def _code(self, parent: etree._Element, classified: str, scheme: str, code: Code) -> None:
        node = self._classify(parent, classified, classificationScheme=scheme, nodeRepresentation=code.code)
        _slot(node, "codingScheme", code.system)
        _named(node, "Name", code.display or code.code)

    def _identify(self, parent: etree._Element, owner: str, scheme: str, name: str, value: str) -> None:
        node = _element(
            parent,
            "ExternalIdentifier",
            id=self._id("ei"),
            registryObject=owner,
            identificationScheme=scheme,
            objectType=_OBJECT + "ExternalIdentifier",
            value=value,
        )
        _element(_element(node, "Name"), "LocalizedString", value=name)


def _entry_slots(extrinsic: etree._Element, value: DocumentEntry) -> None:
    _slot(extrinsic, "creationTime", value.creation_time)
    _slot(extrinsic, "languageCode", value.language_code)
    _slot(
        extrinsic, "legalAuthenticator", xcn(value.legal_authenticator) if value.legal_authenticator else ""
    )
    _slot(extrinsic, "serviceStartTime", value.service_start_time)
    _slot(extrinsic, "serviceStopTime", value.service_stop_time)
    _slot(extrinsic, "sourcePatientId", cx(value.source_patient_id))
    _slot(extrinsic, "sourcePatientInfo", *value.source_patient_info)
    _slot(extrinsic, "hash", value.hash)
    _slot(extrinsic, "size", str(value.size) if value.hash else "")
    _slot(extrinsic, "URI", value.uri)
    _slot(extrinsic, REFERENCE_ID_LIST, *map(cx, value.reference_ids))
    for name, values in value.extra_slots:
        _slot(extrinsic, name, *values)


def _codes(value: Value, attribute: str) -> tuple[Code, ...]:
    codes: Code | tuple[Code, ...] = getattr(value, attribute)
    return codes if isinstance(codes, tuple) else (codes,)
