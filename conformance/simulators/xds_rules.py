"""What a registry demands of XDS metadata in France (IHE ITI TF-3 §4.2, CI-SIS volet Partage, spec §1.6).

Each rule is one function from a submission to the faults that it finds; `RULES` is the list of them.
"""

import re
from collections import Counter
from collections.abc import Iterator

from conformance.simulators import ebrim, forms
from conformance.simulators.ebrim import first, values
from conformance.simulators.xds_faults import METADATA, Fault, Rule, Submission, label, objects
from conformance.simulators.xds_links import (
    associations,
    document_for_each_entry,
    hash_and_size,
    one_submission_set,
)
from gateway.model.terms import INS_ROOTS


def unique_ids(submission: Submission) -> Iterator[Fault]:
    named = objects(submission)
    seen = Counter(found.unique_id for found in named)
    for found in named:
        place = f"{label(found)}.uniqueId"
        if not found.unique_id or len(found.unique_id) > 128:
            yield Fault(METADATA, place, "missing, or longer than 128 characters")
        elif seen[found.unique_id] > 1:
            yield Fault("XDSRegistryDuplicateUniqueIdInMessage", place, "used twice in one message")
        elif not forms.OID.fullmatch(found.unique_id.partition("^")[0]) or (
            found.kind == "set" and len(found.unique_id) > 64
        ):
            yield Fault(METADATA, place, "is not an OID (submission set: of at most 64 characters)")
    for entries in submission.metadata.sets:
        source = entries.identifier(ebrim.SET_IDS["XDSSubmissionSet.sourceId"])
        if not forms.OID.fullmatch(source) or len(source) > 64:
            yield Fault(METADATA, f"{label(entries)}.sourceId", "is not an OID of at most 64 characters")


def identifiers_well_formed(submission: Submission) -> Iterator[Fault]:
    for found in objects(submission):
        schemes = ebrim.ENTRY_IDS if found.kind == "entry" else ebrim.SET_IDS
        for name, scheme in schemes.items():
            hits = [hit for hit in found.identifiers if hit.scheme == scheme]
            place = f"{label(found)}.{name.partition('.')[2]}"
            if len(hits) != 1:
                yield Fault(METADATA, place, f"{len(hits)} external identifiers instead of one")
            for hit in hits:
                if hit.name != name or hit.owner != found.id:
                    yield Fault(METADATA, place, f"Name is not {name}, or registryObject not its owner")


def patient(submission: Submission) -> Iterator[Fault]:
    for found in objects(submission):
        place = f"{label(found)}.patientId"
        match = forms.PATIENT.fullmatch(found.patient_id)
        if not match:
            yield Fault(METADATA, place, "is not <INS>^^^&<OID>&ISO^NH")
        elif match["root"] not in INS_ROOTS or len(match["id"]) != 15:
            yield Fault("XDSUnknownPatientId", place, "is no INS of 15 characters under an INS root")
    yield from _one_patient(submission)


def patient_of_a_mail(submission: Submission) -> Iterator[Fault]:
    """As for the DMP, or the local number of a patient whose INS is not qualified (X-MSS-INS: N)."""
    if all(forms.LOCAL_PATIENT.fullmatch(found.patient_id) for found in objects(submission)):
        yield from _one_patient(submission)
    else:
        yield from patient(submission)


def _one_patient(submission: Submission) -> Iterator[Fault]:
    if len({found.patient_id for found in objects(submission)}) > 1:
        yield Fault("XDSPatientIdDoesNotMatch", "patientId", "submission set and entries name two patients")


