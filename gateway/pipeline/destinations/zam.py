"""The business acknowledgement of a delivery: ZAM^Z01 for the DMP, ZAM^Z02 for a mail (hl7v2.md §1.8)."""

from datetime import datetime

from gateway.config import ZamSettings
from gateway.hl7v2 import cisis
from gateway.hl7v2.charsets import codec_of
from gateway.hl7v2.zam import Zam, ZamEvent, ZamFault, ZamRequest, ZamRoute, zam
from gateway.model.delivery import DeliveryState, Destination
from gateway.model.findings import CATALOGUE, finding
from gateway.model.version import Acknowledged, DeliveryJob, ReportVersion
from gateway.pipeline.destinations import PrepareError

EVENTS: dict[Destination, ZamEvent] = {
    Destination.DMP: ZamEvent.DMP_RECEPTION,
    Destination.MSSANTE_PS: ZamEvent.MAIL_RECEPTION,
    Destination.MSSANTE_PATIENT: ZamEvent.MAIL_RECEPTION,
}
"""Destination of the delivery that is told → event."""

_BY_ATTEMPT = frozenset({DeliveryState.FAILED, DeliveryState.REFUSED})
"""Ends that the peer's answer explains; the others have a finding."""

DMP_LABELS = {"DMPClosed": "DMP fermé"}
"""ERR-5.2 of the codes whose wording the volet gives."""

_NO_CONNECTION, _DEFERRED, _REFUSED = "101", "451", "554"
"""SMTPERRORCODE of an end that has no code of its own: no answer, 4xx, and everything else."""


def prepare(job: DeliveryJob, *, settings: ZamSettings, now: datetime) -> ZamRequest:
    """The ZAM about `job.acknowledges`, addressed to the system whose message brought the report.

    MSH-10 is the same at every attempt, so that a repeated one is known for what it is. Raises PrepareError.
    """
    context, told = job.version.context, job.acknowledges
    if told is None:
        raise PrepareError((finding("INTERNAL", detail="a ZAM without the delivery that it tells"),))
    application, facility = context.sending_application, context.sending_facility
    creator = settings.creator(application, facility)
    if creator is None:
        raise PrepareError((finding("ZAM-CREATOR-UNKNOWN", "MSH-3"),))
    control_id = job.version.identity.uuid(f"zam/{job.delivery_id}").hex[:20]
    recipient, event = told.recipient, EVENTS[told.destination]
    if event is ZamEvent.MAIL_RECEPTION and (recipient is None or not recipient.address):
        raise PrepareError((finding("MAILBOX-UNKNOWN"),))
    data = zam(
        Zam(
            event=event,
            route=_route(job.version),
            about=context.control_id,
            occurred_at=told.ended_at.astimezone(job.version.site.tz),
            person=recipient.id if recipient else "",
            mailbox=recipient.address if recipient else "",
            fault=_fault(told, event),
        ),
        now=now.astimezone(job.version.site.tz),
        control_id=control_id,
        charset=codec_of(creator.charset) or "utf-8",
    )
    return ZamRequest(application=application, facility=facility, control_id=control_id, data=data)


def _route(version: ReportVersion) -> ZamRoute:
    """Back to where the message came from, under the names that it called us by."""
    context, site = version.context, version.site
    return ZamRoute(
        sending_application=context.receiving_application or site.software.name,
        sending_facility=context.receiving_facility or site.structure.name,
        receiving_application=context.sending_application,
        receiving_facility=context.sending_facility,
        processing_id=context.processing_id or "P",
    )


def _fault(told: Acknowledged, event: ZamEvent) -> ZamFault | None:
    """Why the delivery failed; None when it was delivered."""
    if told.state is DeliveryState.DELIVERED:
        return None
    outcome = told.outcome if told.state in _BY_ATTEMPT else None
    code = (outcome.code if outcome else "") or told.reason or "DELIVERY-CANCELLED"
    first = code.partition(" ")[0]  # of several finding codes; `550` of `550 5.1.1`
    label = (outcome.detail if outcome else "") or first
    if first in CATALOGUE:
        label = CATALOGUE[first].text
    if event is ZamEvent.MAIL_RECEPTION:
        return ZamFault(code=_smtp(first, answered=outcome is not None), label=label)
    return ZamFault(code=code if first not in CATALOGUE else first, label=DMP_LABELS.get(first, label))


def _smtp(code: str, *, answered: bool) -> str:
    """A code of table SMTPERRORCODE: the server's own, else that of its class."""
    if code in cisis.SMTP_ERROR_CODES:
        return code
    if code.isdigit():
        return _DEFERRED if code.startswith("4") else _REFUSED
    return _NO_CONNECTION if answered and code not in CATALOGUE else _REFUSED
