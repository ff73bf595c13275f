"""`ports.WorkReader` for a worker: its own read-only connection, so that the writer never waits for it."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gateway.model.base import decode, replace
from gateway.model.delivery import (
    DELIVERY_TRANSITIONS,
    DeliveryEvent,
    DeliveryState,
    Destination,
    Outcome,
    OutcomeKind,
)
from gateway.model.findings import finding
from gateway.model.report import ImagingReport
from gateway.model.site import Site
from gateway.model.submission import Action, Blob, Recipient, SubmissionContext
from gateway.model.version import DeliveryJob, Document, DocumentKind, ReportVersion, VersionIdentity
from gateway.ports import StoreUnavailableError, Task
from gateway.rules.commands import MASKS
from gateway.store import statements as named
from gateway.store import work_statements as work
from gateway.store.acknowledge import told
from gateway.store.identities import forbidden
from gateway.store.place import Where, reading
from gateway.store.supersede import left, place
from gateway.store.withdrawal import RemoteIds, to_delete

if TYPE_CHECKING:
    from gateway.store.marks import Marks

KEPT_BYTES = 16 << 20
"""Documents kept in memory: the deliveries of one version come close together and share them."""
FRESH = 1 << 20
"""Bytes of documents up to which they are kept from their production to their deliveries."""

_SENDABLE = frozenset(
    state for state, events in DELIVERY_TRANSITIONS.items() if DeliveryEvent.CLAIMED in events
)


class SiteUnknownError(Exception):
    """The profile of the report's site is gone since its intake."""

    def __init__(self, site: str) -> None:
        super().__init__(f"no profile for site {site}")
        self.findings = (finding("SITE-UNKNOWN", detail=f"site {site}"),)


