"""What a store says of itself as a whole: queues, counts, whether the ledger adds up. Never writes."""

import threading
from datetime import datetime
from itertools import islice

from gateway.model.delivery import REPEATABLE, DeliveryState, Destination
from gateway.ports import Row
from gateway.store import audit, listings
from gateway.store.moments import from_micros
from gateway.store.place import Where, reading

_QUEUED = (DeliveryState.PLANNED, DeliveryState.PENDING, DeliveryState.WAITING)
_PROBLEMS = 20
"""At most so many of each kind are told."""


class Figures:
    """Of the store at `where`. Any thread may call; calls wait for each other."""

    def __init__(self, where: Where) -> None:
        """Raises StoreUnavailableError when there is no store, SchemaError for another revision."""
        self._session, self._lock = reading(where), threading.Lock()

    def close(self) -> None:
        self._session.close()

    def delivery_counts(self) -> list[tuple[str, str, int]]:
        with self._lock:
            rows = self._session.rows(listings.DELIVERY_COUNTS, {})
        return [(destination, state, count) for destination, state, count in rows]

    def queues(self) -> list[tuple[str, int, datetime]]:
        """(destination, how many go by themselves, since when the oldest may go); none that is empty."""
        found = []
        with self._lock:
            for kind in Destination:
                queued = (*_QUEUED, DeliveryState.AMBIGUOUS) if kind in REPEATABLE else _QUEUED
                numbers = [self._standing(kind, state) for state in queued]
                if any(numbers):
                    since = (
                        self._session.row(listings.DUE_SINCE, {"destination": kind, "state": state})
                        for state, number in zip(queued, numbers, strict=True)
                        if number
                    )
                    oldest = min(row[0] for row in since if row is not None)
                    found.append((kind.value, sum(numbers), from_micros(oldest)))
        return found

    def stuck(self) -> list[tuple[str, str, int]]:
        """(destination, state, how many) of what nobody but a person can move on; none that is empty."""
        with self._lock:
            counted = (
                (kind.value, state.value, self._standing(kind, state))
                for kind in Destination
                for state in (DeliveryState.FAILED, DeliveryState.AMBIGUOUS)
                if state is DeliveryState.FAILED or kind not in REPEATABLE  # those are tried again
            )
            return [one for one in counted if one[2]]

    def _standing(self, destination: Destination, state: DeliveryState) -> int:
        row = self._session.row(listings.QUEUE, {"destination": destination, "state": state})
        return row[0] if row is not None else 0

    def message_counts(self) -> dict[str, int]:
        """Messages by state."""
        with self._lock:
            return dict(self._session.rows(listings.MESSAGE_COUNTS, {}))

    def balance(self) -> Row:
        """Deliveries owed by all versions, rows of the ledger, and their sum by state; reads everything."""
        counts = self.delivery_counts()
        with self._lock:
            owed_row = self._session.row(listings.OWED, {})
        owed = owed_row[0] if owed_row else 0
        states: dict[str, int] = {}
        for destination, state, count in counts:
            if destination == Destination.ZAM:
                continue  # owed by the end of another delivery, not by the version
            states[state] = states.get(state, 0) + count
        rows = sum(states.values())
        return {"owed": owed, "rows": rows, "states": states, "balanced": owed == rows}

    def balanced(self) -> bool:
        """As many rows in the ledger as deliveries are owed; reads everything, at one moment."""
        with self._lock:
            row = self._session.row(listings.BALANCED, {})
        return bool(row and row[0])

    def problems(self) -> list[str]:
        """What does not add up in the ledger, one sentence each; empty when all is well."""
        with self._lock:
            damaged = self._session.damage(5)
            gaps = self._session.rows(listings.UNBALANCED, {"most": _PROBLEMS})
            lost = self._session.rows(listings.WITHOUT_REPORT, {"most": _PROBLEMS})
            untold = self._session.rows(listings.UNAUDITED, {"most": _PROBLEMS})
            chain = list(islice(audit.verify(self._session.stream(listings.AUDIT, {})), _PROBLEMS))
        return [
            *(f"database damaged: {text}" for text in damaged),
            *(
                f"report {report} version {number} owes {owed} deliveries but has {rows} rows"
                for report, number, owed, rows in gaps
            ),
            *(f"message {number} was taken but leads to no report" for (number,) in lost),
            *(f"message {number} is not in the audit trail" for (number,) in untold),
            *chain,
        ]
