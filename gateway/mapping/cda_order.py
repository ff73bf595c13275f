"""An imaging order that comes as a document: IMG-DA-IMG in an ORU or MDM → canonical order (spec cda.md §6).

It is kept like an ORM and joined to its report; it is no report, and never sent on. Number, people, patient
come from the header, what is wanted from the body, the action from the message.
"""

import re
from typing import Final

from gateway.cda import OrderBody, WantedAct, order_body
from gateway.hl7v2 import Message
from gateway.mapping import cda
from gateway.mapping import cda_message as received
from gateway.mapping import hl7_documents as documents
from gateway.mapping.codes import CodeMaps
from gateway.mapping.finish_order import OrderParts, finished
from gateway.mapping.hl7_context import context
from gateway.mapping.hl7_events import document_action, refused
from gateway.mapping.hl7_orders import order_number
from gateway.mapping.hl7_reader import Group, Reader, Used
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.findings import Severity
from gateway.model.order import MappedOrder, OrderStatus
from gateway.model.report import Act, ImagingReport, OrderReference, ReportStatus
from gateway.model.submission import Action, Flags
from gateway.model.terms import CCAM, LOINC, Code, Identifier

_CODED: Final = re.compile(r"(?P<display>[^\[\]]*?) ?\[(?P<code>[A-Za-z0-9.-]{1,24})\]")
_LONGEST_PRIORITY: Final = 4
_ASKS_TO_SEND: Final = ("to_dmp", "to_professionals", "to_patient")


def carries_order(message: Message) -> bool:
    """A CDA whose message says that it is an order."""
    stated = (message.value("OBR", 4), message.value("TXA", 2))
    return any(one.strip() == cda.IMAGING_ORDER for one in stated) and documents.carries_cda(message)


def document_order(message: Message, profile: Profile, used: Used) -> MappedOrder:
    """The order of the one document of `message`."""
    scope = Group(message.segments, message)
    reader = Reader(scope, profile, Trail(profile.site.name), used)
    trail = reader.trail
    trail.take(refused(message))
    found = () if trail.findings else received.read_documents(documents.embedded(scope, reader), reader)
    if not found:
        return MappedOrder(order=None, findings=trail.findings)
    first, *others = found
    for one in others:
        trail.at("CDA-SEVERAL", one.document.location)
    place = first.document.location
    if first.header.code.code != cda.IMAGING_ORDER:
        detail = f"document type {first.header.code.code[:12]}, the message says {cda.IMAGING_ORDER}"
        trail.at("CDA-MISMATCH", f"{place}/ClinicalDocument/code", detail, Severity.ERROR)
    if scope.first("PID") is None:
        trail.at("HL7-SEGMENT-MISSING", "PID")
    action, odd = document_action(message, first.document.segment)
    trail.take(odd)
    _asked_to_send(context(message, scope, reader, action).flags, trail)
    if any(one.severity is Severity.ERROR for one in trail.findings):
        return MappedOrder(order=None, findings=trail.findings)
    received.compare(first.header, scope, reader)
    body = order_body(first.document.data)
    draft = _draft(first, body, reader)
    extra = OrderParts(
        status=OrderStatus.CANCELLED if action is Action.DELETE else OrderStatus.REQUESTED,
        control=message.value("ORC", 1).strip(),
        priority=_priority(body),
        question=body.question,
        history=body.history,
        cancellation=body.cancellation,
        protocol=body.protocol,
        said_at=reader.said_at("request.said_at"),
        informed_of_risks=body.informed_of_risks,
    )
    for path, stated in body.unread:
        what = f"code {stated[:16]}" if stated else ""
        trail.at("ORDER-PART-UNREAD", f"{place}/ClinicalDocument/{path}", what)
    trail.source("status", message.segments[0].location(9) if message.message_code == "MDM" else "ORC-1")
    return finished(draft, extra, profile, trail, f"{place}/ClinicalDocument/documentationOf/serviceEvent/id")


