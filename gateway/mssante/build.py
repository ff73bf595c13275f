"""The MSSanté mail of one document about one patient to one recipient (Référentiel socle MSSanté #2).

Rules: spec dmp-mss.md §3.1 (ECO.2.1.x, 2.2.x, 2.4.x) and volet Transmission 2.1. Equal arguments give equal
bytes: Date, Message-ID and boundary follow from the version's identity.
"""

from collections.abc import Iterator
from datetime import UTC
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
from gateway.mssante.message import Attachment, mailbox, write
from gateway.mssante.naming import pdf_name, subject

Headers = Iterator[tuple[str, str]]
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
    remark: str = ""
    """What the mail lacks, for the ledger."""


def mail(job: DeliveryJob, *, xdm: bytes | None, pdf: bytes, header: CdaHeader) -> MailRequest:
    """The mail of `job`. `xdm` is the archive with the CDA that `header` was read from, `pdf` its page.

    Without an archive (degraded mode) nothing in the mail announces a CDA (ECO.2.4.1, 2.4.2).

    Raises MailError: a mailbox missing or outside the trusted domains, a patient's mail that is not allowed,
    a profile without its mail constants.
    """
    recipient = _recipient(job, header)
    _check(job, header, recipient)
    settings = job.version.site.mail
    seed = job.version.identity.uuid(f"mail/{job.action}/{job.destination}/{recipient}")
    message_id = f"{seed}@{settings.mailbox.rpartition('@')[2]}"
    data = write(
        (
            *_addresses(job, recipient),
            ("Subject", subject(header, archive=xdm is not None)),
            ("Date", format_datetime(job.version.identity.created_at.astimezone(UTC))),
            ("Message-ID", f"<{message_id}>"),
            *_thread(job),
            *_mss_headers(job, header, archive=xdm is not None),
        ),
        _text(job, header, archive=xdm is not None),
        (
            *((Attachment(name=ARCHIVE_NAME, subtype="zip", data=xdm),) if xdm is not None else ()),
            Attachment(name=pdf_name(header), subtype="pdf", data=pdf),
        ),
        _boundary(seed),
    )
    remark = "" if xdm is not None else f"the PDF alone, without {ARCHIVE_NAME}"
    return MailRequest(
        sender=settings.mailbox, recipient=recipient, message_id=message_id, data=data, remark=remark
    )


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


def _addresses(job: DeliveryJob, recipient: str) -> Headers:
    """From is the applicative mailbox (ECO.2.2.7); To, Reply-To and MDN as the message asks (PRT, ACK_*)."""
    settings, context = job.version.site.mail, job.version.context
    yield "From", mailbox(settings.display_name, settings.mailbox)
    if context.reply_to:
        yield "Reply-To", context.reply_to
    yield "To", recipient
    if context.flags.acknowledge_reading:
        yield "Disposition-Notification-To", settings.mailbox


def _thread(job: DeliveryJob) -> Headers:
    """A replacement answers the mail of the version before, when that one's Message-ID is known."""
    previous = dict(job.previous_remote_ids).get("message-id", "")
    if previous and job.action is not Action.CREATE:
        yield "In-Reply-To", f"<{previous}>"
        yield "References", f"<{previous}>"


def _mss_headers(job: DeliveryJob, header: CdaHeader, *, archive: bool) -> Headers:
    if archive:
        yield "X-MSS-CODECDA", header.code.code
        yield "X-MSS-INS", "O" if has_ins(header.patient) else "N"
    yield "X-MSS-NIL", job.version.site.mail.nil
    if _to_patient(job) and job.version.context.flags.patient_may_not_reply:
        yield "X-MSS-MES", "FIN"


def effective_action(job: DeliveryJob, header: CdaHeader) -> Action:
    """What the mail says: a CDA that replaces another is a replacement, even where the job creates, unless
    this recipient never got the one before (the patient's first mail, after the announcement)."""
    elsewhere = bool(header.replaces) and job.version.identity.number == 1
    return Action.REPLACE if job.action is Action.CREATE and elsewhere else job.action


def _text(job: DeliveryJob, header: CdaHeader, *, archive: bool) -> str:
    context, site, action = job.version.context, job.version.site, effective_action(job, header)
    if _to_patient(job):
        may_reply = not context.flags.patient_may_not_reply
        return texts.patient(header, site, action, context.body_patient, may_reply=may_reply)
    return texts.professional(header, site, action, context.body_professional, archive=archive)


def _boundary(seed: UUID) -> str:
    """`=_` cannot occur in quoted-printable nor in Base64 lines (RFC 2045 §6.7), so no part can hold it."""
    return f"=_{seed.hex}"
