"""`ports.WorkReader` for a worker: its own read-only connection, so that the writer never waits for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.model.base import decode
from gateway.model.delivery import DELIVERY_TRANSITIONS as _TABLE
from gateway.model.delivery import DeliveryEvent, DeliveryState, Destination, Outcome
from gateway.model.report import ImagingReport
from gateway.model.site import Site
from gateway.model.submission import Action, Blob, Recipient, SubmissionContext
from gateway.model.version import DeliveryJob, Document, DocumentKind, ReportVersion, VersionIdentity
from gateway.store import statements as named
from gateway.store.connection import check_revision, connect_reader
from gateway.store.session import Session

_SENDABLE = frozenset(state for state, events in _TABLE.items() if DeliveryEvent.CLAIMED in events)


class SqliteReader:
    """Versions and jobs, for one thread at a time."""

    def __init__(self, path: Path, site: Callable[[str], Site]) -> None:
        """`site` gives the profile constants of a site's name (LookupError for an unknown one).

        Raises sqlite3.OperationalError when there is no store, SchemaError for another revision.
        """
        self._connection = connect_reader(path)
        check_revision(self._connection)
        self._session, self._site = Session(self._connection), site

    @classmethod
    def open(cls, path: Path, site: Callable[[str], Site]) -> "SqliteReader":
        return cls(path, site)

    def close(self) -> None:
        self._connection.close()

    def version(self, version_id: int) -> tuple[ReportVersion, tuple[Blob, ...]]:
        """See `ports.WorkReader`; the blobs are the attachments and the received CDA of the version."""
        version = self._version(version_id)
        names = dict.fromkeys(attachment.sha256 for attachment in version.report.attachments)
        if version.context.received_document:
            names[version.context.received_document] = None
        return version, tuple(self._blob(sha256) for sha256 in names)

    def job(self, delivery_id: int, attempt: int) -> DeliveryJob:
        """See `ports.WorkReader`; also LookupError when the delivery may not be sent any more (cancelled)."""
        row = self._session.row(named.JOB, {"delivery_id": delivery_id})
        if row is None or DeliveryState(row[6]) not in _SENDABLE:
            raise LookupError(f"delivery {delivery_id} is not to be sent")
        version_id, report_id, destination, lane_recipient, recipient, action, _ = row
        lane = {
            "report_id": report_id,
            "destination": destination,
            "lane_recipient": lane_recipient,
            "delivery_id": delivery_id,
        }
        action, remote_ids = self._place(Action(action), lane)
        return DeliveryJob(
            delivery_id=delivery_id,
            destination=Destination(destination),
            action=action,
            version=self._version(version_id),
            documents=self._documents(version_id),
            attempt=attempt,
            recipient=decode(recipient.encode(), Recipient) if recipient is not None else None,
            previous_remote_ids=remote_ids,
        )

    def _place(self, action: Action, lane: dict[str, Any]) -> tuple[Action, tuple[tuple[str, str], ...]]:
        """The action in the light of the lane, and what the peer named for the version before.

        A replacement whose predecessors here were all cancelled or refused has nothing to replace at the
        peer: it goes as a creation (architecture decision 13). Without any predecessor the original came
        from elsewhere: it stays a replacement.
        """
        before = self._session.rows(named.PREDECESSORS, lane)
        for state, outcome in before:
            if state == DeliveryState.DELIVERED and outcome is not None:
                return action, decode(outcome.encode(), Outcome).remote_ids
        if before and action is Action.REPLACE:
            return Action.CREATE, ()
        return action, ()

    def _version(self, version_id: int) -> ReportVersion:
        row = self._session.row(named.VERSION, {"version_id": version_id})
        if row is None:
            raise LookupError(f"no report version {version_id}")
        _, identity, report, context = row
        fixed = decode(identity.encode(), VersionIdentity)
        return ReportVersion(
            version_id=version_id,
            identity=fixed,
            report=decode(report.encode(), ImagingReport),
            context=decode(context.encode(), SubmissionContext),
            site=self._site(fixed.site),
        )

    def _documents(self, version_id: int) -> tuple[Document, ...]:
        return tuple(
            Document(kind=DocumentKind(kind), sha256=sha256, media_type=media_type, title=title, data=data)
            for kind, sha256, media_type, title, data in self._session.rows(
                named.DOCUMENTS, {"version_id": version_id}
            )
        )

    def _blob(self, sha256: str) -> Blob:
        row = self._session.row(named.ARTIFACT, {"sha256": sha256})
        if row is None:
            raise LookupError(f"no artifact {sha256}")
        return Blob(sha256=sha256, media_type=row[0], data=row[1])
