"""XDS metadata as ebRIM 3.0: `lcm:SubmitObjectsRequest` (IHE ITI TF-3 §4.2.3; spec §1.1).

Element order is that of rim.xsd: slots, Name, Description, classifications, external identifiers.
Ids of classifications and identifiers are counted, so equal submissions give equal bytes. Written as text:
each delivery of a version has its own, and a tree of lxml costs four times as much. Codes and authors are the
same in report after report: what is written of the last ones is kept.
"""

from functools import lru_cache
from itertools import count
from xml.sax.saxutils import escape

from gateway.model.base import Value, replace
from gateway.model.terms import Code
from gateway.xds.hl7types import clean, coded, cx, xcn, xon
from gateway.xds.model import HAS_MEMBER, Association, Author, DocumentEntry, Submission, SubmissionSet, Xcn
from gateway.xds.xml import LCM, RIM, attribute, quoted

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
_RECENT = 512
"""Codes and authors whose markup is kept."""
_VERSIONS = 256
"""Submissions whose markup is kept: where much waits, one destination may be so far behind another."""
_OBJECT = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"


def submit_objects_request(submission: Submission, *, line_end: str = "") -> str:
    """The request that ITI-41 carries and METADATA.XML is, as markup without a declaration.

    For people `line_end` is a line break: then each attribute of the metadata stands on its line. Raises
    MetadataError (see there).
    """
    lines, number = _submission_set(submission.submission_set)
    written = [*lines]
    for entry in submission.entries:
        # DMP, archive and folder differ in these two: all else is written once.
        same = replace(entry, uri="", extra_slots=())
        slots, references, rest, number = _entry(same, number)
        extra = (_slot(name, *values) for name, values in entry.extra_slots)
        written += (*slots, _slot("URI", entry.uri), references, *extra, *rest)
    numbers = count(number)
    for entry in submission.entries:
        member = Association(
            kind=HAS_MEMBER,
            source=submission.submission_set.set_id,
            target=entry.entry_id,
            slots=(("SubmissionSetStatus", ("Original",)),),
        )
        written.append(_association(member, next(numbers)))
    written += (_association(association, next(numbers)) for association in submission.associations)
    return line_end.join(
        (
            f'<lcm:SubmitObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"><rim:RegistryObjectList>',
            *filter(None, written),
            f"</rim:RegistryObjectList></lcm:SubmitObjectsRequest>{line_end}",
        )
    )


class MetadataError(ValueError):
    """A value that ebRIM cannot carry: a slot value beyond 256 characters. The message names the slot."""


def _slot(name: str, *values: str) -> str:
    """A slot with its values; nothing when all values are empty. `name` is ours: plain."""
    kept = [text for value in values if (text := clean(value))]
    if not kept:
        return ""
    if any(len(text) > LONG_NAME for text in kept):
        raise MetadataError(f"slot {name}: a value has more than {LONG_NAME} characters")
    written = "".join([f"<rim:Value>{escape(text)}</rim:Value>" for text in kept])
    return f'<rim:Slot name="{name}"><rim:ValueList>{written}</rim:ValueList></rim:Slot>'


def _named(tag: str, text: str) -> str:
    """Name or Description in French; nothing for an empty text (cut at rim:FreeFormText, 1024)."""
    value = clean(text)[:1024]
    if not value:
        return ""
    localized = f'<rim:LocalizedString charset="UTF-8" value="{quoted(value)}" xml:lang="fr-FR"/>'
    return f"<rim:{tag}>{localized}</rim:{tag}>"


@lru_cache(maxsize=_VERSIONS)
def _submission_set(value: SubmissionSet) -> tuple[tuple[str, ...], int]:
    """Its lines, and the next number of an id."""
    owner, objects = attribute(value.set_id), _Objects(1)
    lines = (
        f'<rim:RegistryPackage id="{owner}" objectType="{_OBJECT}RegistryPackage">',
        _slot("submissionTime", value.submission_time),
        _named("Name", value.title),
        _named("Description", value.comments),
        f'<rim:Classification id="{objects.id("cl")}" classifiedObject="{owner}"'
        f' objectType="{_OBJECT}Classification" classificationNode="{SUBMISSION_SET}"/>',
        *[objects.author(owner, SET_AUTHOR, author) for author in value.authors],
        objects.code(owner, SET_CONTENT_TYPE, value.content_type_code),
        objects.identify(owner, SET_PATIENT_ID, "XDSSubmissionSet.patientId", cx(value.patient_id)),
        objects.identify(owner, SET_SOURCE_ID, "XDSSubmissionSet.sourceId", value.source_id),
        objects.identify(owner, SET_UNIQUE_ID, "XDSSubmissionSet.uniqueId", value.unique_id),
        "</rim:RegistryPackage>",
    )
    return lines, objects.number


