"""The MSSanté mail of one document about one patient to one recipient (Référentiel socle MSSanté #2).

Rules: spec dmp-mss.md §3.1 (ECO.2.1.x, 2.2.x, 2.4.x) and volet Transmission 2.1. Equal arguments give equal
bytes: Date, Message-ID and boundary follow from the version's identity.
"""

from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from uuid import UUID

from gateway.cda import CdaHeader
from gateway.model.base import Value
from gateway.model.delivery import Destination
from gateway.model.findings import Finding, Severity, finding
from gateway.model.people import Patient
from gateway.model.submission import Action
from gateway.model.version import DeliveryJob
from gateway.mssante import texts
from gateway.mssante.address import patient_address, trusted, well_formed
from gateway.mssante.naming import pdf_name, plain, subject

ARCHIVE_NAME = "IHE_XDM.ZIP"


class MailError(Exception):
    """This mail may not, or cannot, be made; `findings` say why."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(f"{found.code} {found.location}".strip() for found in findings))
        self.findings = findings


class MailRequest(Value):
    """An SMTP transaction: one sender, one recipient, the message. `message_id` stands without brackets."""

    sender: str
    recipient: str
    message_id: str
    data: bytes


def mail(job: DeliveryJob, *, xdm: bytes, pdf: bytes, header: CdaHeader) -> MailRequest:
    """The mail of `job`. `xdm` is the archive with the CDA that `header` was read from, `pdf` its page.

    Raises MailError: a mailbox missing or outside the trusted domains, a patient's mail that is not allowed,
    a profile without its mail constants.
    """
    recipient = _recipient(job, header)
    _check(job, header, recipient)
    mailbox = job.version.site.mail.mailbox
    seed = job.version.identity.uuid(f"mail/{job.action}/{job.destination}/{recipient}")
    message_id = f"{seed}@{mailbox.rpartition('@')[2]}"
    message = EmailMessage(policy=SMTP)
    _address(message, job, recipient)
    message["Subject"] = subject(header)
    message["Date"] = format_datetime(job.version.identity.created_at.astimezone(UTC))
    message["Message-ID"] = f"<{message_id}>"
    _thread(message, job)
    _mss_headers(message, job, header)
    message.set_content(_text(job, header), charset="utf-8", cte="quoted-printable")
    message.add_attachment(xdm, "application", "zip", filename=ARCHIVE_NAME)
    message.add_attachment(pdf, "application", "pdf", filename=pdf_name(header))
    message.set_boundary(_boundary(seed))
    return MailRequest(sender=mailbox, recipient=recipient, message_id=message_id, data=message.as_bytes())


def has_ins(patient: Patient) -> bool:
    """X-MSS-INS is O: matricule, OID and the four traits (names, birth date, sex) are there (ECO.2.4.2)."""
    return bool(
        patient.ins is not None
        and patient.ins.value
        and patient.ins_root_known
        and patient.birth_family
        and (patient.birth_given or patient.birth_given_names)
        and patient.birth_date
        and patient.sex
    )


def _to_patient(job: DeliveryJob) -> bool:
    return job.destination is Destination.MSSANTE_PATIENT


def _recipient(job: DeliveryJob, header: CdaHeader) -> str:
    """The mailbox of the job's recipient; the patient's own follows from the INS of the document."""
    named = job.recipient.address if job.recipient is not None else ""
    if named or not _to_patient(job):
        return named
    return patient_address(header.patient.ins.value) if header.patient.ins is not None else ""


def _check(job: DeliveryJob, header: CdaHeader, recipient: str) -> None:
    """Raises MailError with all that forbids this mail. The rules planned it; this is the last look."""
    site, found = job.version.site, []
    if not recipient:
        found.append(finding("MAILBOX-UNKNOWN", severity=Severity.ERROR))
    elif not trusted(recipient, site):
        found.append(finding("MAILBOX-UNTRUSTED", severity=Severity.ERROR))
    if _to_patient(job):
        found += _patient_faults(job, header, recipient)
    if not well_formed(site.mail.mailbox):
        found.append(finding("MSS-PROFILE-INCOMPLETE", "site profile: mail.mailbox"))
    if not site.mail.nil:
        found.append(finding("MSS-PROFILE-INCOMPLETE", "site profile: mail.nil"))
    if job.version.context.reply_to and not well_formed(job.version.context.reply_to):
        found.append(finding("MAILBOX-FORM", "PRT (REPLY)"))
    if found:
        raise MailError(tuple(found))


def _patient_faults(job: DeliveryJob, header: CdaHeader, recipient: str) -> list[Finding]:
    """A citizen's mail needs a qualified INS (ECO.2.2.6), its own mailbox, a document that may be seen."""
    found = []
    ins = header.patient.ins.value if header.patient.ins is not None else ""
    if not job.version.report.patient.qualified or not ins:
        found.append(finding("INS-NOT-QUALIFIED", "recordTarget/patientRole/id", severity=Severity.ERROR))
    elif recipient and recipient.rpartition("@")[0].upper() != ins.upper():
        found.append(finding("MAILBOX-OF-ANOTHER"))
    if job.version.context.flags.invisible_patient:
        found.append(finding("INVISIBLE-TO-PATIENT-MAIL"))
    return found


def _address(message: EmailMessage, job: DeliveryJob, recipient: str) -> None:
    settings = job.version.site.mail
    message["From"] = Address(settings.display_name, addr_spec=settings.mailbox)
    if job.version.context.reply_to:
        message["Reply-To"] = job.version.context.reply_to
    message["To"] = recipient
    if job.version.context.flags.acknowledge_reading:
        message["Disposition-Notification-To"] = settings.mailbox


def _thread(message: EmailMessage, job: DeliveryJob) -> None:
    """A replacement answers the mail of the version before, when that one's Message-ID is known."""
    previous = dict(job.previous_remote_ids).get("message-id", "")
    if previous and job.action is not Action.CREATE:
        message["In-Reply-To"] = f"<{previous}>"
        message["References"] = f"<{previous}>"


def _mss_headers(message: EmailMessage, job: DeliveryJob, header: CdaHeader) -> None:
    message["X-MSS-CODECDA"] = plain(header.code.code)
    message["X-MSS-INS"] = "O" if has_ins(header.patient) else "N"
    message["X-MSS-NIL"] = job.version.site.mail.nil
    if _to_patient(job) and job.version.context.flags.patient_may_not_reply:
        message["X-MSS-MES"] = "FIN"


def effective_action(job: DeliveryJob, header: CdaHeader) -> Action:
    """What the mail says: a CDA that replaces another is a replacement, even where the job creates."""
    return Action.REPLACE if job.action is Action.CREATE and header.replaces else job.action


def _text(job: DeliveryJob, header: CdaHeader) -> str:
    context, site, action = job.version.context, job.version.site, effective_action(job, header)
    if _to_patient(job):
        may_reply = not context.flags.patient_may_not_reply
        return texts.patient(header, site, action, context.body_patient, may_reply=may_reply)
    return texts.professional(header, site, action, context.body_professional)


def _boundary(seed: UUID) -> str:
    """`=_` cannot occur in quoted-printable nor in Base64 lines (RFC 2045 §6.7), so no part can hold it."""
    return f"=_{seed.hex}"
