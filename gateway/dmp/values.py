"""What leaves this room: a request ready to be posted, or the findings that say why there is none."""

from gateway.model.base import Value
from gateway.model.findings import Finding, Severity, finding
from gateway.security.vihf import VihfClaims
from gateway.xds import Submission
from gateway.xds.hl7types import cx


class DmpRequest(Value):
    """One HTTP POST to the DMP, complete. `document_hash` is the SHA-1 (hex) of the CDA inside `body`, "" for
    a deletion.

    `entry_uuid` is the DocumentEntry.entryUUID that the submission proposes, "" when it is only symbolic; of
    a deletion that of the entry which goes.
    """

    url: str
    content_type: str
    action: str
    body: bytes
    unique_id: str
    document_hash: str = ""
    entry_uuid: str = ""

    @property
    def remote_ids(self) -> tuple[tuple[str, str], ...]:
        """What names the document at the DMP once it is there, for `Outcome.remote_ids`.

        The entryUUID is that of this submission: a registry keeps a proposed UUID (IHE ITI TF-3 §4.2.3.2.6),
        but gives the entry a new one when its metadata change. It is a cache, never the truth (REQ-42).
        """
        known = (("entryUUID", self.entry_uuid), ("uniqueId", self.unique_id))
        return tuple((name, value) for name, value in known if value)


class DmpQuery(Value):
    """One question to the registry of the DMP (TD3.1b), complete: what stands under `unique_id` (the document
    of the delivery) and `replaced_id` (its predecessor, "" for none)."""

    url: str
    content_type: str
    action: str
    body: bytes
    unique_id: str
    replaced_id: str = ""


class DmpError(Exception):
    """The delivery cannot be made as it is; it would fail in the same way again. Carries the findings."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(str(found) for found in findings))
        self.findings = findings


def same_patient(submission: Submission, claims: VihfClaims) -> None:
    """Raises DmpError unless the document is about the patient whose record the VIHF opens: changing another
    patient's record is the one fault that nothing mends afterwards."""
    if cx(submission.submission_set.patient_id) != claims.patient:
        raise DmpError(finding("CDA-MISMATCH", "recordTarget/patientRole/id", "INS", Severity.ERROR))
