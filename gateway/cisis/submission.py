"""One report version → the XDS submission of its CDA: SubmissionSet from the sender, one DocumentEntry."""

from gateway.cda import CdaHeader, read
from gateway.cisis import tables
from gateway.cisis.entry import INS_TYPE, document_entry
from gateway.cisis.findings import Faults
from gateway.cisis.people import sender
from gateway.model.kept import Kept
from gateway.model.terms import Code
from gateway.model.version import ReportVersion
from gateway.xds import DocumentEntry, Submission, SubmissionSet
from gateway.xds.hl7types import utc

LONGEST_OID = 64
_LIMIT = 16 << 20
"""Bytes of documents whose submission is kept: the very ones whose header `cda.read` keeps."""

_kept: Kept[tuple[ReportVersion, bytes], Submission] = Kept(_LIMIT)


def submission(
    version: ReportVersion, cda: bytes, *, header: CdaHeader | None = None, ins_required: bool = True
) -> Submission:
    """The submission of `cda` as ITI-41 carries it; a replacement's RPLC association is added by `dmp`.

    Ids, times and order follow from `version` and `cda` alone, so the last ones are kept: DMP, mail and
    folder share them. `header` stands for the one that `cda` has. Raises CdaError for bytes that are no CDA,
    CisisError with every value that is missing.
    """
    if header is not None:
        return _made(version, cda, header, ins_required=ins_required)
    known = _kept.get((version, cda))
    if known is None or (ins_required and known.submission_set.patient_id.id_type != INS_TYPE):
        known = _made(version, cda, read(cda), ins_required=ins_required)
        _kept.put((version, cda), known, len(cda))
    return known


def _made(version: ReportVersion, cda: bytes, header: CdaHeader, *, ins_required: bool) -> Submission:
    entry = document_entry(
        cda,
        header,
        flags=version.context.flags,
        site=version.site,
        entry_id=version.identity.uuid("document-entry").urn,
        ins_required=ins_required,
    )
    return Submission(submission_set=_submission_set(version, entry), entries=(entry,))


def content_type_code(patient_class: str, encounter_kind: str) -> Code:
    """contentTypeCode from PV1-2; else from the encounter's class; else undifferentiated (97)."""
    code = (
        tables.CONTENT_TYPE_BY_PATIENT_CLASS.get(patient_class)
        or tables.CONTENT_TYPE_BY_ENCOUNTER.get(encounter_kind)
        or tables.UNKNOWN_CONTENT_TYPE
    )
    return tables.CONTENT_TYPES[code]


def _submission_set(version: ReportVersion, entry: DocumentEntry) -> SubmissionSet:
    faults, context, site = Faults(), version.context, version.site
    source_id = faults.needed(site.source_id, "site profile: source_id")
    if len(source_id) > LONGEST_OID:
        faults.add("XDS-VALUE-FORM", "site profile: source_id", f"{len(source_id)} characters, 64 allowed")
    made = SubmissionSet(
        set_id=version.identity.uuid("submission-set").urn,
        unique_id=version.identity.oid("submission-set"),
        source_id=source_id,
        patient_id=entry.patient_id,
        # A received CDA may be dated by a clock that runs ahead of ours: never submit before creation.
        submission_time=max(
            utc(version.identity.created_at, site.tz),
            entry.creation_time,
            key=lambda time: time.ljust(14, "0"),
        ),
        content_type_code=content_type_code(context.patient_class, version.report.encounter.kind),
        authors=(sender(context.sender, context.sender_organization, site, faults),),
        title=entry.title,
    )
    faults.check()
    return made
