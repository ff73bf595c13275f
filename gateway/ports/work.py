"""The delivery side: tasks and their results, and the peers that documents go to."""

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any, Protocol

from gateway.model.base import Value
from gateway.model.delivery import Destination, Outcome
from gateway.model.findings import Finding
from gateway.model.submission import Blob
from gateway.model.version import DeliveryJob, Document, ReportVersion


class Task(Value):
    """Work for a worker: produce the documents of a version, or make one delivery."""

    kind: str
    """`produce` or `deliver`."""
    id: int
    """version id or delivery id."""
    attempt: int = 1
    destination: Destination | None = None
    """Of a delivery."""
    version: int = 0
    """Of a delivery: the version that it belongs to."""
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

    async def claim(
        self,
        limit: int,
        room: Mapping[Destination, int] | None = None,
        probes: Container[Destination] = (),
    ) -> tuple[Task, ...]:
        """Tasks that may start now, oldest first: versions without documents, then deliveries that are due
        and whose lane (site, report set, destination, recipient) has no earlier unsettled row. A task handed
        out is not handed out again, by any node, before it is settled or `surrender`ed, or its node is gone.
        `room` caps single destinations; of `probes` the next delivery goes also before its next try."""
        ...

    async def settle(self, results: tuple[Produced | Settlement, ...]) -> None:
        """Write results, with the next states from the table, in one (grouped) commit."""
        ...

    async def surrender(self, tasks: tuple[Task, ...]) -> None:
        """Give tasks back whose worker died; what may have left becomes `ambiguous` after a restart only
        where the destination cannot be asked (mail), else is asked by the sender."""
        ...

    async def hasten(self, destination: Destination, since: datetime) -> None:
        """What was tried in vain since `since` and waits for its next try is due now."""
        ...

    def nodes(self) -> int:
        """How many nodes deliver from this store now, this one included: they share the rates."""
        ...

    async def next_due(self) -> datetime | None:
        """When the earliest waiting delivery is due; None when none waits."""
        ...


class WorkReader(Protocol):
    """Read-only view that workers open for themselves (another process, another connection)."""

    def version(self, version_id: int) -> tuple[ReportVersion, tuple[Blob, ...]]:
        """The version and the bytes received with it; raises LookupError."""
        ...

    def produced(self, version: ReportVersion, documents: tuple[Document, ...]) -> None:
        """These were just made of `version`: its jobs, which follow soon, may have them from here, where they
        are what the store holds by then."""
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
