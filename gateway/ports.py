"""What the pipeline needs from outside, as protocols: store, clock, senders. `service.py` joins them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from gateway.config import RetentionSettings
from gateway.model.base import Value
from gateway.model.canonical import Canonical
from gateway.model.decision import Decision, KnownReport, PlannedDelivery
from gateway.model.delivery import DeliveryState, Destination, MessageState, Outcome
from gateway.model.findings import Finding
from gateway.model.identity import IdentityRecord, KeptReport
from gateway.model.order import ImagingOrder, KnownOrder
from gateway.model.report import ImagingReport
from gateway.model.submission import Blob, Coverage, Mapped, Provenance
from gateway.model.terms import Identifier
from gateway.model.version import DeliveryJob, Document, ReportVersion, VersionIdentity


class Clock(Protocol):
    def now(self) -> datetime:
        """The present, aware, in UTC."""
        ...


class Received(Value):
    """One message as it came, before anything is stored.

    `dedupe_key` is sha256 over (MSH-3, MSH-4, MSH-10, payload without MSH-7), or over Bundle.identifier and
    body for FHIR (REQ-03). `mapped` holds one entry per report of the message.
    """

    raw: bytes
    protocol: str
    peer: str
    site: str
    received_at: datetime
    dedupe_key: str
    message_type: str = ""
    control_id: str = ""
    sending_application: str = ""
    sending_facility: str = ""


class Settled(Value):
    """What is decided for one report of a message, inside the commit.

    `identity` is None when the message makes no new version (held, unchanged, rejected). `canonical` spares
    the commit the encoding; without it the store makes it.
    """

    mapped: Mapped
    decision: Decision
    set_key: str = ""
    content_hash: str = ""
    identity: VersionIdentity | None = None
    canonical: Canonical | None = None


class OrderEntry(Value):
    """An order to write: a new one, or the next version of `order_id`. `control` is ORC-1 as received."""

    order: ImagingOrder
    order_id: int = 0
    control: str = ""
    provenance: tuple[Provenance, ...] = ()
    coverage: Coverage = Coverage()


class DeliveryChange(Value):
    """Of the deliveries of a report to a destination: block what did not leave yet, for `reason`; or let go
    what is blocked for that reason."""

    report_id: int
    destination: Destination
    reason: str
    block: bool


class Conclusion(Value):
    """What the commit must write for the whole message, and the bytes that answer it."""

    state: MessageState
    answer: bytes
    reports: tuple[Settled, ...] = ()
    blobs: tuple[Blob, ...] = ()
    findings: tuple[Finding, ...] = ()
    """All findings of the message, for `gateway message`."""
    orders: tuple[OrderEntry, ...] = ()
    partial: bool = False
    """Some reports of the message were refused: sent again, it is processed again."""
    identities: tuple[IdentityRecord, ...] = ()
    changes: tuple[DeliveryChange, ...] = ()


class Receipt(Value):
    """Committed: the message has an id and this answer. `replayed` when an equal message was known."""

    message_id: int
    state: MessageState
    answer: bytes
    replayed: bool = False


class Known(Protocol):
    """What the store knows, read inside the commit."""

    def report(self, site: str, set_key: str, /) -> KnownReport | None:
        """The report set."""
        ...

    def current(self, site: str, set_key: str, /) -> ImagingReport | None:
        """The report of the set's current version, None when it has none."""
        ...

    def sent(self, site: str, set_key: str, /) -> tuple[PlannedDelivery, ...]:
        """The deletions that a withdrawal of the set owes: one wherever something has left, may have left, or
        is being sent, and is not deleted. Nothing will be handed out before the commit has ended."""
        ...

    def kept(self, site: str, set_key: str, /) -> KeptReport | None:
        """The set's current version as it was taken, without its deliveries; None when it has none, or its
        contents were let go."""
        ...

    def set_of(self, site: str, document_id: str, /) -> str:
        """The key of the report set whose current version is this document, "" when there is none."""
        ...

    def orders(self, site: str, keys: tuple[str, ...], /) -> tuple[KnownOrder, ...]:
        """Orders that have any of these names (`model.order.keys`), each once."""
        ...

    def identity(self, site: str, identifier: Identifier, /) -> IdentityRecord | None:
        """What the identity feed said under this identifier."""
        ...

    def waiting(self, site: str, identifiers: tuple[Identifier, ...], /) -> tuple[KeptReport, ...]:
        """Reports of patients with these identifiers, or merged into them, whose current version still owes
        deliveries."""
        ...