def codes(submission: Submission) -> Iterator[Fault]:
    for found in objects(submission):
        wanted = ebrim.SINGLE_CODES if found.kind == "entry" else {"contentTypeCode": ebrim.CONTENT_TYPE}
        for name, scheme in wanted.items():
            count = len(found.codes(scheme))
            if count != 1:
                yield Fault(METADATA, f"{label(found)}.{name}", f"{count} classifications instead of one")
        for code in found.classifications:
            if code.scheme in (ebrim.ENTRY_AUTHOR, ebrim.SET_AUTHOR):
                continue
            if not (code.code and code.coding_scheme and code.name) or code.classified != found.id:
                yield Fault(
                    METADATA,
                    f"{label(found)}.{_code_name(code.scheme)}",
                    "nodeRepresentation, codingScheme or Name is missing, or classifiedObject is another",
                )


def imaging_class(submission: Submission) -> Iterator[Fault]:
    for entry in submission.metadata.entries:
        kinds = [code.code for code in entry.codes(ebrim.SINGLE_CODES["typeCode"])]
        classes = [code.code for code in entry.codes(ebrim.SINGLE_CODES["classCode"])]
        expected = forms.CLASS_OF_TYPE.get(kinds[0] or "") if kinds else None
        if expected and classes and classes[0] != expected:
            yield Fault(METADATA, f"{label(entry)}.classCode", f"must be {expected} for this typeCode")


def confidentiality(submission: Submission) -> Iterator[Fault]:
    for entry in submission.metadata.entries:
        found = entry.codes(ebrim.CONFIDENTIALITY)
        place = f"{label(entry)}.confidentialityCode"
        if not 1 <= len(found) <= 4:
            yield Fault(METADATA, place, f"{len(found)} codes instead of 1 to 4")
            continue
        if found[0].code not in ("N", "R", "V") or found[0].coding_scheme != forms.CONFIDENTIALITY_SCHEME:
            yield Fault(METADATA, place, "the first code must be that of the document: N, R or V")
        for mask in found[1:]:
            if mask.code not in forms.MASKS or mask.coding_scheme != forms.MASK_SCHEME:
                yield Fault(METADATA, place, "a further code must be a mask of TRE_A07")


def authors(submission: Submission) -> Iterator[Fault]:
    for found in objects(submission):
        place = f"{label(found)}.author"
        scheme = ebrim.ENTRY_AUTHOR if found.kind == "entry" else ebrim.SET_AUTHOR
        hits = found.codes(scheme)
        if not hits:
            yield Fault(METADATA, place, "missing")
        for hit in hits:
            person, institution = values(hit.slots, "authorPerson"), values(hit.slots, "authorInstitution")
            if hit.code != "" or not (person or institution):
                yield Fault(METADATA, place, "nodeRepresentation must be empty; person or institution needed")
            if not all(forms.XCN.fullmatch(value) for value in person):
                yield Fault(METADATA, f"{place}.authorPerson", "is not an XCN of the French profile")
            if not all(forms.XON.fullmatch(value) for value in institution):
                yield Fault(METADATA, f"{place}.authorInstitution", "is not an XON of the French profile")


def slots(submission: Submission) -> Iterator[Fault]:
    for found in objects(submission):
        names = Counter(slot.name for slot in found.slots)
        for name, count in names.items():
            if count > 1:
                yield Fault(METADATA, f"{label(found)}.{name}", "the slot stands twice")
        for slot in found.slots:
            place = f"{label(found)}.{slot.name}"
            if not slot.values or not all(slot.values):
                yield Fault(METADATA, place, "the slot is empty")
            if len(slot.values) > 1 and slot.name not in forms.MANY_VALUES:
                yield Fault(METADATA, place, "the slot takes one value")
            if any(len(value) > 256 for value in slot.values):
                yield Fault(METADATA, place, "a value is longer than 256 characters")
        required = forms.ENTRY_SLOTS if found.kind == "entry" else ("submissionTime",)
        for name in required:
            if name not in names:
                yield Fault(METADATA, f"{label(found)}.{name}", "the slot is missing")


