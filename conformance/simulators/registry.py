"""The memory of the DMP simulator: entries by entryUUID, their status, what they replace."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from conformance.simulators import ebrim
from conformance.simulators.ebrim import RegistryObject, first
from conformance.simulators.xds_faults import Fault, Submission

UUID_URN = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
APPROVED, DEPRECATED, ARCHIVED, DELETED = "Approved", "Deprecated", "Archived", "Deleted"


@dataclass
class Held:
    """One registered document entry; only its status ever changes. `owner`: the structure that fed it.

    A change of metadata makes a new entry with the same `logical_id` and `unique_id`.
    """

    entry_uuid: str
    unique_id: str
    sha1: str
    patient: str
    logical_id: str
    owner: str = ""
    status: str = APPROVED


class Registry:
    """Rebuilt at start from the ledger's accepted submissions, so it needs no file of its own."""

    def __init__(self) -> None:
        self.by_uuid: dict[str, Held] = {}
        self.by_unique_id: dict[str, Held] = {}
        self.submission_sets: set[str] = set()

    def conflicts(self, submission: Submission) -> tuple[Fault, ...]:
        """What the present content of the registry forbids (IHE ITI TF-3 table 4.2.4.1-2).

        A submission set's uniqueId may come once. A document may come again in another submission set, with
        the same bytes only. A replaced entry must be known, Approved and of the same patient.
        """
        faults = []
        for found in submission.metadata.sets:
            if found.unique_id in self.submission_sets:
                faults.append(
                    Fault("XDSDuplicateUniqueIdInRegistry", found.unique_id, "was submitted before")
                )
        for entry in submission.metadata.entries:
            known = self.by_unique_id.get(entry.unique_id)
            if known and known.sha1 != first(entry.slots, "hash").lower():
                faults.append(Fault("XDSNonIdenticalHash", entry.unique_id, "is known with other bytes"))
            if UUID_URN.fullmatch(entry.id) and entry.id in self.by_uuid:
                faults.append(Fault("XDSRegistryMetadataError", entry.id, "this entryUUID is taken"))
            for target in submission.metadata.targets(entry.id, ebrim.RPLC):
                faults.extend(self._replacement(entry, target))
        return tuple(faults)

    def _replacement(self, entry: RegistryObject, target: str) -> list[Fault]:
        old = self.by_uuid.get(target)
        if old is None:
            return [Fault("XDSReplaceFailed", target, "the entry to replace is not known")]
        if old.status != APPROVED:
            return [Fault("XDSRegistryDeprecatedDocumentError", target, f"the entry is {old.status}")]
        if old.patient != entry.patient_id:
            return [Fault("XDSPatientIdDoesNotMatch", target, "the entry is of another patient")]
        return []

    def undeletable(
        self, targets: tuple[tuple[str, str], ...], submission_set: str, patient: str, owner: str
    ) -> tuple[Fault, ...]:
        """What forbids to delete `targets` (entryUUID, status): they must be known, of this patient, in that
        status, and only the structure that fed a document may delete it."""
        faults = []
        if submission_set in self.submission_sets:
            faults.append(Fault("XDSDuplicateUniqueIdInRegistry", submission_set, "was submitted before"))
        for target, status in targets:
            entry = self.by_uuid.get(target)
            if entry is None:
                faults.append(Fault("UnresolvedReferenceException", target, "the entry is not known"))
            elif entry.patient != patient:
                faults.append(Fault("XDSPatientIdDoesNotMatch", target, "the entry is of another patient"))
            elif entry.status != status:
                faults.append(Fault("XDSMetadataUpdateError", target, f"the entry is {entry.status}"))
            elif entry.owner != owner:
                faults.append(Fault("XDSMetadataUpdateError", target, "only its author may delete it"))
        return tuple(faults)

    def delete(self, submission_set: str, targets: Iterable[str]) -> list[dict[str, Any]]:
        """Mark as Deleted what an update or an earlier run deleted; one record per document."""
        self.submission_sets.add(submission_set)
        records = []
        for target in targets:
            entry = self.by_uuid[target]
            entry.status = DELETED
            records.append({"uniqueId": entry.unique_id, "entryUUID": target, "sha1": entry.sha1})
        return records

    def accept(self, submission: Submission, owner: str = "") -> list[dict[str, Any]]:
        """Register; one plain record per document, as the ledger keeps them and `restore` reads them.

        An id of the form urn:uuid: stays the entryUUID, a symbolic one gets a fresh UUID (ITI TF-3 4.2.1.5).
        """
        records = []
        for entry in submission.metadata.entries:
            records.append(
                {
                    "uniqueId": entry.unique_id,
                    "entryUUID": entry.id if UUID_URN.fullmatch(entry.id) else f"urn:uuid:{uuid4()}",
                    "sha1": first(entry.slots, "hash").lower(),
                    "patient": entry.patient_id,
                    "owner": owner,
                    "replaces": list(submission.metadata.targets(entry.id, ebrim.RPLC)),
                    "duplicate": entry.unique_id in self.by_unique_id,
                }
            )
        self.restore(submission.metadata.sets[0].unique_id, records)
        return records

    def change_metadata(self, unique_id: str) -> dict[str, Any]:
        """As patient or another software may: the document keeps its uniqueId, its entry gets a new id.

        The record is what `restore` reads. Raises KeyError for an unknown document.
        """
        old = self.by_unique_id[unique_id]
        record = {
            "uniqueId": unique_id,
            "entryUUID": f"urn:uuid:{uuid4()}",
            "logicalId": old.logical_id,
            "sha1": old.sha1,
            "patient": old.patient,
            "owner": old.owner,
            "replaces": [old.entry_uuid],
            "duplicate": True,
        }
        self.restore("", [record])
        return record

    def restore(self, submission_set: str, records: list[dict[str, Any]]) -> None:
        """Take up what an earlier run or `accept` registered."""
        self.submission_sets.add(submission_set)
        for record in records:
            for target in record["replaces"]:
                if target in self.by_uuid:
                    self.by_uuid[target].status = DEPRECATED
            held = Held(
                record["entryUUID"],
                record["uniqueId"],
                record["sha1"],
                record["patient"],
                record.get("logicalId", record["entryUUID"]),
                record.get("owner", ""),
            )
            self.by_uuid[held.entry_uuid] = held
            self.by_unique_id[held.unique_id] = held
