"""TD2.1: feed a document, or (TD2.1b) feed its replacement: ITI-41 with the VIHF of this attempt.

Spec dmp-mss.md §1.5, §2.1, §2.3. Document and metadata are the same at every attempt; assertion and
addressing ids are fresh each time.
"""

from datetime import datetime

from gateway.cisis import submission as cisis_submission
from gateway.dmp.claims import claims_for
from gateway.dmp.values import DmpError, DmpRequest, same_patient
from gateway.model.base import replace
from gateway.model.findings import finding
from gateway.model.submission import Action
from gateway.model.version import DeliveryJob, DocumentKind
from gateway.security import Cachet, vihf
from gateway.xds import Association, MetadataError, Submission, provide_and_register
from gateway.xds.model import REPLACES

_UUID = "urn:uuid:"


def provide(
    job: DeliveryJob, *, cachet: Cachet, url: str, message_id: str, assertion_id: str, now: datetime
) -> DmpRequest:
    """The request that feeds the version of `job`; `message_id` is a `urn:uuid:`, `assertion_id` an NCName.

    Raises DmpError with findings that no retry mends, `gateway.cisis.CisisError` when the CDA header lacks
    what the metadata need, LookupError when the version has no CDA.

    A replacement needs the entryUUID of its predecessor, from `job.previous_remote_ids`: what `look_up` and
    `resolve` found right before, else what the delivery of the predecessor named.
    """
    claims = claims_for(job)
    document = job.document(DocumentKind.CDA).data
    submission = _linked(job, cisis_submission(job.version, document))
    entry = submission.entries[0]
    same_patient(submission, claims)
    try:
        request = provide_and_register(
            submission,
            ((entry.entry_id, document),),
            assertion=vihf(claims, cachet, assertion_id=assertion_id, now=now),
            message_id=message_id,
            to=url,
        )
    except MetadataError as error:
        raise DmpError(finding("CDA-RULE", "XDSDocumentEntry", str(error))) from error
    return DmpRequest(
        url=url,
        content_type=request.content_type,
        action=request.action,
        body=request.body,
        unique_id=entry.unique_id,
        document_hash=entry.hash,
        entry_uuid=entry.entry_id if entry.entry_id.startswith(_UUID) else "",
    )


def _linked(job: DeliveryJob, submission: Submission) -> Submission:
    """`submission` with what the action adds to it: RPLC from the new entry to the entryUUID of the old."""
    if job.action is Action.CREATE:
        return submission
    old = dict(job.previous_remote_ids).get("entryUUID", "")
    if not old.startswith(_UUID):
        raise DmpError(finding("DMP-ENTRY-UNKNOWN", "relatedDocument/parentDocument/id"))
    link = Association(kind=REPLACES, source=submission.entries[0].entry_id, target=old)
    return replace(submission, associations=(*submission.associations, link))