class StoreReader:
    """Versions and jobs, for one thread at a time.

    Raises StoreUnavailableError when the database cannot be read now, SiteUnknownError.
    """

    def __init__(self, where: Where, site: Callable[[str], Site]) -> None:
        """`site` gives the profile constants of a site's name (LookupError for an unknown one).

        Raises StoreUnavailableError when there is no store, SchemaError for another revision.
        """
        self._session, self._site = reading(where), site
        self._marks = _marks(where)
        self._kept: OrderedDict[int, tuple[ReportVersion, tuple[Document, ...]]] = OrderedDict()
        self._kept_bytes = 0
        self._fresh: set[int] = set()  # of those kept: not yet compared with what the store holds

    @classmethod
    def open(cls, where: Where, site: Callable[[str], Site]) -> "StoreReader":
        return cls(where, site)

    def close(self) -> None:
        self._session.close()
        if self._marks is not None:
            self._marks.close()

    def begin(self, task: Task) -> bool:
        """See `ports.WorkReader`. Without leases (SQLite) nobody else can have it."""
        return self._marks is None or self._marks.begin(task)

    def version(self, version_id: int) -> tuple[ReportVersion, tuple[Blob, ...]]:
        """See `ports.WorkReader`; the blobs are the attachments and the received CDA of the version."""
        self._make_room()
        with self._readable():
            version = self._version(version_id)
            names = dict.fromkeys(attachment.sha256 for attachment in version.report.attachments)
            if version.context.received_document:
                names[version.context.received_document] = None
            return version, tuple(self._blob(sha256) for sha256 in names)

    def produced(self, version: ReportVersion, documents: tuple[Document, ...]) -> None:
        """See `ports.WorkReader`."""
        self._forget(version.version_id)
        if documents and sum(len(one.data) for one in documents) <= FRESH:
            self._make_room()
            self._keep(version, documents)
            self._fresh.add(version.version_id)

    def job(self, delivery_id: int, attempt: int) -> DeliveryJob:
        """See `ports.WorkReader`; LookupError also when the delivery may not be sent any more (cancelled)."""
        with self._readable():
            row = self._session.row(work.JOB, {"delivery_id": delivery_id})
            if row is None or DeliveryState(row[6]) not in _SENDABLE:
                raise LookupError(f"delivery {delivery_id} is not to be sent")
            version_id, report_id, destination, lane_recipient, recipient, action, state, reason, *rest = row
            preceded, recalled = map(bool, rest)
            lane = {
                "report_id": report_id,
                "destination": destination,
                "lane_recipient": lane_recipient,
                "delivery_id": delivery_id,
            }
            if action == Action.DELETE and destination != Destination.ZAM:
                placed = Action.DELETE
                version, documents, remote_ids = self._withdrawal(version_id, lane)
            else:
                placed, remote_ids = self._place(Action(action), lane) if preceded else (Action(action), ())
                version, documents = self._made(version_id)
            return DeliveryJob(
                delivery_id=delivery_id,
                destination=Destination(destination),
                action=placed,
                version=version,
                documents=documents,
                attempt=attempt,
                recipient=decode(recipient.encode(), Recipient) if recipient is not None else None,
                previous_remote_ids=remote_ids,
                unanswered=attempt > 1 and left(self._session, delivery_id),
                recalled=recalled,
                forbidden=forbidden(state, destination, reason),
                acknowledges=told(self._session, delivery_id) if destination == Destination.ZAM else None,
            )

    def _place(self, action: Action, lane: dict[str, Any]) -> tuple[Action, tuple[tuple[str, str], ...]]:
        """The action in the light of the lane, and what the peer named for the version before.

        A replacement whose predecessors here were all cancelled or refused has nothing to replace at the
        peer: it goes as a creation (architecture decision 13). Without any predecessor the original came
        from elsewhere: it stays a replacement. Of an outcome, not of a state: what was cancelled while it
        was being sent may have arrived.
        """
        before = self._session.rows(named.PREDECESSORS, lane)
        for _, made, outcome, *_ in before:
            last = decode(outcome.encode(), Outcome) if outcome is not None else None
            if last is not None and last.kind is OutcomeKind.DELIVERED:
                ids = last.remote_ids if made != Action.DELETE else ()
                return place(action, ((Action(made), True),)), ids
        return place(
            action, ((Action(made), left(self._session, number)) for number, made, *_ in reversed(before))
        ), ()

    def _withdrawal(
        self, version_id: int, lane: dict[str, Any]
    ) -> tuple[ReportVersion, tuple[Document, ...], RemoteIds]:
        """What left in the lane, under the ids and in the name of the version that withdraws it.

        It is described as it left: were it hidden from the patient since, the patient who has it would never
        hear that it is wrong.
        """
        gone_id, remote_ids = to_delete(self._session, lane)
        own = self._version(version_id)
        gone, documents = self._made(gone_id)
        identity = replace(own.identity, document_id=gone.identity.document_id, set_id=gone.identity.set_id)
        shown = {mask: getattr(gone.context.flags, mask) for mask in MASKS}
        context = replace(own.context, flags=replace(own.context.flags, **shown))
        return replace(own, identity=identity, report=gone.report, context=context), documents, remote_ids

    def _made(self, version_id: int) -> tuple[ReportVersion, tuple[Document, ...]]:
        """A version with its documents; both never change once there are documents."""
        known = self._kept.get(version_id)
        if known is not None and version_id in self._fresh and not self._confirmed(*known):
            self._forget(version_id)
            known = None
        if known is not None:
            self._kept.move_to_end(version_id)
            return known
        self._make_room()
        made = self._version(version_id), self._documents(version_id)
        if made[1]:
            self._keep(*made)
        return made

    def _confirmed(self, version: ReportVersion, documents: tuple[Document, ...]) -> bool:
        """The store holds these: another worker may have made others, and was faster."""
        rows = self._session.rows(work.DOCUMENT_HASHES, {"version_id": version.version_id})
        self._fresh.discard(version.version_id)
        return [sha256 for (sha256,) in rows] == [one.sha256 for one in documents]

    def _keep(self, version: ReportVersion, documents: tuple[Document, ...]) -> None:
        made = self._kept[version.version_id] = (version, documents)
        self._kept_bytes += _size(made)

    def _forget(self, version_id: int) -> None:
        gone = self._kept.pop(version_id, None)
        if gone is not None:
            self._kept_bytes -= _size(gone)
            self._fresh.discard(version_id)

    def _make_room(self) -> None:
        """Before anything is read: the last one may be larger than the limit, but not beside another."""
        while self._kept_bytes > KEPT_BYTES:
            self._forget(next(iter(self._kept)))

    def _version(self, version_id: int) -> ReportVersion:
        row = self._session.row(work.VERSION, {"version_id": version_id})
        if row is None:
            raise LookupError(f"no report version {version_id}")
        _, identity, report, context = row
        fixed = decode(identity.encode(), VersionIdentity)
        try:
            site = self._site(fixed.site)
        except LookupError:
            raise SiteUnknownError(fixed.site) from None
        return ReportVersion(
            version_id=version_id,
            identity=fixed,
            report=decode(report.encode(), ImagingReport),
            context=decode(context.encode(), SubmissionContext),
            site=site,
        )

    def _documents(self, version_id: int) -> tuple[Document, ...]:
        return tuple(
            Document(kind=DocumentKind(kind), sha256=sha256, media_type=media_type, title=title, data=data)
            for kind, sha256, media_type, title, data in self._session.rows(
                work.DOCUMENTS, {"version_id": version_id}
            )
        )

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except self._session.faults.of_service as fault:
            raise StoreUnavailableError(f"the store cannot be read: {fault}") from fault

    def _blob(self, sha256: str) -> Blob:
        row = self._session.row(named.ARTIFACT, {"sha256": sha256})
        if row is None:
            raise LookupError(f"no artifact {sha256}")
        return Blob(sha256=sha256, media_type=row[0], data=row[1])


def _size(made: tuple[ReportVersion, tuple[Document, ...]]) -> int:
    return sum(len(document.data) for document in made[1])


def _marks(where: Where) -> "Marks | None":
    if not isinstance(where, str):
        return None
    from gateway.store.marks import Marks

    return Marks(where)
