"""TD3.1b: what the DMP holds under a uniqueId, asked before a replacement, a deletion or a repeat (ITI-18).

The entryUUID of a document changes with every change of its metadata: what an earlier delivery named is a
cache only (REQ-42, spec dmp-mss.md §1.5). And a repeat after an attempt without an answer first asks whether
that one arrived (architecture decision 10).
"""

from datetime import datetime
from hashlib import sha1

from gateway.cda import read
from gateway.cda.values import join_id
from gateway.dmp.claims import claims_for, patient_id
from gateway.dmp.values import DmpQuery
from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.findings import finding
from gateway.model.submission import Action
from gateway.model.version import DeliveryJob, DocumentKind
from gateway.security import Cachet, vihf
from gateway.xds import FoundEntry, get_documents

APPROVED, DEPRECATED, ARCHIVED, DELETED = "Approved", "Deprecated", "Archived", "Deleted"
_GONE = (DEPRECATED, DELETED)


def look_up(
    job: DeliveryJob, *, cachet: Cachet, url: str, message_id: str, assertion_id: str, now: datetime
) -> DmpQuery | None:
    """The question for `job`, None when there is nothing to ask: the first attempt of a new document.

    Raises DmpError and `gateway.cda.CdaError`, as the submission itself would.
    """
    if job.attempt == 1 and job.action is Action.CREATE:
        return None
    header = read(job.document(DocumentKind.CDA).data)
    old = ""
    if job.action is not Action.CREATE:
        # A version between the two that never left is named by the CDA, but unknown to the DMP.
        sent = dict(job.previous_remote_ids).get("uniqueId", "")
        old = sent or (join_id(header.replaces[0]) if header.replaces else "")
    asked = tuple(dict.fromkeys(one for one in (header.unique_id, old) if one))
    assertion = vihf(claims_for(job), cachet, assertion_id=assertion_id, now=now)
    request = get_documents(asked, assertion=assertion, message_id=message_id, to=url)
    return DmpQuery(
        url=url,
        content_type=request.content_type,
        action=request.action,
        body=request.body,
        unique_id=header.unique_id,
        replaced_id=old,
    )


def resolve(job: DeliveryJob, query: DmpQuery, found: tuple[FoundEntry, ...]) -> DeliveryJob | Outcome:
    """`job` with the present entryUUID of what it replaces or deletes; or how it has ended, unsent."""
    if job.action is Action.DELETE:
        return _deletion(job, query, found)
    mine = _current(found, query.unique_id)
    if mine is not None and mine.status != DELETED:
        return _arrived(mine, sha1(job.document(DocumentKind.CDA).data, usedforsecurity=False).hexdigest())
    if job.recalled:
        return _ended("REPORT-RECALLED", OutcomeKind.REFUSED)
    if job.action is not Action.REPLACE:
        return job
    old = _current(found, query.replaced_id)
    if old is None:
        return _ended("DMP-ENTRY-UNKNOWN")
    if old.status == DELETED:
        return replace(job, action=Action.CREATE)  # nothing stands there to be replaced
    if old.status == DEPRECATED:
        return _ended("DMP-ENTRY-DEPRECATED")
    return replace(job, previous_remote_ids=(("entryUUID", old.entry_uuid), ("uniqueId", query.replaced_id)))


def _deletion(job: DeliveryJob, query: DmpQuery, found: tuple[FoundEntry, ...]) -> DeliveryJob | Outcome:
    """Only the very document that left is deleted: the same bytes, in the record of the same patient.

    The last version may never have arrived, then it is the one before. Deleted already is done; a document
    that somebody else replaced is no longer ours to delete.
    """
    mine, old = _current(found, query.unique_id), _current(found, query.replaced_id)
    candidates = [entry for entry in (mine, old) if entry is not None]
    entry = next((one for one in candidates if one.status not in _GONE), None)
    if entry is None:
        if any(one.status == DELETED for one in candidates):
            return _deleted("the document is deleted in the DMP already")
        if candidates:
            return _ended("DMP-ENTRY-DEPRECATED")
        if job.unanswered or not job.previous_remote_ids:
            return _deleted("the DMP has no such document (any more)")
        return _ended("DMP-ENTRY-UNKNOWN")
    digest = sha1(job.document(DocumentKind.CDA).data, usedforsecurity=False).hexdigest()
    if entry is mine and entry.hash and entry.hash != digest:
        return _another()
    if entry.patient_id and entry.patient_id != patient_id(job.version.report):
        return _ended("CDA-MISMATCH")
    ids = (("entryUUID", entry.entry_uuid), ("uniqueId", entry.unique_id), ("status", entry.status))
    return replace(job, previous_remote_ids=ids)


def _deleted(detail: str) -> Outcome:
    return Outcome(kind=OutcomeKind.DELIVERED, code="found", detail=detail)


def _another() -> Outcome:
    return Outcome(
        kind=OutcomeKind.PERMANENT,
        code="XDSNonIdenticalHash",
        detail="another document with this uniqueId is in the DMP: its hash differs",
    )


def _current(found: tuple[FoundEntry, ...], unique_id: str) -> FoundEntry | None:
    """The entry under `unique_id`: after changes of its metadata several share it, one of them Approved."""
    same = [entry for entry in found if unique_id and entry.unique_id == unique_id]
    same.sort(key=lambda entry: (entry.status != APPROVED, entry.status in _GONE))
    return same[0] if same else None


def _arrived(entry: FoundEntry, digest: str) -> Outcome:
    if entry.hash and entry.hash != digest:
        return _another()
    return Outcome(
        kind=OutcomeKind.DELIVERED,
        code="found",
        detail="the DMP has this document already",
        remote_ids=(("entryUUID", entry.entry_uuid), ("uniqueId", entry.unique_id)),
    )


def _ended(code: str, kind: OutcomeKind = OutcomeKind.PERMANENT) -> Outcome:
    spec = finding(code).spec
    return Outcome(kind=kind, code=code, detail=spec.text)
