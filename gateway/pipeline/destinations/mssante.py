"""The MSSanté delivery of one version to one recipient: CDA → metadata → IHE_XDM.ZIP → mail."""

from gateway.cda import CdaError, read
from gateway.cisis import CisisError
from gateway.model.delivery import Destination
from gateway.model.findings import finding
from gateway.model.version import DeliveryJob, DocumentKind
from gateway.mssante import MailError, MailRequest, mail
from gateway.pipeline.destinations import PrepareError, package
from gateway.xds import MetadataError

MES_LIMIT = 25 * 1024 * 1024
"""Largest mail that Mon espace santé takes, in bytes (CNAM, MES documentation v1.3)."""


def prepare(job: DeliveryJob, *, patient_limit: int = MES_LIMIT) -> MailRequest:
    """The mail of `job`, complete and checked. `patient_limit` caps a mail to the patient, in bytes of the
    whole mail; a professional mailbox has the limit of its operator, which the server states by SIZE.

    Raises PrepareError; LookupError when the version has no CDA or PDF.
    """
    cda, pdf = job.document(DocumentKind.CDA).data, job.document(DocumentKind.PDF).data
    version = job.version
    patient = job.destination is Destination.MSSANTE_PATIENT
    if patient:
        _fits(_encoded(pdf), patient_limit)  # before anything of that size is made
    try:
        xdm = package.package(version, cda, job.action).xdm
        made = mail(job, xdm=xdm, pdf=pdf, header=read(cda))
    except (CdaError, CisisError, MailError) as error:
        raise PrepareError(error.findings) from error
    except MetadataError as error:
        raise PrepareError((finding("XDS-VALUE-FORM", detail=str(error)),)) from error
    if patient:
        _fits(len(made.data), patient_limit)
    return made


def _encoded(data: bytes) -> int:
    """Bytes of an attachment in Base64, in lines of 76 characters."""
    return len(data) * 4 // 3 * 78 // 76


def _fits(size: int, limit: int) -> None:
    if size > limit:
        raise PrepareError((finding("DOCUMENT-TOO-LARGE", detail=f"{size} bytes of mail"),))
