"""The MSSanté delivery of one version to one recipient: CDA → metadata → IHE_XDM.ZIP → mail."""

from gateway.cda import CdaError, read
from gateway.cisis import CisisError
from gateway.model.delivery import Destination
from gateway.model.findings import Finding, finding
from gateway.model.site import PdfAlone
from gateway.model.version import DeliveryJob, DocumentKind
from gateway.mssante import MailError, MailRequest, mail
from gateway.pipeline.destinations import PrepareError, package
from gateway.xds import MetadataError

MES_LIMIT = 25 * 1024 * 1024
"""Largest mail that Mon espace santé takes, in bytes (CNAM, MES documentation v1.3)."""


def prepare(job: DeliveryJob, *, patient_limit: int = MES_LIMIT) -> MailRequest:
    """The mail of `job`, complete and checked. `patient_limit` caps a mail to the patient, in bytes of the
    whole mail; a professional mailbox has the limit of its operator, which the server states by SIZE.

    A profile whose `mail.pdf_alone` says so has a mail without archive (degraded mode).

    Raises PrepareError; LookupError when the version has no CDA or PDF.
    """
    cda, pdf = job.document(DocumentKind.CDA).data, job.document(DocumentKind.PDF).data
    patient = job.destination is Destination.MSSANTE_PATIENT
    if patient:
        _fits(_encoded(pdf), patient_limit)  # before anything of that size is made
    try:
        made = mail(job, xdm=_archive(job, cda), pdf=pdf, header=read(cda))
    except (CdaError, MailError) as error:
        raise PrepareError(error.findings) from error
    if patient:
        _fits(len(made.data), patient_limit)
    return made


def _archive(job: DeliveryJob, cda: bytes) -> bytes | None:
    """IHE_XDM.ZIP; None where the profile lets the PDF go alone."""
    policy = job.version.site.mail.pdf_alone
    if policy is PdfAlone.ALWAYS:
        return None
    try:
        return package.package(job.version, cda, job.action).xdm
    except (CisisError, MetadataError) as error:
        if policy is PdfAlone.FALLBACK:
            return None
        raise PrepareError(_why_not(error)) from error


def _why_not(error: CisisError | MetadataError) -> tuple[Finding, ...]:
    if isinstance(error, CisisError):
        return error.findings
    return (finding("XDS-VALUE-FORM", detail=str(error)),)


def _encoded(data: bytes) -> int:
    """Bytes of an attachment in Base64, in lines of 76 characters."""
    return len(data) * 4 // 3 * 78 // 76


def _fits(size: int, limit: int) -> None:
    if size > limit:
        raise PrepareError((finding("DOCUMENT-TOO-LARGE", detail=f"{size} bytes of mail"),))