@lru_cache(maxsize=_VERSIONS)
def _entry(value: DocumentEntry, number: int) -> tuple[tuple[str, ...], str, tuple[str, ...], int]:
    """Its lines: those before the URI, referenceIdList, those behind the extra slots; the next number."""
    owner, objects = attribute(value.entry_id), _Objects(number)
    slots = (
        f'<rim:ExtrinsicObject id="{owner}" mimeType="{attribute(value.mime_type)}"'
        f' objectType="{STABLE_DOCUMENT}">',
        _slot("creationTime", value.creation_time),
        _slot("languageCode", value.language_code),
        _signer(value.legal_authenticator),
        _slot("serviceStartTime", value.service_start_time),
        _slot("serviceStopTime", value.service_stop_time),
        _slot("sourcePatientId", cx(value.source_patient_id)),
        _slot("sourcePatientInfo", *value.source_patient_info),
        _slot("hash", value.hash),
        _slot("size", str(value.size) if value.hash else ""),
    )
    rest = (
        _named("Name", value.title),
        _named("Description", value.comments),
        *[objects.author(owner, ENTRY_AUTHOR, author) for author in value.authors],
        *[objects.code(owner, scheme, code) for name, scheme in ENTRY_CODES for code in _codes(value, name)],
        objects.identify(owner, ENTRY_PATIENT_ID, "XDSDocumentEntry.patientId", cx(value.patient_id)),
        objects.identify(owner, ENTRY_UNIQUE_ID, "XDSDocumentEntry.uniqueId", value.unique_id),
        "</rim:ExtrinsicObject>",
    )
    return slots, _slot(REFERENCE_ID_LIST, *map(cx, value.reference_ids)), rest, objects.number


@lru_cache(maxsize=_VERSIONS)
def _association(value: Association, number: int) -> str:
    slots = "".join([_slot(name, *values) for name, values in value.slots])
    head = (
        f'<rim:Association id="as{number:02d}" associationType="{attribute(value.kind)}"'
        f' sourceObject="{attribute(value.source)}" targetObject="{attribute(value.target)}"'
        f' objectType="{_OBJECT}Association"'
    )
    return f"{head}>{slots}</rim:Association>" if slots else f"{head}/>"


class _Objects:
    """Classifications and identifiers of registry objects; `number` counts their ids. `owner` is as it is
    written in an attribute."""

    def __init__(self, number: int) -> None:
        self.number = number

    def id(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number - 1:02d}"

    def author(self, owner: str, scheme: str, author: Author) -> str:
        return self._classified(owner, scheme, "", _author_slots(author))

    def code(self, owner: str, scheme: str, code: Code) -> str:
        return self._classified(owner, scheme, *_coded(code))

    def identify(self, owner: str, scheme: str, name: str, value: str) -> str:
        return (
            f'<rim:ExternalIdentifier id="{self.id("ei")}" registryObject="{owner}"'
            f' identificationScheme="{scheme}" objectType="{_OBJECT}ExternalIdentifier"'
            f' value="{attribute(value)}"><rim:Name><rim:LocalizedString value="{name}"/></rim:Name>'
            "</rim:ExternalIdentifier>"
        )

    def _classified(self, owner: str, scheme: str, representation: str, inside: str) -> str:
        """`representation` as it is written in an attribute."""
        head = (
            f'<rim:Classification id="{self.id("cl")}" classifiedObject="{owner}"'
            f' objectType="{_OBJECT}Classification" classificationScheme="{scheme}"'
            f' nodeRepresentation="{representation}"'
        )
        return f"{head}>{inside}</rim:Classification>" if inside else f"{head}/>"


@lru_cache(maxsize=_RECENT)
def _author_slots(author: Author) -> str:
    slots = (
        _slot("authorPerson", xcn(author.person) if author.person else ""),
        _slot("authorInstitution", *map(xon, author.institutions)),
        _slot("authorRole", *author.roles),
        _slot("authorSpecialty", *map(coded, author.specialties)),
    )
    return "".join(slots)


@lru_cache(maxsize=_RECENT)
def _coded(code: Code) -> tuple[str, str]:
    """nodeRepresentation, and what stands inside the classification."""
    inside = _slot("codingScheme", code.system) + _named("Name", code.display or code.code)
    return attribute(code.code), inside


@lru_cache(maxsize=_RECENT)
def _signer(who: Xcn | None) -> str:
    return _slot("legalAuthenticator", xcn(who)) if who else ""


def _codes(value: Value, attribute: str) -> tuple[Code, ...]:
    codes: Code | tuple[Code, ...] = getattr(value, attribute)
    return codes if isinstance(codes, tuple) else (codes,)
