"""FHIR R4 ServiceRequest → canonical order, as an ORM or OMI of the exam gives (spec fhir.md §3.1, §6.1).

Nothing raises: what cannot be read is a finding with its FHIRPath, and `MappedOrder.order` is None where no
order can be made of it.
"""

from typing import Final

from gateway.fhir import Node, ReportBundle, bundle_identifier
from gateway.mapping import fhir_exam as exam
from gateway.mapping import fhir_roles as roles
from gateway.mapping.fhir import IMAGING
from gateway.mapping.fhir_facts import facts
from gateway.mapping.fhir_studies import studies_based_on
from gateway.mapping.fhir_walk import Walk, codes, has_code
from gateway.mapping.finish_order import OrderParts, finished
from gateway.mapping.sites import Profile
from gateway.model.base import replace
from gateway.model.order import MappedOrder, OrderStatus
from gateway.model.report import Act, ImagingReport, ReportStatus
from gateway.model.terms import CCAM, DCM, LOINC, Identifier

STATUSES: Final = {
    "active": OrderStatus.REQUESTED,
    "on-hold": OrderStatus.REQUESTED,
    "completed": OrderStatus.COMPLETED,
    "revoked": OrderStatus.CANCELLED,
    "entered-in-error": OrderStatus.CANCELLED,
}
"""ServiceRequest.status → status, as ORC-1 says it (on-hold: HD). A draft asks for nothing yet."""
_FILLER: Final = "filler-order"
INTENTS: Final = frozenset({"order", "original-order", "reflex-order", "instance-order", _FILLER})
"""ServiceRequest.intent of what is to be done; a proposal, a plan, a directive or an option is not."""
PRIORITIES: Final = {"stat": "S", "asap": "A", "urgent": "A", "routine": "R"}
"""ServiceRequest.priority → HL7 table 0485, which has one word for urgent and as soon as possible."""
_NOTES: Final = {"finaliteExamen": "question", "justificationDemande": "reason"}
"""Type of a note in the French profile, whose extension has had several addresses (spec fhir.md §3.1)."""


def orders(bundle: ReportBundle, profile: Profile) -> tuple[MappedOrder, ...]:
    """Every order of a Bundle without reports, in order, each with its provenance, coverage and findings."""
    return tuple(_mapped(Walk(bundle, profile), position) for position in bundle.requests)


def _mapped(walk: Walk, position: int) -> MappedOrder:
    node = walk.bundle.at(position, walk.reads)
    status = STATUSES.get(node.text("status"))
    if status is None:
        walk.trail.at("ORDER-UNSERVED", f"{node.path}.status", f"status {node.text('status')[:16]}")
    else:
        walk.take("status", node, "status")
    if node.text("intent") not in INTENTS:
        walk.trail.at("ORDER-UNSERVED", f"{node.path}.intent", f"intent {node.text('intent')[:16]}")
    if not _imaging(walk, node):
        walk.trail.at("NOT-IMAGING", f"{node.path}.category")
    if status is None or walk.trail.findings:
        return MappedOrder(order=None, control=node.text("status"), findings=walk.trail.findings)
    draft, notes = _draft(walk, node)
    extra = OrderParts(
        status=status,
        control=node.text("status"),
        priority=PRIORITIES.get(walk.take("priority", node, "priority"), ""),
        question=notes["question"],
        history=notes["history"],
        said_at=walk.moment("said_at", walk.bundle.root(walk.reads), "timestamp")
        or walk.moment("said_at", node, "meta", "lastUpdated"),
        performer=roles.performer(walk, node),
    )
    bundle_identifier(walk.bundle, walk.reads)  # the control id of the message: read, not kept here
    made = finished(draft, extra, walk.profile, walk.trail, f"{node.path}.identifier")
    return replace(made, coverage=walk.coverage(), findings=(*made.findings, *walk.left_out()))


def _imaging(walk: Walk, node: Node) -> bool:
    """A category of imaging, or a code that the tables know as an imaging act: many leave the first out."""
    if has_code((*node.all("category"), node.get("code")), IMAGING):
        return True
    known = walk.profile.codes
    tables = {LOINC: known.loinc, CCAM: known.ccam}
    named = codes(node.get("code"))
    return any(one.system in tables and tables[one.system](one.code) is not None for one in named)


def _draft(walk: Walk, node: Node) -> tuple[ImagingReport, dict[str, str]]:
    """The order as a report that holds only what an order has, and its notes by kind."""
    order = exam.request(walk, node)
    notes = _notes(walk, node)
    reason = "\n".join(filter(None, (order.reference.reason, notes["reason"])))
    order = order._replace(reference=replace(order.reference, reason=reason))
    wanted = exam.acts(walk, node, (order,), studies_based_on(walk, node))
    told = facts(walk, node, (order,), tuple(_modality(walk, node, act) for act in wanted))
    met, _ = exam.encounter(walk, node)
    draft = ImagingReport(
        report_set=Identifier(value=""),
        status=ReportStatus.REGISTERED,
        patient=roles.subject(walk, node),
        requester=roles.requester(walk, (order,)),
        encounter=met,
        orders=(order.reference,),
        acts=told.acts,
        pregnancy=told.pregnancy,
        contraindications=told.contraindications,
    )
    return draft, notes


def _modality(walk: Walk, node: Node, act: Act) -> Act:
    """Where no study says it, the modality that `orderDetail` or `category` asks for (DCM)."""
    for concept in () if act.modalities else (*node.all("orderDetail"), *node.all("category")):
        for one in codes(concept):
            if one.system == DCM and (hit := walk.profile.codes.modality(one.code)) is not None:
                walk.trail.source("acts[0].modalities[0]", concept.path, hit.rule)
                return replace(act, modalities=(hit.value,))
    return act


def _notes(walk: Walk, node: Node) -> dict[str, str]:
    """`question`, `reason` and, of notes without a type, `history`; several notes of a kind are lines."""
    made = {"question": "", "reason": "", "history": ""}
    for note in node.all("note"):
        stated = (_type(one) for one in note.all("extension"))
        kind = next((_NOTES[one] for one in stated if one in _NOTES), "history")
        path = "orders[0].reason" if kind == "reason" else kind
        made[kind] = "\n".join(filter(None, (made[kind], walk.take(path, note, "text"))))
    return made


def _type(extension: Node) -> str:
    coded = extension.text("valueCode") or extension.text("valueCoding", "code")
    return coded or extension.text("valueCodeableConcept", "coding", "code")
