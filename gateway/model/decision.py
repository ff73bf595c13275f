"""What we do with a message: the decision of the rules, and the plan of its deliveries."""

from datetime import datetime
from enum import StrEnum

from gateway.model.base import Value
from gateway.model.delivery import DeliveryState, Destination, MessageState
from gateway.model.findings import Finding
from gateway.model.report import ReportStatus
from gateway.model.submission import Action, Recipient, RecipientKind


class Verdict(StrEnum):
    ACCEPT = "accept"
    HOLD = "hold"
    BLOCK = "block"
    REJECT = "reject"


MESSAGE_STATES: dict[Verdict, MessageState] = {
    Verdict.ACCEPT: MessageState.ACCEPTED,
    Verdict.HOLD: MessageState.HELD,
    Verdict.BLOCK: MessageState.BLOCKED,
    Verdict.REJECT: MessageState.REJECTED,
}


class KnownReport(Value):
    """What the store knows of a report set before this message.

    `version` counts validated versions (0: only unvalidated content so far); `content_hash` is that of the
    current canonical content; `document_id` names the current version's CDA; `changed_at` is when the set
    last changed.
    """

    report_id: str
    status: ReportStatus
    version: int = 0
    content_hash: str = ""
    document_id: str = ""
    changed_at: datetime | None = None


PER_RECIPIENT = frozenset({Destination.MSSANTE_PS, Destination.MSSANTE_PATIENT})


class PlannedDelivery(Value):
    """One future row of the ledger. `state`: PLANNED, BLOCKED or WITHHELD, PENDING for a deletion or a
    ZAM, which need no new document; `reason`: its finding code."""

    destination: Destination
    action: Action
    recipient: Recipient | None = None
    state: DeliveryState = DeliveryState.PLANNED
    reason: str = ""

    @property
    def lane(self) -> str:
        """Mails wait for each other by recipient: by id, since a mailbox may change between versions; "" for
        what has no recipient of its own."""
        recipient = self.recipient
        if recipient is None or self.destination not in PER_RECIPIENT:
            return ""
        if recipient.kind is RecipientKind.PATIENT:
            return str(recipient.kind)  # a report has one patient, whose number may be known only later
        return f"{recipient.kind}:{recipient.id or recipient.address or recipient.name}"


class Decision(Value):
    """Outcome of `rules.decide`. `number` is the version that this message makes, 0 when it makes none.

    `recalls`: the report is withdrawn, and all that it still owes is cancelled; with a number it has left,
    and the plan deletes it wherever it arrived.
    """

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    plan: tuple[PlannedDelivery, ...] = ()
    number: int = 0
    recalls: bool = False
