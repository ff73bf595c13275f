"""How the parts of a submission hang together: one set, its links to entries, a document for each."""

import hashlib
from collections import Counter
from collections.abc import Iterator

from conformance.simulators import ebrim, forms
from conformance.simulators.ebrim import first
from conformance.simulators.xds_faults import METADATA, REPOSITORY, Fault, Submission, label


def one_submission_set(submission: Submission) -> Iterator[Fault]:
    count = len(submission.metadata.sets)
    if count != 1:
        yield Fault(METADATA, "RegistryObjectList", f"{count} submission sets instead of one")
    if not submission.metadata.entries:
        yield Fault(METADATA, "RegistryObjectList", "no document entry")


def associations(submission: Submission) -> Iterator[Fault]:
    entries = {entry.id for entry in submission.metadata.entries}
    sets = {found.id for found in submission.metadata.sets}
    members: Counter[str] = Counter()
    for link in submission.metadata.associations:
        if link.type == ebrim.HAS_MEMBER:
            members[link.target] += 1
            if link.source not in sets or link.target not in entries:
                yield Fault(METADATA, "HasMember", "does not lead from the submission set to an entry")
            if first(link.slots, "SubmissionSetStatus") != "Original":
                yield Fault(METADATA, "HasMember", "SubmissionSetStatus is not Original")
        elif link.type == ebrim.RPLC:
            if link.source not in entries or not link.target.startswith("urn:uuid:"):
                yield Fault(METADATA, "RPLC", "must lead from an entry sent here to an entryUUID")
        elif link.type != ebrim.SIGNS:
            yield Fault(METADATA, "Association", "its type is not taken here")
    for entry in entries:
        if members[entry] != 1:
            yield Fault(METADATA, "HasMember", f"{members[entry]} links to an entry instead of one")


def document_for_each_entry(submission: Submission) -> Iterator[Fault]:
    entries = {entry.id for entry in submission.metadata.entries}
    for missing in sorted(entries - submission.documents.keys()):
        yield Fault("XDSMissingDocument", missing, "this entry has no document")
    for spare in sorted(submission.documents.keys() - entries):
        yield Fault("XDSMissingDocumentMetadata", spare, "this document has no entry")


def hash_and_size(submission: Submission) -> Iterator[Fault]:
    for entry in submission.metadata.entries:
        data = submission.documents.get(entry.id)
        digest, size = first(entry.slots, "hash"), first(entry.slots, "size")
        if not forms.SHA1.fullmatch(digest):
            yield Fault(METADATA, f"{label(entry)}.hash", "is not 40 hexadecimal digits")
        elif data is not None and digest.lower() != hashlib.sha1(data, usedforsecurity=False).hexdigest():
            yield Fault(REPOSITORY, f"{label(entry)}.hash", "is not the SHA-1 of the bytes received")
        if data is not None and size != str(len(data)):
            yield Fault(REPOSITORY, f"{label(entry)}.size", f"is not {len(data)}, the size received")
