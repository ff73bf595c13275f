"""The XDS metadata model: one source for ebRIM (ITI-41), METADATA.XML (ITI-32) and later FHIR (ITI-65).

Attribute names are those of IHE ITI TF-3 §4.2.3. Times are DTM strings in UTC without offset
(`YYYY[MM[DD[HH[MM[SS]]]]]`), ready for the wire: see `hl7types.utc`.
"""

from gateway.model.base import Value
from gateway.model.terms import Code

APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"
DELETED = "urn:asip:ci-sis:2010:StatusType:Deleted"
"""availabilityStatus, JDV_J52."""


class Xcn(Value):
    """A person or device (HL7 v2 XCN, components 1, 2, 3, 9, 10, 13; CI-SIS, spec §1.2).

    For a device `family` holds its name and `given` its model, `name_type` is `U`.
    """

    id: str
    family: str = ""
    given: str = ""
    authority: str = ""
    name_type: str = "D"
    id_type: str = "IDNPS"


class Xon(Value):
    """A structure (HL7 v2 XON, components 1, 6, 7, 10)."""

    name: str = ""
    id: str = ""
    authority: str = ""
    id_type: str = "IDNST"


class Cx(Value):
    """An identifier with its authority (HL7 v2 CX, components 1, 4, 5); also CXi of referenceIdList."""

    value: str
    authority: str = ""
    id_type: str = ""


class Author(Value):
    """XDS author: at least a person or an institution."""

    person: Xcn | None = None
    institutions: tuple[Xon, ...] = ()
    roles: tuple[str, ...] = ()
    """Free text: functionCode/@displayName."""
    specialties: tuple[Code, ...] = ()


class DocumentEntry(Value):
    """XDSDocumentEntry (stable). `entry_id` is a `urn:uuid:` or a symbolic id, unique in the submission."""

    entry_id: str
    unique_id: str
    patient_id: Cx
    source_patient_id: Cx
    source_patient_info: tuple[str, ...]
    """`PID-5|…`, `PID-7|…`, `PID-8|…`: one string per value."""
    title: str
    creation_time: str
    language_code: str
    mime_type: str
    class_code: Code
    type_code: Code
    format_code: Code
    confidentiality_codes: tuple[Code, ...]
    healthcare_facility_type_code: Code
    practice_setting_code: Code
    authors: tuple[Author, ...]
    legal_authenticator: Xcn | None = None
    event_codes: tuple[Code, ...] = ()
    reference_ids: tuple[Cx, ...] = ()
    service_start_time: str = ""
    service_stop_time: str = ""
    hash: str = ""
    """SHA-1 in lower-case hex of the exact bytes."""
    size: int = 0
    uri: str = ""
    """Name of the file beside METADATA.XML; XDM only."""
    comments: str = ""
    extra_slots: tuple[tuple[str, tuple[str, ...]], ...] = ()


class SubmissionSet(Value):
    """XDSSubmissionSet. `author` is who sends, not who wrote the document."""

    set_id: str
    unique_id: str
    source_id: str
    patient_id: Cx
    submission_time: str
    content_type_code: Code
    authors: tuple[Author, ...]
    title: str = ""
    comments: str = ""


class Association(Value):
    """A link between two entries; `target` of RPLC is the entryUUID of the old entry."""

    kind: str
    source: str
    target: str
    slots: tuple[tuple[str, tuple[str, ...]], ...] = ()


HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"
SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
UPDATE_AVAILABILITY_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"


class Submission(Value):
    """One SubmitObjectsRequest: a set, its entries, and associations beside the HasMember of each entry.

    HasMember (SubmissionSetStatus Original) is implied for every entry and written by `ebrim`.
    """

    submission_set: SubmissionSet
    entries: tuple[DocumentEntry, ...]
    associations: tuple[Association, ...] = ()
