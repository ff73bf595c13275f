"""What a command makes of a report that is kept: other flags in a new version of its document, or its end.

With the structure's certificate the DMP offers no change of visibility: masking and announcing replace the
document (architecture decision 14; hl7v2.md §1.2 « rendre visible au patient »; REQ-38, 39). A withdrawal is
as that by message (`rules.decide`; REQ-40). Pure functions.
"""

from gateway.hl7v2 import cisis
from gateway.model.base import replace
from gateway.model.command import Command, Verb
from gateway.model.decision import PER_RECIPIENT, KnownReport, PlannedDelivery
from gateway.model.delivery import DeliveryState
from gateway.model.findings import Finding, finding
from gateway.model.identity import KeptReport
from gateway.model.submission import Action, Flags, Mapped

MASKS = ("masked_ps", "invisible_patient", "invisible_legal_representatives")
"""Fields of `Flags` that hide a document."""


def refusal(command: Command, known: KnownReport | None, kept: KeptReport | None) -> Finding | None:
    """Why the command cannot be carried out, None when it can."""
    if known is None:
        return finding("COMMAND-IMPOSSIBLE", detail="no such report")
    withdraws = command.verb is Verb.WITHDRAW
    if known.status.withdrawn and not withdraws:
        return finding("COMMAND-IMPOSSIBLE", detail="the report is withdrawn")
    if not known.version:
        return finding("COMMAND-IMPOSSIBLE", detail="the report is not validated: nothing of it has left")
    if kept is None:
        return finding("COMMAND-IMPOSSIBLE", detail="the contents of the report were let go (retention)")
    if withdraws:
        return None
    if kept.context.received_document:
        return finding("COMMAND-NOT-OURS")
    return _of_flag(command)


def _of_flag(command: Command) -> Finding | None:
    if command.verb is Verb.ANNOUNCE:
        return None
    field = cisis.FLAG_FIELDS.get(command.flag)
    if field not in MASKS:
        return finding("MASK-UNKNOWN", "flag")
    if command.verb is Verb.UNMASK and field == "invisible_patient":
        return finding("MASK-ANNOUNCED", "flag")
    return None


def ordered(command: Command, kept: KeptReport) -> Mapped:
    """The kept report under the flags that the command asks for, as a replacement, or as a deletion; only
    after `refusal` said None. The same flags: the command changes nothing."""
    context = kept.context
    if command.verb is Verb.WITHDRAW:
        return _withdrawal(kept)
    flags = changed(context.flags, command)
    if flags != context.flags:
        flags = replace(flags, modified_confidentiality=True)
        context = replace(context, flags=flags, action=Action.REPLACE)
    return Mapped(report=kept.report, context=context, trace=kept.trace)


def _withdrawal(kept: KeptReport) -> Mapped:
    """In the name of whom the report came from; its creator did not ask for it, and is told nothing. What the
    creator wrote into the mails was about the report, not about its end."""
    context = replace(
        kept.context,
        action=Action.DELETE,
        flags=replace(kept.context.flags, acknowledge_reception=None),
        body_professional="",
        body_patient="",
    )
    return Mapped(report=kept.report, context=context)


def changed(flags: Flags, command: Command) -> Flags:
    """`flags` after the command; equal ones when they say already what it asks for.

    A document that the patient may not see is never mailed to the patient, so an explicit DESTMSSANTEPAT
    gives way: N beside INVISIBLE_PATIENT = Y is an obligation of the volet, not a wish of the patient.
    """
    if command.verb is Verb.ANNOUNCE:
        if not flags.invisible_patient:
            return flags
        return replace(flags, invisible_patient=False, to_patient=None if command.mail else False)
    field, on = cisis.FLAG_FIELDS[command.flag], command.verb is Verb.MASK
    if bool(getattr(flags, field)) is on:
        return flags
    hidden = field == "invisible_patient"
    return replace(flags, **{field: on}, **({"to_patient": None} if hidden and flags.to_patient else {}))


def still_owed(
    plan: tuple[PlannedDelivery, ...], sent: tuple[PlannedDelivery, ...]
) -> tuple[PlannedDelivery, ...]:
    """Of the new version's plan what a command sends: nobody gets a second mail because others may, or may
    not, see the document. `sent`: a row for each lane that has had a version of it, or is having it now."""
    reached = {(row.destination, row.lane) for row in sent}
    return tuple(
        row
        for row in plan
        if row.destination not in PER_RECIPIENT
        or row.state is DeliveryState.WITHHELD
        or (row.destination, row.lane) not in reached
    )
