"""What: the canonical report, the only currency between intake and output.

HL7 v2 and FHIR of one exam give equal reports. Who sent the message, its control id and its flags are not
here but in `SubmissionContext`; attached bytes stand here by their SHA-256.
"""

from datetime import datetime
from enum import StrEnum

from gateway.model.base import Value
from gateway.model.imaging import AdministeredProduct, ContraIndication, Device, RadiationExposure
from gateway.model.narrative import Block
from gateway.model.people import Organization, Patient, Practitioner
from gateway.model.terms import Code, Identifier

SCHEMA = "gateway.report/1"


class ReportStatus(StrEnum):
    """Life cycle of a report (spec hl7v2.md §4.4, FHIR DiagnosticReport.status)."""

    REGISTERED = "registered"
    PRELIMINARY = "preliminary"
    FINAL = "final"
    CORRECTED = "corrected"
    APPENDED = "appended"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"

    @property
    def validated(self) -> bool:
        """May leave the house: a physician has answered for it."""
        return self in (ReportStatus.FINAL, ReportStatus.CORRECTED, ReportStatus.APPENDED)

    @property
    def withdrawn(self) -> bool:
        return self in (ReportStatus.CANCELLED, ReportStatus.ENTERED_IN_ERROR)


class SectionKind(StrEnum):
    """Sections of an imaging report; the value is the section's LOINC code (volet IMG-CR-IMG 2024.01)."""

    ADDENDUM = "55107-7"
    CLINICAL = "55752-0"
    REQUEST = "55115-0"
    HISTORY = "11329-0"
    PROCEDURE = "55111-9"
    COMPLICATIONS = "55109-3"
    EXPOSURE = "73569-6"
    COMPARISON = "18834-2"
    FINDINGS = "59776-5"
    CONCLUSION = "19005-8"
    RECOMMENDATION = "18783-1"
    COMMENT = "55112-7"
    MEDICAL_HISTORY = "11348-0"
    SURGICAL_HISTORY = "47519-4"
    CONTRAINDICATIONS = "64100-1"
    PRIOR_RESULTS = "30954-2"
    PATIENT_INFORMATION = "34895-3"
    REPORT = "18748-4"
    """The whole report as one text: the sender gave no structure."""


class Section(Value):
    """One section of narrative: `text` in the sender's lines, separated by LF; `title` its own heading.

    `blocks` say the same as `text` where the sender gave lists or tables. `act` is the index of the act that
    a technique, complication or exposure is about; without it the first act is meant.
    """

    kind: SectionKind
    text: str
    title: str = ""
    blocks: tuple[Block, ...] = ()
    act: int | None = None
    author: Practitioner | None = None
    """Who wrote an addendum, when he is another than the report's author."""
    authored_at: datetime | None = None


class Act(Value):
    """One imaging procedure of the report.

    `code` is LOINC (JDV 5.687), `ccam` the billing act, `local` what the RIS calls it. Modalities are DCM
    codes of JDV 5.618 (MR, never RM), regions SNOMED CT of JDV 5.695, sites SNOMED CT of JDV 5.694;
    `laterality` is SNOMED CT (24028007 right, 7771000 left, 51440002 both sides, 66459002 one side).
    """

    label: str = ""
    code: Code | None = None
    ccam: Code | None = None
    local: Code | None = None
    modalities: tuple[Code, ...] = ()
    regions: tuple[Code, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    study_uid: str = ""
    accession: Identifier | None = None
    sites: tuple[Code, ...] = ()
    laterality: Code | None = None
    parameters: str = ""
    """Equipment and acquisition parameters in words."""
    products: tuple[AdministeredProduct, ...] = ()
    radiopharmaceuticals: tuple[AdministeredProduct, ...] = ()
    exposure: RadiationExposure | None = None
    function: Code | None = None
    """Function studied, asked for in NM (JDV 5.669) and PT (5.668)."""


class ImagingSeries(Value):
    """One series of a study: UID, DCM modality, first instance when known."""

    uid: str
    modality: str = ""
    sop_class_uid: str = ""
    instance_uid: str = ""


class ImagingStudy(Value):
    """A DICOM study that the report interprets."""

    uid: str
    accession: Identifier | None = None
    modalities: tuple[str, ...] = ()
    started: datetime | None = None
    description: str = ""
    series: tuple[ImagingSeries, ...] = ()


class OrderReference(Value):
    """The request that the report answers: placer, filler and accession numbers, each with its authority."""

    placer: Identifier | None = None
    filler: Identifier | None = None
    accession: Identifier | None = None
    requested_at: datetime | None = None
    reason: str = ""
    """Justification given by the requester."""
    reasons: tuple[Code, ...] = ()
    """The same, or more of it, as codes: CIM-10, SNOMED CT."""


class Encounter(Value):
    """The stay or visit. `kind` is an HL7 ActEncounterCode (AMB, IMP, EMER…)."""

    kind: str = "AMB"
    number: Identifier | None = None
    start: datetime | None = None
    end: datetime | None = None


class Attachment(Value):
    """Bytes received with the report, by hash: a PDF, an RTF, a CDA. `title` is what the sender called it."""

    sha256: str
    media_type: str
    size: int
    title: str = ""


class ImagingReport(Value):
    """One imaging report, as its radiologist meant it. `report_set` names it over all its versions."""

    report_set: Identifier
    status: ReportStatus
    patient: Patient
    title: str = "CR d'imagerie médicale"
    language: str = "fr-FR"
    validated_at: datetime | None = None
    """Validation by the legal authenticator, with offset; required before anything leaves."""
    authors: tuple[Practitioner, ...] = ()
    legal_authenticator: Practitioner | None = None
    authenticators: tuple[Practitioner, ...] = ()
    requester: Practitioner | None = None
    attending: Practitioner | None = None
    """Médecin traitant (PCP)."""
    copies_to: tuple[Practitioner, ...] = ()
    custodian: Organization | None = None
    performer: Organization | None = None
    """The structure that did the exam."""
    encounter: Encounter = Encounter()
    orders: tuple[OrderReference, ...] = ()
    acts: tuple[Act, ...] = ()
    studies: tuple[ImagingStudy, ...] = ()
    sections: tuple[Section, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    replaces: Identifier | None = None
    """Document that this one replaces, when the sender named it (CDA relatedDocument, TXA-13)."""
    pregnancy: Code | None = None
    """JDV 1.2.250.1.213.1.1.5.671: 60001007 not pregnant, 77386006 pregnant, 261665006 unknown."""
    contraindications: tuple[ContraIndication, ...] = ()
    devices: tuple[Device, ...] = ()
    screening: bool = False
    """An organised screening: one more documentationOf with CIM-10 Z13.9 (cda.md §3.6)."""
