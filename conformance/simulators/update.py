"""Deleting in the DMP simulator (TD3.3c): UpdateAvailabilityStatus taken apart, and the rules it must keep.

A SubmitObjectsRequest to the registry, plain SOAP 1.2 with the action UpdateDocumentSet: one submission set,
no entry, one association from the set to each entry that changes (spec dmp-mss.md §1.1, §1.5).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree

from conformance.simulators import ebrim, soap, vihf, xds_rules
from conformance.simulators.ebrim import Metadata, first
from conformance.simulators.http import Request, Response
from conformance.simulators.registry import APPROVED, ARCHIVED, UUID_URN
from conformance.simulators.xds_faults import METADATA, Fault, Submission

if TYPE_CHECKING:
    from conformance.simulators.dmp import DmpSimulator

UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"
UPDATE_RESPONSE = "urn:ihe:iti:2010:UpdateDocumentSetResponse"
LINK = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
STATUSES = {
    "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved": APPROVED,
    "urn:asip:ci-sis:2010:StatusType:Archived": ARCHIVED,
}
"""OriginalStatus that an entry may have when it is deleted."""
RESULT = "Deleted"
"""`result` of a ledger entry that a deletion made."""
DELETED = "urn:asip:ci-sis:2010:StatusType:Deleted"


class Update(NamedTuple):
    message_id: str
    security: etree._Element | None
    request: etree._Element
    metadata: Metadata

    @property
    def targets(self) -> tuple[tuple[str, str], ...]:
        """(entryUUID, status that the sender takes it to have)."""
        return tuple(
            (link.target, STATUSES.get(first(link.slots, "OriginalStatus"), ""))
            for link in self.metadata.associations
            if link.type == LINK
        )


def is_update(request: Request) -> bool:
    """By the action of the Content-Type, where SOAP 1.2 names it."""
    return f'action="{UPDATE}"' in request.headers.get("content-type", "")


def take_apart(request: Request) -> Update:
    """Raises RefusedError for anything that is no UpdateDocumentSet."""
    message_id, security, submit = soap.opened(request, f"{{{ebrim.LCM}}}SubmitObjectsRequest", UPDATE)
    return Update(message_id, security, submit, ebrim.read(submit))


def check(update: Update) -> tuple[Fault, ...]:
    """The rules of a submission set, and those of this change."""
    submission = Submission(update.metadata, {})
    return (*xds_rules.check(submission, xds_rules.SET_RULES), *_links(update.metadata))


def _links(metadata: Metadata) -> Iterator[Fault]:
    sets = {found.id for found in metadata.sets}
    if len(sets) != 1 or metadata.entries:
        yield Fault(METADATA, "RegistryObjectList", "must hold one submission set and no entry")
    if not metadata.associations:
        yield Fault(METADATA, "UpdateAvailabilityStatus", "missing")
    for link in metadata.associations:
        if link.type != LINK:
            yield Fault(METADATA, "Association", "its type is not taken here")
        elif link.source not in sets or not UUID_URN.fullmatch(link.target):
            yield Fault(METADATA, "UpdateAvailabilityStatus", "must lead from the set to an entryUUID")
        elif first(link.slots, "OriginalStatus") not in STATUSES:
            yield Fault(METADATA, "OriginalStatus", "is neither Approved nor Archived")
        elif first(link.slots, "NewStatus") != DELETED:
            yield Fault("XDSMetadataUpdateOperationError", "NewStatus", "only Deleted is served")


def delete(dmp: "DmpSimulator", request: Request, imposed: Fault | None) -> Response:
    """Judge one deletion, keep request and answer, mark the entries."""
    try:
        asked = take_apart(request)
        patients = frozenset(found.patient_id for found in asked.metadata.sets)
        faults = vihf.check(asked.security, patients, dmp.options.authorities, datetime.now(UTC))
        if faults:
            raise soap.RefusedError(*faults)
    except soap.RefusedError as refusal:
        response = soap.soap_fault(refusal.faults)
        dmp.exchange(request, response)
        dmp.ledger.append(
            {"result": "Fault", "errors": [one._asdict() for one in refusal.faults], "documents": []}
        )
        return response
    faults = (imposed,) if imposed else _judge(dmp, asked)
    submission_set = asked.metadata.sets[0].unique_id if asked.metadata.sets else ""
    targets = [target for target, _ in asked.targets]
    records = [] if faults else dmp.registry.delete(submission_set, targets)
    response = soap.plain_response(UPDATE_RESPONSE, faults, asked.message_id)
    dmp.exchange(request, response)
    dmp.ledger.append(
        {
            "result": "Failure" if faults else RESULT,
            "errors": [fault._asdict() for fault in faults],
            "submission_set": submission_set,
            "patient": next(iter(patients), ""),
            "uniqueId": records[0]["uniqueId"] if records else "",
            "entryUUID": targets[0] if targets else "",
            "message_id": asked.message_id,
            "documents": records,
        }
    )
    return response


def _judge(dmp: "DmpSimulator", asked: Update) -> tuple[Fault, ...]:
    faults = (*dmp.schema_faults(asked.request), *check(asked))
    return faults or dmp.registry.undeletable(
        asked.targets,
        asked.metadata.sets[0].unique_id,
        vihf.patient(asked.security),
        vihf.structure(asked.security),
    )
