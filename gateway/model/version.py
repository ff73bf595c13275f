"""One version of a report: the identities fixed at its commit, and the work that workers get."""

import hashlib
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_OID, UUID

from gateway.model.base import Value
from gateway.model.delivery import DeliveryState, Destination, Outcome
from gateway.model.report import ImagingReport
from gateway.model.site import Site
from gateway.model.submission import Action, Recipient, SubmissionContext


def derive_uuid(*parts: str) -> UUID:
    """A UUIDv5 of `parts`: same parts, same id, after any crash (architecture decision 6)."""
    return UUID(int=_uuid5(parts))


def _uuid5(parts: tuple[str, ...]) -> int:
    """RFC 4122 §4.3 (version 5). `uuid.uuid5` makes three UUID objects on the way: 5 % of a commit."""
    digest = hashlib.sha1(NAMESPACE_OID.bytes + "\x1f".join(parts).encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16], "big")
    return number & ~(0xF000 << 64) & ~(0xC000 << 48) | 5 << 76 | 0x8000 << 48


def derive_oid(*parts: str) -> str:
    """An OID under 2.25 (ITU-T X.667: UUID-based, no registered root needed), at most 44 characters."""
    return f"2.25.{_uuid5(parts)}"


class VersionIdentity(Value):
    """Identities and times of one report version, fixed at the intake commit.

    `set_key` is `value^system` of `ImagingReport.report_set`. Nothing here depends on the message, so that
    ORU and FHIR of one exam agree, and building again after a crash gives the same bytes.
    """

    environment: str
    site: str
    set_key: str
    number: int
    created_at: datetime
    """CDA effectiveTime and XDS submissionTime, with offset, whole seconds."""
    document_id: str
    """ClinicalDocument/id/@root: derived, or that of a received CDA."""
    set_id: str
    """ClinicalDocument/setId/@root."""
    replaces_document_id: str = ""
    """ClinicalDocument/id of the version before, "" for the first."""

    def oid(self, kind: str) -> str:
        """A further id of this version, e.g. `submission-set`, `section/conclusion`."""
        return derive_oid(self.environment, self.site, self.set_key, str(self.number), kind)

    def uuid(self, kind: str) -> UUID:
        return derive_uuid(self.environment, self.site, self.set_key, str(self.number), kind)


class DocumentKind(StrEnum):
    CDA = "cda"
    PDF = "pdf"


class Document(Value):
    """A produced artefact of a version, with its bytes."""

    kind: DocumentKind
    sha256: str
    media_type: str
    data: bytes
    title: str = ""


class ReportVersion(Value, cache_hash=True):
    """One version as the store hands it out: the report, how it came, its identities."""

    version_id: int
    identity: VersionIdentity
    report: ImagingReport
    context: SubmissionContext
    site: Site


class Acknowledged(Value):
    """The delivery whose end a business acknowledgement (ZAM) tells to the creator of the message.

    `state`: DELIVERED, FAILED, REFUSED, BLOCKED or CANCELLED, since `ended_at`; `reason` is its finding code
    when no attempt says why.
    """

    delivery_id: int
    destination: Destination
    state: DeliveryState
    ended_at: datetime
    recipient: Recipient | None = None
    outcome: Outcome | None = None
    reason: str = ""


class DeliveryJob(Value):
    """One delivery to make now. `documents` are the artefacts of the version; `attempt` counts from 1.

    Of a deletion `version` is the withdrawal (its ids, times, context) with the report that left and the id
    of its document; `documents` are those that left.
    """

    delivery_id: int
    destination: Destination
    action: Action
    version: ReportVersion
    documents: tuple[Document, ...]
    attempt: int = 1
    recipient: Recipient | None = None
    previous_remote_ids: tuple[tuple[str, str], ...] = ()
    """What the peer named for the version that this one replaces or deletes."""
    unanswered: bool = False
    """An earlier attempt may have been carried out, nobody knows."""
    recalled: bool = False
    """The report was withdrawn meanwhile: what has not arrived is not sent any more."""
    forbidden: str = ""
    """Why the identity feed stops it: it spoke while this was in hand. What has not arrived is not sent."""
    acknowledges: Acknowledged | None = None
    """What a ZAM tells; None for every other destination."""

    def document(self, kind: DocumentKind) -> Document:
        """The artefact of this kind; raises LookupError when the version has none."""
        for document in self.documents:
            if document.kind is kind:
                return document
        raise LookupError(f"version {self.version.version_id} has no {kind} document")
