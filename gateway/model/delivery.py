"""Where it goes: destinations, the states of messages and deliveries, outcomes of an attempt.

Both state machines are tables: a transition that is not in the table is an error, and a test walks them.
"""

from enum import StrEnum

from gateway.model.base import Value


class Destination(StrEnum):
    """Every place that a report version is owed to; each is one row of the ledger per recipient."""

    FOLDER = "folder"
    DMP = "dmp"
    MSSANTE_PS = "mssante-ps"
    MSSANTE_PATIENT = "mssante-patient"
    IMAGES = "images"
    ZAM = "zam"


class MessageState(StrEnum):
    """What became of a received message. All are committed outcomes."""

    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    HELD = "held"
    """Taken; the report is not validated, nothing leaves."""
    BLOCKED = "blocked"
    """Taken; a curable defect stops at least one delivery."""
    ACCEPTED = "accepted"


REPEATABLE = frozenset({Destination.DMP, Destination.FOLDER, Destination.ZAM})
"""Where sending the same again does no harm: a DMP knows uniqueId and hash of a document that it has
(XDSDuplicateUniqueIdInRegistry is judged as delivered), a folder holds the same bytes, a ZAM keeps its
MSH-10. Mail is not here: SMTP cannot be asked."""


INTERRUPTED = "DELIVERY-INTERRUPTED"
"""Code of the outcome of an attempt of which nobody can tell how it ended."""


class DeliveryState(StrEnum):
    PLANNED = "planned"
    """Its documents are not produced yet."""
    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    WAITING = "waiting"
    """A retry is due at `next_try`."""
    DELIVERED = "delivered"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"
    """The bytes left and no answer came: the peer is asked before anything is repeated."""
    BLOCKED = "blocked"
    """Curable: something named is missing."""
    WITHHELD = "withheld"
    """Awaiting announcement or a manual release."""
    REFUSED = "refused"
    """Business refusal (DMP closed, patient opposed): never retried."""
    CANCELLED = "cancelled"

    @property
    def settled(self) -> bool:
        """Nothing more will happen by itself; the next of the lane may go."""
        return self in (DeliveryState.DELIVERED, DeliveryState.REFUSED, DeliveryState.CANCELLED)


class DeliveryEvent(StrEnum):
    PRODUCED = "produced"
    PRODUCTION_FAILED = "production_failed"
    CLAIMED = "claimed"
    LOST = "lost"
    """The worker died before it sent anything, or the lease ran out: nothing is known to have left."""
    DELIVERED = "delivered"
    RETRY = "retry"
    RETRY_DUE = "retry_due"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"
    REFUSED = "refused"
    BLOCK = "block"
    UNBLOCK = "unblock"
    WITHHOLD = "withhold"
    RELEASE = "release"
    CANCEL = "cancel"


_D, _X = DeliveryState, DeliveryEvent

DELIVERY_TRANSITIONS: dict[DeliveryState, dict[DeliveryEvent, DeliveryState]] = {
    _D.PLANNED: {
        _X.PRODUCED: _D.PENDING,
        _X.PRODUCTION_FAILED: _D.FAILED,
        _X.BLOCK: _D.BLOCKED,
        _X.WITHHOLD: _D.WITHHELD,
        _X.CANCEL: _D.CANCELLED,
    },
    _D.PENDING: {_X.CLAIMED: _D.IN_FLIGHT, _X.BLOCK: _D.BLOCKED, _X.CANCEL: _D.CANCELLED},
    _D.IN_FLIGHT: {
        _X.DELIVERED: _D.DELIVERED,
        _X.RETRY: _D.WAITING,
        _X.LOST: _D.PENDING,
        _X.FAILED: _D.FAILED,
        _X.AMBIGUOUS: _D.AMBIGUOUS,
        _X.REFUSED: _D.REFUSED,
        _X.BLOCK: _D.BLOCKED,
    },
    _D.WAITING: {_X.RETRY_DUE: _D.PENDING, _X.CLAIMED: _D.IN_FLIGHT, _X.CANCEL: _D.CANCELLED},
    _D.AMBIGUOUS: {
        _X.CLAIMED: _D.IN_FLIGHT,
        _X.DELIVERED: _D.DELIVERED,
        _X.RETRY_DUE: _D.PENDING,
        _X.FAILED: _D.FAILED,
        _X.CANCEL: _D.CANCELLED,
    },
    _D.FAILED: {_X.RETRY_DUE: _D.PENDING, _X.CANCEL: _D.CANCELLED},
    _D.BLOCKED: {_X.UNBLOCK: _D.PLANNED, _X.CANCEL: _D.CANCELLED},
    _D.WITHHELD: {_X.RELEASE: _D.PLANNED, _X.CANCEL: _D.CANCELLED},
    _D.DELIVERED: {},
    _D.REFUSED: {},
    _D.CANCELLED: {},
}


class IllegalTransitionError(ValueError):
    """An event that a delivery in this state cannot take."""

    def __init__(self, state: DeliveryState, event: DeliveryEvent) -> None:
        super().__init__(f"a delivery that is {state} cannot take the event {event}")
        self.state, self.event = state, event


class NotAnnouncedError(IllegalTransitionError):
    """The patient's mail waits for the announcement: its document still says that the patient may not see
    it, and only a new version, which the announcement makes, may be mailed."""

    def __init__(self, report_id: int) -> None:
        super().__init__(DeliveryState.WITHHELD, DeliveryEvent.RELEASE)
        self.report_id = report_id


def next_state(state: DeliveryState, event: DeliveryEvent) -> DeliveryState:
    """The state after `event`; raises IllegalTransitionError for a pair that is not in the table."""
    try:
        return DELIVERY_TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransitionError(state, event) from None


class OutcomeKind(StrEnum):
    """Classes of the result of one attempt (architecture decision 10)."""

    DELIVERED = "delivered"
    TRANSIENT = "transient"
    """Nothing was taken: back off and try again."""
    PERMANENT = "permanent"
    """Will fail again: stop and show."""
    AMBIGUOUS = "ambiguous"
    REFUSED = "refused"


OUTCOME_EVENTS: dict[OutcomeKind, DeliveryEvent] = {
    OutcomeKind.DELIVERED: DeliveryEvent.DELIVERED,
    OutcomeKind.TRANSIENT: DeliveryEvent.RETRY,
    OutcomeKind.PERMANENT: DeliveryEvent.FAILED,
    OutcomeKind.AMBIGUOUS: DeliveryEvent.AMBIGUOUS,
    OutcomeKind.REFUSED: DeliveryEvent.REFUSED,
}


class Outcome(Value):
    """Result of one attempt, as its connector judged it.

    `code` is the peer's own code (an HTTP status, an SMTP reply, an XDS error), `detail` one line for
    people without clinical text, `remote_ids` what the peer named ((name, value): `entryUUID`, …).
    """

    kind: OutcomeKind
    code: str = ""
    detail: str = ""
    remote_ids: tuple[tuple[str, str], ...] = ()
    retry_after: float = 0.0
    """Seconds that the peer asked us to wait, 0 when it did not."""
