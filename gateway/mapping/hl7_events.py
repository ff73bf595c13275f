"""Which messages are served, and what they ask for (volet Transmission 2.1 §1.1, §1.2)."""

from typing import Final

from gateway.hl7v2 import Message, Segment, cisis
from gateway.model.findings import Finding, Severity, finding
from gateway.model.report import ReportStatus
from gateway.model.submission import Action

SERVED: Final[dict[tuple[str, str], Action | None]] = {
    ("ORU", "R01"): None,
    ("MDM", "T02"): Action.CREATE,
    ("MDM", "T04"): Action.DELETE,
    ("MDM", "T06"): Action.REPLACE,
    ("MDM", "T08"): Action.REPLACE,
    ("MDM", "T10"): Action.REPLACE,
}
"""(message code, event) → what the event itself asks for; None: ORC-1 or the status tells it.

T06 (an addendum, joined to its report) and T08 (an edited document) come from classic RIS only; so does a T04
that tells a new status: it is served where all that it says is a deletion (volet §1.2).
"""
ADDENDUM: Final = ("MDM", "T06")
_CANCEL: Final = "CA"
"""ORC-1 of a deletion (volet §1.2)."""
_GONE: Final = frozenset({"CA", "OB"})
"""TXA-19 (HL7 table 0273): deleted, obsolete."""
_TYPES: Final = frozenset(code for code, _ in SERVED)
_OTHER_PROFILES: Final = frozenset({cisis.PROFILE_LPS, cisis.PROFILE_TELERADIOLOGY})
"""Volets whose ORU and MDM are no reports to share: documents that came by mail, answers of teleradiology."""


def refused(message: Message) -> tuple[Finding, ...]:
    """Why a message is not served, () when it is. Some senders of 2.3 leave the event of an ORU empty."""
    code, event = message.message_code, message.trigger_event
    if (profile := message.profile.partition("^")[2]) in _OTHER_PROFILES:
        return (finding("HL7-VOLET-UNSERVED", "MSH-21", f"profile {profile}"),)
    if (code, event) in SERVED or (code == "ORU" and not event):
        return ()
    if code in _TYPES:
        return (finding("HL7-EVENT-UNSUPPORTED", "MSH-9.2", f"{code}^{event[:8]}"),)
    return (finding("HL7-TYPE-UNSUPPORTED", "MSH-9.1", code[:8] or "no type"),)


def is_addendum(message: Message) -> bool:
    """The text is an addendum alone, without the report that it adds to."""
    return (message.message_code, message.trigger_event) == ADDENDUM


def action(message: Message) -> Action:
    """Of a classic report: the MDM event, else ORC-1 = RO; a new status alone is judged by the rules."""
    asked = SERVED.get((message.message_code, message.trigger_event))
    if asked is not None:
        return asked
    order = message.first("ORC")
    return Action.REPLACE if order is not None and order.leaf(1) == "RO" else Action.CREATE


def contradiction(message: Message, status: ReportStatus) -> tuple[Finding, ...]:
    """Of a classic report: ORC-1 = CA beside a status that is not withdrawn, or a T04 that only tells a new
    status. Neither is a deletion for sure, nor anything else."""
    if status.withdrawn:
        return ()
    cancels = message.value("ORC", 1).strip() == _CANCEL
    gone = message.value("TXA", 19).strip() in _GONE
    if action(message) is not Action.DELETE:
        return (finding("HL7-ACTION-MISMATCH", "ORC-1", f"{_CANCEL}, status {status}"),) if cancels else ()
    return () if cancels or gone else (finding("HL7-ACTION-MISMATCH", "MSH-9.2", f"T04, status {status}"),)


def document_action(message: Message, document: Segment) -> tuple[Action, tuple[Finding, ...]]:
    """Of a message that carries a CDA: event, ORC-1 and OBX-11 of the document must name one action (§1.2).

    An ORC-1 that names none (SC) is a warning where the others do.
    """
    said: list[tuple[Action | None, str, str]] = []
    found: list[Finding] = []
    if message.message_code == "MDM":
        event = message.trigger_event
        said.append((cisis.ACTION_BY_MDM_EVENT.get(event), "MSH-9.2", event))
    result = document.value(11).strip()
    if result:
        said.append((cisis.ACTION_BY_RESULT_STATUS.get(result), document.location(11), result))
    else:
        found.append(finding("HL7-FIELD-MISSING", document.location(11), severity=Severity.WARNING))
    control = message.value("ORC", 1).strip()
    if not control:
        found.append(finding("HL7-FIELD-MISSING", "ORC-1", severity=Severity.WARNING))
    elif control in cisis.NEUTRAL_ORDER_CONTROLS and said:
        detail = f"ORC-1 {control} names no action"
        found.append(finding("HL7-ACTION-MISMATCH", "ORC-1", detail, Severity.WARNING))
    else:
        said.append((cisis.ACTION_BY_ORDER_CONTROL.get(control), "ORC-1", control))
    actions = {asked for asked, _, _ in said}
    if len(actions) > 1 or None in actions:
        detail = ", ".join(f"{place} {value[:4]}" for _, place, value in said)
        return Action.CREATE, (*found, finding("HL7-ACTION-MISMATCH", "ORC-1", detail))
    return next(iter(actions), None) or Action.CREATE, tuple(found)
