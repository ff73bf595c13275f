"""What was asked for: the canonical imaging order, from HL7 v2 (ORM, OMG, OMI) and towards CDA (IMG-DA-IMG).

Orders are joined to reports by their numbers; they fill what a report lacks and are never sent by themselves.
"""

from datetime import datetime
from enum import StrEnum

from gateway.model.base import Value
from gateway.model.findings import Finding
from gateway.model.imaging import ContraIndication, Device, Quantity
from gateway.model.people import Organization, Patient, Practitioner
from gateway.model.report import Act, Encounter
from gateway.model.submission import Coverage, Provenance
from gateway.model.terms import Code, Identifier

SCHEMA = "gateway.order/1"


class OrderStatus(StrEnum):
    """Where an order stands, as its sender last said (ORC-1 with ORC-5; HL7 tables 0119 and 0038)."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    """The performer takes it (OK; téléradiologie flux 3)."""
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    """The performer does not take it (UA, OC)."""

    @property
    def alive(self) -> bool:
        """May tell a report who asked, and why."""
        return self not in (OrderStatus.CANCELLED, OrderStatus.DECLINED)


class ImagingOrder(Value):
    """One request for imaging, with its acts. Without placer, filler and accession number nobody finds it."""

    status: OrderStatus
    patient: Patient
    placer: Identifier | None = None
    filler: Identifier | None = None
    accession: Identifier | None = None
    acts: tuple[Act, ...] = ()
    """Acts wanted: `modalities` DCM (CDA: JDV 5.660), `regions`, `laterality`; `start` is the appointment."""
    requester: Practitioner | None = None
    entered_by: Practitioner | None = None
    """Who verified the order (ORC-11), when another than the requester."""
    attending: Practitioner | None = None
    copies_to: tuple[Practitioner, ...] = ()
    """Further recipients of the report (OBR-28)."""
    performer: Organization | None = None
    """The structure that is asked to do the exam."""
    encounter: Encounter = Encounter()
    requested_at: datetime | None = None
    priority: str = ""
    """HL7 table 0485 (S, A, R, …), as received; R or "" is routine."""
    reason: str = ""
    """Justification of the exam (OBR-31, OBR-13)."""
    reasons: tuple[Code, ...] = ()
    """The same as codes (OBR-31, DG1-3): CIM-10, SNOMED CT."""
    question: str = ""
    """What the requester wants to know; in téléradiologie the purpose (FINALITE_EXAMEN)."""
    history: str = ""
    cancellation: str = ""
    """Why it was cancelled or declined (ORC-16)."""
    protocol: str = ""
    """Protocol that the performer answered with (téléradiologie flux 3), or that was applied."""
    pregnancy: Code | None = None
    """JDV 1.2.250.1.213.1.1.5.671, as in the report."""
    height: Quantity | None = None
    weight: Quantity | None = None
    contraindications: tuple[ContraIndication, ...] = ()
    devices: tuple[Device, ...] = ()
    """Equipment of the exam, told after it (téléradiologie flux 4)."""
    said_at: datetime | None = None
    """When its sender last spoke of it (MSH-7): an older message then only fills gaps."""
    informed_of_risks: bool | None = None
    """Whether the patient was told of the risks of radiation; None: not said."""

    @property
    def study_uids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(act.study_uid for act in self.acts if act.study_uid))


class MappedOrder(Value):
    """One order read from a message. `control` is ORC-1 as received; `order` None: an error says why."""

    order: ImagingOrder | None
    control: str = ""
    processing_id: str = ""
    """MSH-11."""
    provenance: tuple[Provenance, ...] = ()
    coverage: Coverage = Coverage()
    findings: tuple[Finding, ...] = ()


class KnownOrder(Value):
    """An order as the store knows it. `control_id` is MSH-10 of the message that last spoke of it."""

    order_id: int
    order: ImagingOrder
    control_id: str = ""


def keys(
    placer: Identifier | None,
    filler: Identifier | None,
    accession: Identifier | None,
    study_uids: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """The names under which an order is found, best first: `accession:value^system`, …, `study:uid`."""
    numbers = (("accession", accession), ("placer", placer), ("filler", filler))
    named = tuple(f"{kind}:{one.value}^{one.system}" for kind, one in numbers if one is not None)
    return (*named, *(f"study:{uid}" for uid in study_uids))


def order_keys(order: ImagingOrder) -> tuple[str, ...]:
    """The names of an order; those of its acts' accession numbers are among them."""
    own = keys(order.placer, order.filler, order.accession, order.study_uids)
    acts = (key for act in order.acts for key in keys(None, None, act.accession))
    return tuple(dict.fromkeys((*own, *acts)))
