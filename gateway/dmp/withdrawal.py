"""TD3.3c: delete a document of ours: its entry becomes Deleted, with the VIHF of this attempt.

A SubmitObjectsRequest to the registry, with a submission set of the withdrawal's own and one association
UpdateAvailabilityStatus (spec dmp-mss.md §1.5). The delete is logical: the DMP keeps the document, unseen.
"""

from datetime import datetime

from gateway.cisis import submission as cisis_submission
from gateway.dmp.claims import claims_for
from gateway.dmp.lookup import ARCHIVED
from gateway.dmp.values import DmpError, DmpRequest, same_patient
from gateway.model.base import replace
from gateway.model.findings import finding
from gateway.model.version import DeliveryJob, DocumentKind
from gateway.security import Cachet, vihf
from gateway.xds import Association, MetadataError, update_document_set
from gateway.xds.model import APPROVED as APPROVED_STATUS
from gateway.xds.model import ARCHIVED as ARCHIVED_STATUS
from gateway.xds.model import DELETED as DELETED_STATUS
from gateway.xds.model import UPDATE_AVAILABILITY_STATUS

_UUID = "urn:uuid:"


def delete(
    job: DeliveryJob, *, cachet: Cachet, url: str, message_id: str, assertion_id: str, now: datetime
) -> DmpRequest:
    """The request to the registry at `url` that deletes what `resolve` found, named in
    `job.previous_remote_ids` (entryUUID, uniqueId, status); arguments and errors as of `provide`."""
    known = dict(job.previous_remote_ids)
    target = known.get("entryUUID", "")
    if not target.startswith(_UUID):
        raise DmpError(finding("DMP-ENTRY-UNKNOWN", "ClinicalDocument/id"))
    claims = claims_for(job)
    made = cisis_submission(job.version, job.document(DocumentKind.CDA).data)
    same_patient(made, claims)
    before = ARCHIVED_STATUS if known.get("status") == ARCHIVED else APPROVED_STATUS
    change = Association(
        kind=UPDATE_AVAILABILITY_STATUS,
        source=made.submission_set.set_id,
        target=target,
        slots=(("OriginalStatus", (before,)), ("NewStatus", (DELETED_STATUS,))),
    )
    try:
        request = update_document_set(
            replace(made, entries=(), associations=(change,)),
            assertion=vihf(claims, cachet, assertion_id=assertion_id, now=now),
            message_id=message_id,
            to=url,
        )
    except MetadataError as error:
        raise DmpError(finding("CDA-RULE", "XDSSubmissionSet", str(error))) from error
    return DmpRequest(
        url=url,
        content_type=request.content_type,
        action=request.action,
        body=request.body,
        unique_id=known.get("uniqueId", ""),
        entry_uuid=target,
    )
