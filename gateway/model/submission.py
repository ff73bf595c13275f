"""How it came: the submission context, the flags of the message, and what mapping hands on."""

from datetime import datetime
from enum import StrEnum

from gateway.model.base import Value, decode, replace
from gateway.model.findings import Finding
from gateway.model.people import Organization, Practitioner
from gateway.model.report import ImagingReport


class Protocol(StrEnum):
    HL7V2 = "hl7v2"
    FHIR = "fhir"


class Action(StrEnum):
    """What the sender asks for (volet Transmission 2.1 §1.2: NW/F/T02, RO/C/T10, CA/D/T04)."""

    CREATE = "create"
    REPLACE = "replace"
    DELETE = "delete"


class RecipientKind(StrEnum):
    PROFESSIONAL = "professional"
    ORGANIZATION = "organization"
    APPLICATION = "application"
    PATIENT = "patient"


class Recipient(Value):
    """A MSSanté recipient that the message names (PRT RCT) or that a rule found (the requester)."""

    kind: RecipientKind
    id: str = ""
    """PS_IdNat, Struct_IdNat or matricule, with its type digit."""
    name: str = ""
    address: str = ""
    """Mailbox, "" when it has to be looked up."""


class Flags(Value):
    """MetaDMPMSS flags of the message (volet Transmission 2.1 §1.6); None = the message does not say."""

    masked_ps: bool | None = None
    invisible_patient: bool | None = None
    invisible_legal_representatives: bool | None = None
    secret_connection: bool | None = None
    modified_confidentiality: bool | None = None
    to_dmp: bool | None = None
    to_professionals: bool | None = None
    to_patient: bool | None = None
    acknowledge_reception: bool | None = None
    acknowledge_reading: bool | None = None
    patient_may_not_reply: bool | None = None
    """NTE-4 = FIN after DESTMSSANTEPAT → header X-MSS-MES: FIN."""


class SubmissionContext(Value):
    """Everything about the message that is not the report. Never part of the canonical core."""

    protocol: Protocol
    site: str
    message_type: str = ""
    """`ORU^R01`, `MDM^T02`, `Bundle/transaction`…"""
    control_id: str = ""
    """MSH-10 or Bundle.identifier."""
    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    """MSH-5 and MSH-6: the names by which the sender knows us, and by which a ZAM goes back to it."""
    receiving_facility: str = ""
    processing_id: str = ""
    """MSH-11: P, T or D."""
    sent_at: datetime | None = None
    action: Action = Action.CREATE
    flags: Flags = Flags()
    sender: Practitioner | None = None
    """PRT SB, person; its organization is PRT-8 (feeds VIHF and SubmissionSet.author)."""
    sender_organization: Organization | None = None
    recipients: tuple[Recipient, ...] = ()
    reply_to: str = ""
    body_professional: str = ""
    body_patient: str = ""
    patient_class: str = ""
    """PV1-2 as received (I, O, E, R, N) → contentTypeCode."""
    received_document: str = ""
    """SHA-256 of a CDA that came in the message and passes through byte for byte; "" when we build it."""
    document_id: str = ""
    """How the sender names the document: ClinicalDocument/id of that CDA (`root`, or `root^extension`), of a
    classic MDM TXA-12."""
    prior_document_id: str = ""
    """How the sender names the document that this one replaces or adds to (relatedDocument, TXA-13)."""
    received_set_id: str = ""
    """ClinicalDocument/setId of that CDA, "" when it has none."""


class Provenance(Value):
    """Where one canonical value came from.

    `path` is a canonical path (`patient.birth_family`, `acts[0].code`); `source` a message location
    (`PID-5[1].1`, an XPath, a FHIRPath), `rule` the code-map row, profile constant or rule that made it.
    """

    path: str
    source: str = ""
    rule: str = ""


class Coverage(Value):
    """What became of every field of the message that held a value, by location."""

    mapped: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Not read by any locator: kept in the stored message only."""
    ignored: tuple[tuple[str, str], ...] = ()
    """(location, name of the rule that ignores it)."""


class Blob(Value):
    """Bytes that came with a report; `sha256` is the name under which the report and the store know them."""

    sha256: str
    media_type: str
    data: bytes


class Trace(Value):
    """Where the values of a report, or of an order, came from: kept beside its canonical JSON."""

    provenance: tuple[Provenance, ...] = ()
    coverage: Coverage = Coverage()


class Mapped(Value):
    """One report read from a message. `report` is None when an error finding says why there is none."""

    report: ImagingReport | None
    context: SubmissionContext
    blobs: tuple[Blob, ...] = ()
    trace: Trace | str = Trace()
    """Of a report that another process has read it is the JSON: few decisions ask where a value came from."""
    findings: tuple[Finding, ...] = ()

    @property
    def traced(self) -> Trace:
        return decode(self.trace.encode(), Trace) if isinstance(self.trace, str) else self.trace

    @property
    def provenance(self) -> tuple[Provenance, ...]:
        return self.traced.provenance

    @property
    def coverage(self) -> Coverage:
        return self.traced.coverage

    def also_from(self, *more: Provenance) -> Trace:
        """Its trace, and `more` behind."""
        before = self.traced
        return replace(before, provenance=(*before.provenance, *more))
