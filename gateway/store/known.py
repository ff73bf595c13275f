"""What the rules may know of report sets, orders, identities: read inside the intake's transaction."""

from typing import NamedTuple

from gateway.model.base import decode
from gateway.model.decision import KnownReport, PlannedDelivery
from gateway.model.identity import IdentityRecord, KeptReport
from gateway.model.order import KnownOrder
from gateway.model.report import ImagingReport, ReportStatus
from gateway.model.terms import Identifier
from gateway.store import identities, orders
from gateway.store import statements as named
from gateway.store.moments import from_micros
from gateway.store.session import Session
from gateway.store.supersede import Withdraw
from gateway.store.withdrawal import sent


class SetRow(NamedTuple):
    """The row of a report set; `updated_at` in microseconds."""

    id: int
    status: ReportStatus
    version: int
    content_hash: str
    document_id: str
    updated_at: int


class KnownReports:
    """`ports.Known`; report sets that this transaction read or wrote are read once."""

    def __init__(self, session: Session, withdraw: Withdraw) -> None:
        self._session, self._withdraw = session, withdraw
        self._rows: dict[tuple[str, str], SetRow | None] = {}

    def row(self, site: str, set_key: str) -> SetRow | None:
        key = (site, set_key)
        if key not in self._rows:
            found = self._session.row(named.REPORT_OF_SET, {"site": site, "set_key": set_key})
            self._rows[key] = SetRow(found[0], ReportStatus(found[1]), *found[2:]) if found else None
        return self._rows[key]

    def forget(self, site: str, set_key: str) -> None:
        self._rows.pop((site, set_key), None)

    def report(self, site: str, set_key: str) -> KnownReport | None:
        row = self.row(site, set_key)
        if row is None:
            return None
        return KnownReport(
            report_id=str(row.id),
            status=row.status,
            version=row.version,
            content_hash=row.content_hash,
            document_id=row.document_id,
            changed_at=from_micros(row.updated_at),
        )

    def current(self, site: str, set_key: str) -> ImagingReport | None:
        row = self.row(site, set_key)
        if row is None or not row.version:
            return None
        found = self._session.row(named.CURRENT, {"report_id": row.id, "number": row.version})
        # A report that the retention policy let go has no content any more.
        return decode(found[0].encode(), ImagingReport) if found is not None and found[0] else None

    def sent(self, site: str, set_key: str) -> tuple[PlannedDelivery, ...]:
        row = self.row(site, set_key)
        return sent(self._session, row.id, self._withdraw) if row is not None else ()

    def kept(self, site: str, set_key: str) -> KeptReport | None:
        row = self.row(site, set_key)
        if row is None or not row.version:
            return None
        return identities.kept(self._session, row.id, set_key, row.version)

    def set_of(self, site: str, document_id: str) -> str:
        row = self._session.row(named.SET_OF_DOCUMENT, {"site": site, "document_id": document_id})
        return str(row[0]) if row is not None else ""

    def has_orders(self, site: str) -> bool:
        return orders.any_known(self._session, site)

    def has_identities(self, site: str) -> bool:
        return identities.any_known(self._session, site)

    def orders(self, site: str, keys: tuple[str, ...]) -> tuple[KnownOrder, ...]:
        return orders.known(self._session, site, keys)

    def identity(self, site: str, identifier: Identifier) -> IdentityRecord | None:
        return identities.known(self._session, site, identifier)

    def waiting(self, site: str, identifiers: tuple[Identifier, ...]) -> tuple[KeptReport, ...]:
        return identities.waiting(self._session, site, identifiers)
