"""ADT (HL7 2.5, PAM.FR 2.11) → events of the identity feed (spec hl7v2.md §1.5; REQ-12, REQ-16, REQ-17)."""

from collections import defaultdict

from gateway.hl7v2 import Message
from gateway.mapping import hl7_types as types
from gateway.mapping.coverage import coverage
from gateway.mapping.hl7_patient import patient, status_codes
from gateway.mapping.hl7_reader import Group, Reader, Used
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.findings import Finding, finding
from gateway.model.identity import FeedAction, IdentityEvent, MappedIdentity
from gateway.model.terms import Identifier

TYPE = "ADT"

_F = FeedAction
EVENTS: dict[str, FeedAction] = {
    **dict.fromkeys(("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A28", "A31"), _F.UPDATE),
    "A40": _F.MERGE,
    "A24": _F.LINK,
    "A37": _F.UNLINK,
    "A47": _F.CHANGE,
}
"""Trigger events that are served (IHE PAM ITI-30, ITI-31). Movements (A02, A03…) carry the identity, too."""

_TWO_PIDS = frozenset({_F.LINK, _F.UNLINK})
OPPOSITION = {"IO": True, "INO": False}
"""ZFA-9 (PAM.FR): IO opposed, INO not opposed; NA (not asked) says nothing."""


def is_identity(message: Message) -> bool:
    return message.message_code == TYPE


def identity(message: Message, profile: Profile) -> MappedIdentity:
    """The event of one ADT message; `event` None when an error finding says why."""
    used: Used = defaultdict(set)
    action = EVENTS.get(message.trigger_event)
    event: IdentityEvent | None = None
    trail = Trail(profile.site.name)
    if action is None:
        detail = f"{TYPE}^{message.trigger_event[:8]}"
        trail.at("HL7-EVENT-UNSUPPORTED", "MSH-9.2", detail)
    elif not (pids := message.all("PID")):
        trail.at("HL7-SEGMENT-MISSING", "PID")
    else:
        others = [segment for segment in message.segments if segment.name != "PID"]
        scope = Group([pids[0], *others], message)
        reader = Reader(scope, profile, trail, used)
        reader.mark(message.segments[0], 3, 4, 5, 6, 7, 9, 10, 11, 21)
        event = _event(message, action, reader, profile)
        trail.take(_lacks(event))
        event = None if _lacks(event) else event
    return MappedIdentity(
        event=event,
        processing_id=message.processing_id,
        provenance=trail.provenance,
        coverage=coverage(message, used, profile),
        findings=(*message.findings, *trail.findings),
    )


def _event(message: Message, action: FeedAction, reader: Reader, profile: Profile) -> IdentityEvent:
    code, flags, _ = status_codes(reader)
    who = patient(reader)
    who = replace(who, identifiers=tuple(_under(one, profile) for one in who.identifiers))
    return IdentityEvent(
        action=action,
        patient=who,
        prior=tuple(one for one in _prior(message, action, reader, profile) if one not in who.identifiers),
        marks=(code, *flags) if code else (),
        opposed=_opposed(reader),
        said_at=reader.said_at("feed.said_at"),
    )


def _lacks(event: IdentityEvent) -> tuple[Finding, ...]:
    if not event.patient.identifiers and event.patient.ins is None:
        return (finding("IDENTITY-KEY-MISSING", "PID-3"),)
    if event.action is not FeedAction.UPDATE and not event.prior:
        return (finding("IDENTITY-PRIOR-MISSING", "PID(2)-3" if event.action in _TWO_PIDS else "MRG-1"),)
    return ()


def _prior(message: Message, action: FeedAction, reader: Reader, profile: Profile) -> tuple[Identifier, ...]:
    """MRG-1, of A24 and A37 the second PID; never an identifier that PID names as well."""
    if action is FeedAction.UPDATE:
        return ()
    if action in _TWO_PIDS:
        second = message.all("PID")[1:2]
        over = reader.over(Group(second, message))
        found = [
            types.cx(over.scope, one.segment, one.field, one.repetition)
            for one in over.find_all("patient.identifiers")
        ]
    else:
        found = [
            types.cx(reader.scope, one.segment, one.field, one.repetition)
            for one in reader.find_all("feed.prior")
            if not one.segment.value(one.field, one.repetition, 5).strip().startswith("INS")
        ]
    return tuple(dict.fromkeys(_under(one, profile) for one in found))


def _opposed(reader: Reader) -> bool | None:
    found = reader.find("feed.opposition")
    if found is None:
        return None
    reader.trail.source("opposed", found.location)
    return OPPOSITION.get(found.value.upper())


def _under(identifier: Identifier, profile: Profile) -> Identifier:
    """The site's own authority for a number whose authority the message does not name, as in reports."""
    if identifier.system:
        return identifier
    return replace(identifier, system=profile.site.authorities.patient)