class IntakeStore(Protocol):
    """Durable state, intake side. One transaction at a time decides; commits are grouped."""

    async def commit(self, received: Received, conclude: Callable[[Known], Conclusion]) -> Receipt:
        """Store a message with all its consequences in one durable (grouped) commit.

        A message whose `dedupe_key` was taken before is stored as `duplicate` and answered as the first one
        was (`conclude` is not called), unless the first one was rejected. `conclude` runs inside the
        transaction, serially, so two messages of one report set never see the same `Known`. It may run
        again after a conflict (PostgreSQL), so it must have no side effect.

        Raises StoreUnavailableError when nothing could be written: the sender must resend.
        """
        ...


class StoreUnavailableError(Exception):
    """The store cannot take anything now (disk full, database down)."""


class Task(Value):
    """Work for a worker: produce the documents of a version, or make one delivery."""

    kind: str
    """`produce` or `deliver`."""
    id: int
    """version id or delivery id."""
    attempt: int = 1
    destination: Destination | None = None
    """Of a delivery."""
    lease: int = 0
    """Under which it was handed out, 0 where one process alone has the store. Results name it again: who has
    lost it settles nothing."""


class Produced(Value):
    """The documents of a version, made by a worker. Empty `documents` with a `problem`: production failed.

    `blocked`: rules refuse the documents; this is the reason (a finding code), `findings` say all. They are
    then kept to be looked at, never sent.
    """

    version_id: int
    documents: tuple[Document, ...] = ()
    problem: str = ""
    blocked: str = ""
    findings: tuple[Finding, ...] = ()
    official: bool = False
    """Whether the official rules were among those that judged."""
    lease: int = 0
    """Of the task."""


class Settlement(Value):
    """What a worker reports of one attempt."""

    delivery_id: int
    outcome: Outcome
    attempt: int
    started_at: datetime
    ended_at: datetime
    lease: int = 0
    """Of the task."""


class WorkStore(Protocol):
    """Durable state, delivery side (dispatcher). Same writer as the intake."""

    async def claim(self, limit: int, room: Mapping[Destination, int] | None = None) -> tuple[Task, ...]:
        """Tasks that may start now, oldest first: versions without documents, then deliveries that are due
        and whose lane (site, report set, destination, recipient) has no earlier unsettled row. A task handed
        out is not handed out again, by any node, before it is settled or `surrender`ed, or its node is gone.
        `room` caps single destinations."""
        ...

    async def settle(self, results: tuple[Produced | Settlement, ...]) -> None:
        """Write results, with the next states from the table, in one (grouped) commit."""
        ...

    async def surrender(self, tasks: tuple[Task, ...]) -> None:
        """Give tasks back whose worker died; what may have left becomes `ambiguous` after a restart only
        where the destination cannot be asked (mail), else is asked by the sender."""
        ...

    async def next_due(self) -> datetime | None:
        """When the earliest waiting delivery is due; None when none waits."""
        ...


class WorkReader(Protocol):
    """Read-only view that workers open for themselves (another process, another connection)."""

    def version(self, version_id: int) -> tuple[ReportVersion, tuple[Blob, ...]]:
        """The version and the bytes received with it; raises LookupError."""
        ...

    def job(self, delivery_id: int, attempt: int) -> DeliveryJob:
        """All that one delivery needs; raises LookupError."""
        ...

    def begin(self, task: Task) -> bool:
        """Right before something that cannot be repeated leaves: False when another node has it now, and
        nothing may leave. From another thread than the rest. Raises StoreUnavailableError."""
        ...


