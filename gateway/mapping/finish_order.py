"""The last step of every order, common to HL7 v2, FHIR and CDA: the draft of a report → the canonical order.

An order is read by the readers of reports, into a report that holds only what an order has. So it gets the
same codes, times and authorities, and meets its report under the same numbers (REQ-64).
"""

from datetime import datetime
from typing import NamedTuple

from gateway.mapping.finish import finish
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.findings import Finding, finding
from gateway.model.imaging import Quantity
from gateway.model.order import ImagingOrder, MappedOrder, OrderStatus, order_keys
from gateway.model.people import Organization, Practitioner
from gateway.model.report import ImagingReport
from gateway.model.submission import Provenance

_PARTS = ("report_set", "performer", "custodian", "studies")
"""Paths that the last step fills for a report and that an order has not."""


class OrderParts(NamedTuple):
    """What an order says beside its numbers, people and acts; `control` as its sender wrote it."""

    status: OrderStatus
    control: str = ""
    priority: str = ""
    question: str = ""
    history: str = ""
    cancellation: str = ""
    protocol: str = ""
    height: Quantity | None = None
    weight: Quantity | None = None
    said_at: datetime | None = None
    entered_by: Practitioner | None = None
    performer: Organization | None = None
    informed_of_risks: bool | None = None


def finished(
    draft: ImagingReport, extra: OrderParts, profile: Profile, trail: Trail, number: str
) -> MappedOrder:
    """The order of `draft`, whose `orders` holds one reference; `number` is where its number should stand."""
    done = finish(draft, profile, trail.provenance)
    order = _order(done.report, extra)
    found = tuple(one for one in (*trail.findings, *done.findings) if not _of_no_concern(one))
    if not order_keys(order):
        missing = finding("ORDER-NUMBER-MISSING", number)
        return MappedOrder(order=None, control=extra.control, findings=(*found, missing))
    return MappedOrder(
        order=order, control=extra.control, provenance=_provenance(done.provenance), findings=found
    )


def _order(draft: ImagingReport, extra: OrderParts) -> ImagingOrder:
    (reference,) = draft.orders
    verifier = extra.entered_by
    same = verifier is not None and draft.requester is not None and verifier.id == draft.requester.id
    return ImagingOrder(
        status=extra.status,
        patient=draft.patient,
        placer=reference.placer,
        filler=reference.filler,
        accession=reference.accession,
        acts=draft.acts,
        requester=draft.requester,
        entered_by=None if same else verifier,
        attending=draft.attending,
        copies_to=draft.copies_to,
        performer=extra.performer,
        encounter=draft.encounter,
        requested_at=reference.requested_at,
        reason=reference.reason,
        reasons=reference.reasons,
        priority=extra.priority,
        question=extra.question,
        history=extra.history,
        cancellation=extra.cancellation,
        protocol=extra.protocol,
        pregnancy=draft.pregnancy,
        contraindications=draft.contraindications,
        devices=draft.devices,
        height=extra.height,
        weight=extra.weight,
        said_at=extra.said_at,
        informed_of_risks=extra.informed_of_risks,
    )


def _of_no_concern(found: Finding) -> bool:
    """An order may wish for a modality and a region without an act code (téléradiologie flux 1, 2), and
    needs no visit."""
    no_code = found.code == "CODE-UNKNOWN" and found.detail == "the act has no code"
    return no_code or found.code in ("ENCOUNTER-CLASS-GUESSED", "EXAM-TIME-GUESSED")


def _provenance(done: tuple[Provenance, ...]) -> tuple[Provenance, ...]:
    """Paths of the draft report → paths of the order."""
    return tuple(
        replace(one, path=one.path.removeprefix("orders[0]."))
        for one in done
        if not one.path.startswith(_PARTS)
    )
