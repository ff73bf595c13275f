"""The intake side: a message and all its consequences, written in one commit."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from gateway.model.base import Value
from gateway.model.canonical import Canonical
from gateway.model.decision import Decision, KnownReport, PlannedDelivery
from gateway.model.delivery import Destination, MessageState
from gateway.model.findings import Finding
from gateway.model.identity import IdentityRecord, KeptReport
from gateway.model.order import ImagingOrder, KnownOrder
from gateway.model.report import ImagingReport
from gateway.model.submission import Blob, Coverage, Mapped, Provenance
from gateway.model.terms import Identifier
from gateway.model.version import VersionIdentity


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
    report_id: int = 0
    """Of a command: what it is about; 0 for a message."""


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

    def has_orders(self, site: str, /) -> bool:
        """Whether any order of the site is known: most sites send none."""
        ...

    def has_identities(self, site: str, /) -> bool:
        """Whether the identity feed of the site ever said anything."""
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
