"""What the identity feed (ADT, PAM.FR) says of a patient, and what the gateway keeps of it."""

from datetime import datetime
from enum import StrEnum

from gateway.model.base import Value
from gateway.model.delivery import DeliveryState, Destination
from gateway.model.findings import Finding
from gateway.model.people import Patient
from gateway.model.report import ImagingReport
from gateway.model.submission import Coverage, Provenance, Recipient, SubmissionContext, Trace
from gateway.model.terms import Identifier


class FeedAction(StrEnum):
    """What an ADT event asks for."""

    UPDATE = "update"
    MERGE = "merge"
    """The identifiers of MRG-1 belong to the patient of PID from now on (A40), for good."""
    LINK = "link"
    """Two records are of one person (A24); A37 takes it back."""
    UNLINK = "unlink"
    CHANGE = "change"
    """The record changed its identifier (A47): the one of MRG-1 leads to that of PID."""


class IdentityEvent(Value):
    """One event of the feed. `prior` are the identifiers of MRG-1, or of the second PID (A24, A37).

    `marks` are the codes of PID-32 (table 0445); () when the message says nothing of the status, and the
    patient's status is then not a statement either. `opposed`: the patient is opposed to reports in the DMP
    (ZFA-9 IO), is not (INO), or nobody says (None). `said_at` is when it was recorded (EVN-2, MSH-7).
    """

    action: FeedAction
    patient: Patient
    prior: tuple[Identifier, ...] = ()
    marks: tuple[str, ...] = ()
    opposed: bool | None = None
    said_at: datetime | None = None


class MappedIdentity(Value):
    """One ADT message as mapped; `event` None: an error finding says why."""

    event: IdentityEvent | None
    processing_id: str = ""
    """MSH-11."""
    provenance: tuple[Provenance, ...] = ()
    coverage: Coverage = Coverage()
    findings: tuple[Finding, ...] = ()


class IdentityRecord(Value):
    """What is known under one identifier of a site: an IPP with its authority, or the matricule INS.

    `merged_into` leads to the record that speaks for this one; `linked` when A37 may undo it. `said_at` is
    the time of the event that last spoke of it: an older one that comes later changes nothing.
    """

    key: Identifier
    patient: Patient
    marks: tuple[str, ...] = ()
    opposed: bool | None = None
    merged_into: Identifier | None = None
    linked: bool = False
    said_at: datetime | None = None


class KeptDelivery(Value):
    """One row of the ledger that is not settled. `reason` is the finding code of a blocked one."""

    destination: Destination
    state: DeliveryState
    reason: str = ""
    recipient: Recipient | None = None


class KeptReport(Value):
    """The current version of a report set as it was taken.

    `report` and `context` are those of the version, `number` its number, `deliveries` those that are not
    settled, where the identity feed asks for them.
    """

    report_id: int
    set_key: str
    number: int
    report: ImagingReport
    context: SubmissionContext
    trace: Trace | str = Trace()
    """As in `Mapped`."""
    deliveries: tuple[KeptDelivery, ...] = ()