class Sender(Protocol):
    """One destination kind: `send` is the only line that touches the network."""

    async def send(self, request: Any) -> Outcome:
        """Send a prepared request once. Never raises for a fault of the peer: the outcome says it."""
        ...

    async def close(self) -> None: ...


class ValidatorUnavailableError(Exception):
    """No verdict now: the document must wait, it is not sent unjudged."""


class Validator(Protocol):
    """The official rules, outside of this process. For one thread at a time."""

    def judge(self, document: bytes) -> tuple[Finding, ...]:
        """Findings on one CDA, errors first; empty when there is nothing to say.

        Raises ValidatorUnavailableError.
        """
        ...

    def close(self) -> None:
        """Any thread may call; a verdict under way becomes ValidatorUnavailableError."""
        ...


class Purged(NamedTuple):
    """How many of each class of the retention policy went, or would."""

    reports: int = 0
    messages: int = 0
    orders: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{number} {name}" for name, number in self._asdict().items())


class Operator(Protocol):
    """What an operator changes; `actor` goes into the audit trail. Raises StoreUnavailableError."""

    async def retry(self, delivery_id: int, *, actor: str = ...) -> DeliveryState:
        """Raises LookupError; IllegalTransitionError for a state that does not take it."""
        ...

    async def cancel(self, delivery_id: int, *, actor: str = ...) -> DeliveryState:
        """Raises as `retry`; what is being sent cannot be cancelled."""
        ...

    async def release(self, delivery_id: int, *, actor: str = ...) -> DeliveryState:
        """Raises as `retry`."""
        ...

    async def pause(self, destination: Destination, *, actor: str = ...) -> None: ...

    async def resume(self, destination: Destination, *, actor: str = ...) -> None: ...

    async def purge(self, policy: RetentionSettings, *, actor: str = ..., exported: bool = ...) -> Purged:
        """Let go what `policy` names; with `exported` only what an export has taken out before."""
        ...

    async def note(
        self,
        action: str,
        *,
        actor: str = ...,
        message_id: int | None = ...,
        report_id: int | None = ...,
        result: str = ...,
    ) -> None:
        """Into the audit trail: somebody looks at contents (`read`), or takes them away (`export`)."""
        ...


Row = dict[str, Any]
"""A row as API and CLI show it: JSON-ready, field names as in the tables."""


class Queries(Protocol):
    """What API, CLI and pages read. Never writes; `cursor` is the last id of the page before, 0 at first."""

    def messages(self, *, state: str, control_id: str, site: str, cursor: int, limit: int) -> list[Row]:
        """Fields: id, control_id, message_type, protocol, state, site, received_at, report_ids."""
        ...

    def message(self, identifier: int) -> Row | None:
        """A row of `messages` with findings, reports (id, set_key, version) and deliveries."""
        ...

    def raw(self, identifier: int) -> bytes | None: ...

    def report(self, identifier: str) -> Row | None:
        """One report set: status, versions (number, created_at, documents), deliveries."""
        ...

    def deliveries(self, *, state: str, destination: str, cursor: int, limit: int) -> list[Row]:
        """id, destination, recipient, action, state, reason, attempts, next_try, outcome, report_id."""
        ...

    def orders(self, *, site: str, status: str, cursor: int, limit: int) -> list[Row]:
        """id, site, placer, filler, accession, study_uid, status, version, control_id, times."""
        ...

    def order(self, identifier: int) -> Row | None:
        """A row of `orders` with the canonical `order` and its `messages` (id, version, control, status)."""
        ...

    def identities(self, *, site: str, number: str = "", cursor: str = "", limit: int) -> list[Row]:
        """key, ins, status, opposition, merged_into, message_id, updated_at; `cursor` is the last key.

        `number`: only this identifier, whatever its authority.
        """
        ...

    def delivery_counts(self) -> list[tuple[str, str, int]]:
        """(destination, state, how many)."""
        ...