def times(submission: Submission) -> Iterator[Fault]:
    sent = [first(found.slots, "submissionTime") for found in submission.metadata.sets]
    for found in objects(submission):
        for slot in found.slots:
            if slot.name.endswith("Time") and not all(forms.TIME.fullmatch(value) for value in slot.values):
                yield Fault(METADATA, f"{label(found)}.{slot.name}", "is not a UTC time without offset")
    for entry in submission.metadata.entries:
        start, stop = first(entry.slots, "serviceStartTime"), first(entry.slots, "serviceStopTime")
        if start and stop and start > stop:
            yield Fault(METADATA, f"{label(entry)}.serviceStopTime", "lies before serviceStartTime")
        if sent and sent[0] < first(entry.slots, "creationTime")[: len(sent[0])]:
            yield Fault(METADATA, "SubmissionSet.submissionTime", "lies before creationTime")


def formats(submission: Submission) -> Iterator[Fault]:
    for entry in submission.metadata.entries:
        name = label(entry)
        if entry.object_type != ebrim.STABLE_DOCUMENT:
            yield Fault(METADATA, f"{name}.objectType", "is not that of a stable document")
        if not entry.mime_type:
            yield Fault(METADATA, f"{name}.mimeType", "missing")
        if not entry.title:
            yield Fault(METADATA, f"{name}.title", "missing")
        if not re.fullmatch(r"[a-z]{2}-[A-Z]{2}|art", first(entry.slots, "languageCode")):
            yield Fault(METADATA, f"{name}.languageCode", "is not of the form fr-FR")
        if not forms.XCN.fullmatch(first(entry.slots, "legalAuthenticator")):
            yield Fault(METADATA, f"{name}.legalAuthenticator", "is not an XCN of the French profile")
        if not forms.SOURCE_PATIENT.fullmatch(first(entry.slots, "sourcePatientId")):
            yield Fault(METADATA, f"{name}.sourcePatientId", "is not a CX with its authority and type")
        known = {line.partition("|")[0] for line in values(entry.slots, "sourcePatientInfo")}
        if not {"PID-5", "PID-7", "PID-8"} <= known:
            yield Fault(METADATA, f"{name}.sourcePatientInfo", "PID-5, PID-7 and PID-8 are needed")
        for value in values(entry.slots, "urn:ihe:iti:xds:2013:referenceIdList"):
            if not forms.REFERENCE_ID.fullmatch(value):
                yield Fault(METADATA, f"{name}.referenceIdList", "is not a CXi of JDV_J231")


METADATA_RULES: tuple[Rule, ...] = (
    one_submission_set,
    unique_ids,
    identifiers_well_formed,
    patient,
    codes,
    imaging_class,
    confidentiality,
    authors,
    slots,
    times,
    formats,
    associations,
)
SET_RULES: tuple[Rule, ...] = (unique_ids, identifiers_well_formed, patient, codes, authors, slots, times)
"""What holds for a submission set by itself, with or without entries."""
RULES: tuple[Rule, ...] = (*METADATA_RULES, document_for_each_entry, hash_and_size)
"""ITI-41 to the DMP."""
EXCHANGE_METADATA_RULES: tuple[Rule, ...] = tuple(
    patient_of_a_mail if rule is patient else rule for rule in METADATA_RULES
)
EXCHANGE_RULES: tuple[Rule, ...] = (*EXCHANGE_METADATA_RULES, document_for_each_entry, hash_and_size)
"""ITI-32 in a mail."""


def check(submission: Submission, rules: tuple[Rule, ...] = RULES) -> tuple[Fault, ...]:
    """All faults of a submission, in the order of the rules."""
    return tuple(fault for rule in rules for fault in rule(submission))


_CODE_NAMES = {
    **{scheme: name for name, scheme in ebrim.SINGLE_CODES.items()},
    ebrim.CONTENT_TYPE: "contentTypeCode",
    ebrim.CONFIDENTIALITY: "confidentialityCode",
    ebrim.EVENT_CODE: "eventCodeList",
}


def _code_name(scheme: str) -> str:
    return _CODE_NAMES.get(scheme, scheme)
