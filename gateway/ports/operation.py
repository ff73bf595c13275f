"""What people see of the store, and what they change in it."""

from datetime import datetime
from typing import Any, NamedTuple, Protocol

from gateway.config import RetentionSettings
from gateway.model.delivery import DeliveryState, Destination

Row = dict[str, Any]
"""A row as API and CLI show it: JSON-ready, field names as in the tables."""


class Overdue(NamedTuple):
    """What a radiologist (PS_IdNat, "" for nobody named) has to validate, and since when the oldest waits."""

    radiologist: str
    number: int
    since: datetime


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

    def unvalidated(
        self, *, since: datetime | None, until: datetime | None, radiologist: str, cursor: int, limit: int
    ) -> list[Row]:
        """Reports that wait for their validation: report_id, site, set_key, status, version (the last
        validated one, 0 for none), radiologist, radiologist_name, accession, message_id, since, updated_at;
        `since` ≤ when it first came < `until`."""
        ...

    def deliveries(self, *, state: str, destination: str, cursor: int, limit: int) -> list[Row]:
        """id, destination, recipient, action, state, reason, attempts, next_try, outcome, report_id."""
        ...

    def delivery(self, identifier: int) -> Row | None:
        """A row of `deliveries` with `attempts_made` (number, started_at, ended_at, outcome)."""
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

    def audit(
        self,
        *,
        action: str = "",
        actor: str = "",
        message_id: int = 0,
        report_id: int = 0,
        delivery_id: int = 0,
        destination: str = "",
        patient: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: int = 0,
        limit: int = 50,
    ) -> list[Row]:
        """Rows of the audit trail with all that is asked for: id, at, action, actor, message_id, report_id,
        delivery_id, destination, result, patient (keyed hash), previous, hash."""
        ...

    def delivery_counts(self) -> list[tuple[str, str, int]]:
        """(destination, state, how many)."""
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
