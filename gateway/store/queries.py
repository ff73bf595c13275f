"""`ports.Queries`: what API, CLI and metrics read, as JSON-ready rows. Never writes."""

import json
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import Any

import msgspec

from gateway.model.delivery import DeliveryState, Destination
from gateway.model.findings import Finding
from gateway.ports import Overdue, Row
from gateway.store import identities, judgement, listings, nodes, orders, shown, trail, worklist
from gateway.store import statements as named
from gateway.store.figures import Figures
from gateway.store.moments import iso, to_micros
from gateway.store.place import Where

_FIRST_PAGE = 1 << 62
_DIGITS = 18
"""Of the largest number that every engine can hold."""


def _findings(row: tuple[Any, ...]) -> tuple[Finding, ...]:
    """Those of a message, the last column of its row."""
    return msgspec.json.decode(row[-1], type=tuple[Finding, ...])


class StoreQueries(Figures):
    """Reads beside a running server. Any thread may call; calls wait for each other."""

    @classmethod
    def open(cls, where: Where) -> "StoreQueries":
        """Raises StoreUnavailableError when there is no store, SchemaError for another revision."""
        return cls(where)

    def audit(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: int = 0,
        limit: int = 50,
        **asked: Any,
    ) -> list[Row]:
        """The audit trail, newest first; `asked`: `trail.Wanted`."""
        wanted = trail.Wanted(
            **asked,
            since=0 if since is None else to_micros(since.astimezone(UTC)),
            until=0 if until is None else to_micros(until.astimezone(UTC)),
        )
        with self._lock:
            return trail.listed(self._session, wanted, cursor=cursor, limit=limit)

    # --- orders and identities

    def orders(self, *, site: str = "", status: str = "", cursor: int = 0, limit: int = 50) -> list[Row]:
        with self._lock:
            return orders.listed(
                self._session, site=site, status=status, cursor=cursor or _FIRST_PAGE, limit=limit
            )

    def order(self, identifier: int) -> Row | None:
        with self._lock:
            return orders.one(self._session, identifier)

    def identities(self, *, site: str, number: str = "", cursor: str = "", limit: int = 50) -> list[Row]:
        with self._lock:
            return identities.listed(self._session, site=site, number=number, cursor=cursor, limit=limit)

    # --- messages

    def messages(
        self, *, state: str = "", control_id: str = "", site: str = "", cursor: int = 0, limit: int = 50
    ) -> list[Row]:
        params = {
            "state": state,
            "control_id": control_id,
            "site": site,
            "cursor": cursor or _FIRST_PAGE,
            "most": limit,
        }
        statement = (
            listings.MESSAGES_BY_CONTROL_ID
            if control_id
            else listings.MESSAGES_BY_STATE
            if state
            else listings.MESSAGES_BY_SITE
            if site
            else listings.MESSAGES
        )
        with self._lock:
            listed = self._session.rows(statement, params)
            return [self._listed(self._message(row), _findings(row)) for row in listed]

    def message(self, identifier: int) -> Row | None:
        with self._lock:
            row = self._session.row(listings.MESSAGE, {"message_id": identifier})
            if row is None:
                return None
            deliveries = self._session.rows(listings.DELIVERIES_OF_MESSAGE, {"message_id": identifier})
            reports = self._session.rows(listings.REPORTS_OF_MESSAGE, {"message_id": identifier})
            return self._message(row) | {
                "findings": [judgement.as_row(found) for found in _findings(row)],
                "reports": [
                    {
                        "id": str(number),
                        "set_key": set_key,
                        "status": status,
                        "verdict": verdict,
                        "version": version,
                    }
                    for number, set_key, status, verdict, version in reports
                ],
                "judgements": judgement.of_message(self._session, identifier),
                "deliveries": [shown.delivery(one) for one in deliveries],
            }

    def raw(self, identifier: int) -> bytes | None:
        """The bytes as received."""
        return self._bytes(listings.RAW, identifier)

    def answer(self, identifier: int) -> bytes | None:
        """The bytes that were answered."""
        return self._bytes(listings.ANSWER, identifier)

    def _bytes(self, statement: Any, identifier: int) -> bytes | None:
        with self._lock:
            row = self._session.row(statement, {"message_id": identifier})
        return None if row is None else bytes(row[0])

    @staticmethod
    def _listed(row: Row, findings: tuple[Finding, ...]) -> Row:
        return row | {"finding": shown.gravest(findings, row["state"])}

    def _message(self, row: tuple[Any, ...]) -> Row:
        reports = self._session.rows(listings.REPORTS_OF_MESSAGE, {"message_id": row[0]})
        return dict(zip(shown.MESSAGE_FIELDS, row[:-1], strict=True)) | {
            "received_at": iso(row[1]),
            "report_ids": [str(number) for number, *_ in reports],
        }

    def unvalidated(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        radiologist: str = "",
        cursor: int = 0,
        limit: int = 50,
    ) -> list[Row]:
        """Reports that wait for their validation, in the order in which they came."""
        with self._lock:
            return worklist.listed(
                self._session, since=since, until=until, radiologist=radiologist, cursor=cursor, limit=limit
            )

    def overdue(self, before: datetime) -> list[Overdue]:
        """What has waited for its validation since before that time, by radiologist."""
        with self._lock:
            return worklist.overdue(self._session, before)

    # --- reports and documents

    def report(self, identifier: str) -> Row | None:
        if not identifier.isdecimal() or len(identifier) > _DIGITS:
            return None
        with self._lock:
            key = {"report_id": int(identifier)}
            row = self._session.row(listings.REPORT, key)
            if row is None:
                return None
            number, site, set_key, status, version, _, document_id, created_at, updated_at = row
            return {
                "id": str(number),
                "site": site,
                "set_key": set_key,
                "status": status,
                "version": version,
                "document_id": document_id,
                "created_at": iso(created_at),
                "updated_at": iso(updated_at),
                "versions": [
                    self._version(one) for one in self._session.rows(listings.VERSIONS_OF_REPORT, key)
                ],
                "deliveries": [
                    shown.delivery(one) for one in self._session.rows(listings.DELIVERIES_OF_REPORT, key)
                ],
            }

    def _version(self, row: tuple[Any, ...]) -> Row:
        number, version, status, message_id, created_at, context = row
        documents = self._session.rows(listings.DOCUMENTS_OF_VERSION, {"version_id": number})
        return {
            "id": number,
            "number": version,
            "status": status,
            "message_id": message_id,
            "created_at": iso(created_at),
            "masks": shown.masks(context),
            "documents": [dict(zip(shown.DOCUMENT_FIELDS, one, strict=True)) for one in documents],
            "judgement": judgement.of_version(self._session, number),
        }

    def artifact(self, sha256: str) -> tuple[str, bytes] | None:
        """(media type, bytes) of a produced or received artefact."""
        with self._lock:
            row = self._session.row(named.ARTIFACT, {"sha256": sha256})
        return None if row is None else (row[0], bytes(row[1]))

    # --- deliveries

    def deliveries(
        self, *, state: str = "", destination: str = "", cursor: int = 0, limit: int = 50
    ) -> list[Row]:
        params: dict[str, Any] = {"cursor": cursor or _FIRST_PAGE, "most": limit}
        kinds = [destination] if destination else [kind.value for kind in Destination]
        states = [state] if state else [one.value for one in DeliveryState]
        with self._lock:
            if not state and not destination:
                rows = self._session.rows(listings.DELIVERIES, params)
            else:
                pages = [
                    self._session.rows(
                        listings.DELIVERIES_BY_STATE, params | {"state": one, "destination": kind}
                    )
                    for kind in kinds
                    for one in states
                ]
                rows = list(islice(merge(*pages, key=lambda row: -row[0]), limit))
        return [shown.delivery(row) for row in rows]

    def delivery(self, identifier: int) -> Row | None:
        """One delivery with its attempts."""
        with self._lock:
            key = {"delivery_id": identifier}
            row = self._session.row(listings.DELIVERY, key)
            if row is None:
                return None
            attempts = self._session.rows(listings.ATTEMPTS, key)
        return shown.delivery(row) | {
            "attempts_made": [
                {
                    "number": number,
                    "started_at": iso(started_at),
                    "ended_at": iso(ended_at),
                    "outcome": json.loads(outcome),
                }
                for number, started_at, ended_at, outcome in attempts
            ]
        }

    # --- nodes

    def nodes(self) -> list[Row]:
        """Every gateway that ever served this store, on PostgreSQL: `nodes.listed`; none on SQLite."""
        if self._session.dialect.name == "sqlite":
            return []
        with self._lock:
            return nodes.listed(self._session)