def _asked_to_send(flags: Flags, trail: Trail) -> None:
    """Nobody would do it: the message must not be answered as if somebody did."""
    for name in _ASKS_TO_SEND:
        if getattr(flags, name):
            trail.finding("ORDER-NOT-SENT", f"context.flags.{name}")


def _draft(one: received.Received, body: OrderBody, reader: Reader) -> ImagingReport:
    header, place, tz = one.header, f"{one.document.location}/ClinicalDocument", reader.profile.site.tz
    trail = reader.trail
    signer, event = header.legal_authenticator, header.principal
    asks = [party.practitioner for party in header.authors if not party.is_device]
    named = event.id if event is not None else None
    if named is not None:
        trail.source("orders[0].placer", f"{place}/documentationOf/serviceEvent/id")
    for path, element in (
        ("patient.ins", "recordTarget/patientRole/id" if header.patient.ins else ""),
        ("requester", "author"),
        ("orders[0].reason", "component" if body.reason else ""),
        ("contraindications", "component" if body.contraindications else ""),
        ("acts", "component"),
    ):
        if element:
            trail.source(path, f"{place}/{element}")
    reference = OrderReference(
        placer=named or order_number(reader, "request.placer", "orders[0].placer"),
        filler=order_number(reader, "request.filler", "orders[0].filler"),
        accession=next((order.accession for order in header.orders if order.accession is not None), None),
        requested_at=cda.time(event.low if event and event.low else signer.time if signer else "", tz),
        reason="\n".join(filter(None, (body.reason, _urgency(body)))),
        reasons=body.reasons,
    )
    return ImagingReport(
        report_set=Identifier(value=""),
        status=ReportStatus.REGISTERED,
        patient=received.patient_of(header, reader),
        requester=asks[0] if asks else signer.practitioner if signer else None,
        attending=cda.participant(header, "INF", cda.PCP),
        copies_to=tuple(party.practitioner for party in header.recipients),
        encounter=cda.encounter(header, tz),
        orders=(reference,),
        acts=tuple(_act(act, reader) for act in body.acts),
        pregnancy=body.pregnancy,
        contraindications=body.contraindications,
    )


def _act(wanted: WantedAct, reader: Reader) -> Act:
    """What is wanted. A contrast medium that is wanted stays in words: `products` are what was given."""
    codes, words = _codes(wanted.words, reader.profile.codes)
    return Act(
        label=wanted.label,
        code=codes.get(LOINC),
        ccam=codes.get(CCAM),
        modalities=(wanted.modality,) if wanted.modality else (),
        sites=wanted.sites,
        laterality=wanted.side,
        start=cda.time(wanted.start, reader.profile.site.tz),
        function=wanted.function,
        parameters="\n".join(words),
    )


def _codes(lines: tuple[str, ...], known: CodeMaps) -> tuple[dict[str, Code], list[str]]:
    """Codes of the act that stand in the lines of its comment (`Scanner de la tête [24727-0]`) by system, and
    the lines that hold none which the tables know."""
    found: dict[str, Code] = {}
    words: list[str] = []
    for line in lines:
        match = _CODED.fullmatch(line)
        stated = match["code"] if match else ""
        for system, table in ((LOINC, known.loinc), (CCAM, known.ccam)):
            if match and system not in found and table(stated) is not None:
                found[system] = Code(code=stated, system=system, display=match["display"])
                break
        else:
            words.append(line)
    return found, words


def _priority(body: OrderBody) -> str:
    """HL7 table 0485; the volet knows urgent alone, the code stands behind the words."""
    if not any(act.urgent for act in body.acts):
        return ""
    match = _CODED.fullmatch(body.urgency)
    return match["code"] if match and len(match["code"]) <= _LONGEST_PRIORITY else "UR"


def _urgency(body: OrderBody) -> str:
    """Why it is urgent, where that is more than a priority."""
    return "" if _priority(body) != "UR" or _CODED.fullmatch(body.urgency) else body.urgency
