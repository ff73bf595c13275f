"""What a worker is made of: reader, producer, one route a destination. `service` puts it together."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from inspect import signature
from typing import Any, Protocol, cast

from gateway.config import Settings
from gateway.model.delivery import Destination, Outcome
from gateway.model.submission import Blob
from gateway.model.version import DeliveryJob, Document, ReportVersion
from gateway.ports import Sender, Validator, WorkReader

Producer = Callable[[ReportVersion, tuple[Blob, ...]], tuple[Document, ...]]
"""Makes the documents of a version; an exception with `findings` says why there are none."""


class MarkingSender(Protocol):
    """A sender that tells when the peer may begin to take responsibility (SMTP: before the mail's bytes).

    It calls `begun` right before that point, once a send, in a thread of its own since `begun` waits for the
    disk, and sends nothing when it raises. What never came that far may be sent again after a crash.
    """

    async def send(self, request: Any, begun: Callable[[], None]) -> Outcome: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a peer is asked before anything is sent to it.

    `question` (CPU; raises PrepareError) makes the question, None when there is nothing to ask; `ask` gives
    the answer, or the Outcome of an attempt that ends with it; `resolve` completes the job by the answer, or
    says how the delivery has ended: it is there already.
    """

    question: Callable[[DeliveryJob], Any | None]
    ask: Callable[[Any], Awaitable[Any]]
    resolve: Callable[[DeliveryJob, Any, Any], DeliveryJob | Outcome]


@dataclass(frozen=True, slots=True)
class Route:
    """One destination: `prepare` (CPU; raises PrepareError) makes the request, `sender` sends it.

    `concurrency` caps the sends under way at a time in one worker. `marks`: the sender is a MarkingSender;
    its signature is looked at once.
    """

    prepare: Callable[[DeliveryJob], Any]
    sender: Sender | MarkingSender
    concurrency: int = 4
    inquiry: Inquiry | None = None
    marks: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "marks", "begun" in signature(self.sender.send).parameters)

    async def send(self, request: Any, begun: Callable[[], None]) -> Outcome:
        if self.marks:
            return await cast("MarkingSender", self.sender).send(request, begun=begun)
        return await cast("Sender", self.sender).send(request)


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """All that a worker needs. `now` gives aware UTC times; without a `validator` our own checks are all."""

    reader: WorkReader
    produce: Producer
    routes: Mapping[Destination, Route]
    validator: Validator | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


WorkerFactory = Callable[[Settings], WorkerParts]
"""Called once in each worker, by its dotted path `module:name`; must not open a socket yet."""
