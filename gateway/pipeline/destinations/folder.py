"""The folder delivery of one version: every artefact as a file, with a summary for people and scripts."""

import hashlib
import re

import msgspec

from gateway.cda import CdaError, CdaHeader, read
from gateway.cisis import CisisError
from gateway.model.base import replace
from gateway.model.findings import Finding, finding
from gateway.model.folder import FolderRequest
from gateway.model.submission import Action
from gateway.model.version import DeliveryJob, DocumentKind, ReportVersion, derive_uuid
from gateway.pipeline.destinations import PrepareError, package
from gateway.xds import MetadataError, Submission, metadata_file

CDA_NAME, PDF_NAME, METADATA_NAME, XDM_NAME = "cda.xml", "report.pdf", "metadata.xml", "IHE_XDM.ZIP"
SUMMARY_NAME = "summary.json"
SUMMARY_SCHEMA = "gateway.folder/1"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST = 80


def prepare(job: DeliveryJob) -> FolderRequest:
    """cda.xml and report.pdf always; metadata.xml and IHE_XDM.ZIP where the CDA gives all they need, else
    `remark` and summary.json name the findings: the folder keeps what there is.

    Of a withdrawn report only summary.json, which names the document: nobody shall take it for a new one.

    Raises PrepareError when the CDA cannot be read; LookupError when the version has no CDA or PDF.
    """
    cda, pdf = job.document(DocumentKind.CDA).data, job.document(DocumentKind.PDF).data
    try:
        header = read(cda)
    except CdaError as error:
        raise PrepareError(error.findings) from error
    if job.action is Action.DELETE:
        told = (SUMMARY_NAME, _summary(job, header, (), ()))
        return FolderRequest(name=folder_name(job.version), files=(told,))
    files: tuple[tuple[str, bytes], ...] = ((CDA_NAME, cda), (PDF_NAME, pdf))
    missing: tuple[Finding, ...] = ()
    try:
        made = package.package(job.version, cda, job.action)
        files += ((METADATA_NAME, _metadata(made.made)), (XDM_NAME, made.xdm))
    except CisisError as error:
        missing = error.findings
    except MetadataError as error:
        missing = (finding("XDS-VALUE-FORM", detail=str(error)),)
    summary = _summary(job, header, files, missing)
    codes = ", ".join(dict.fromkeys(found.code for found in missing))
    return FolderRequest(
        name=folder_name(job.version),
        files=(*files, (SUMMARY_NAME, summary)),
        remark=f"without {METADATA_NAME} and {XDM_NAME}: {codes}" if codes else "",
    )


def folder_name(version: ReportVersion) -> str:
    """`CR-2021-000042_1f3a9c2e_v1`: the set's number made safe, eight digits that tell equal numbers of other
    authorities, sites and environments apart, the version's number."""
    identity = version.identity
    number = _UNSAFE.sub("-", identity.set_key.partition("^")[0]).strip("-")[:_LONGEST] or "report"
    tag = derive_uuid(identity.environment, identity.site, identity.set_key).hex[:8]
    return f"{number}_{tag}_v{identity.number}"


def _metadata(made: Submission) -> bytes:
    """The submission as a readable file; the URI of its entry is the CDA beside it."""
    named = replace(made, entries=tuple(replace(entry, uri=CDA_NAME) for entry in made.entries))
    return metadata_file(named)


def _summary(
    job: DeliveryJob, header: CdaHeader, files: tuple[tuple[str, bytes], ...], missing: tuple[Finding, ...]
) -> bytes:
    """JSON without identity or clinical text: what these files are, and what could not be made."""
    identity = job.version.identity
    known = {
        CDA_NAME: job.document(DocumentKind.CDA).sha256,
        PDF_NAME: job.document(DocumentKind.PDF).sha256,
    }
    content = {
        "schema": SUMMARY_SCHEMA,
        "environment": identity.environment,
        "site": identity.site,
        "report_set": identity.set_key,
        "version": identity.number,
        "action": str(job.action),
        "status": "withdrawn" if job.action is Action.DELETE else str(job.version.report.status),
        "created_at": identity.created_at.isoformat(),
        "document_id": header.unique_id,
        "replaces": ["^".join(filter(None, (one.system, one.value))) for one in header.replaces],
        "files": [
            {"name": name, "size": len(data), "sha256": known.get(name) or _sha256(data)}
            for name, data in files
        ],
        "missing": [
            {"code": found.code, "location": found.location, "text": found.text} for found in missing
        ],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
