"""What the pipeline needs from outside, as protocols: store, clock, senders. `service` joins them."""

from gateway.ports.intake import (
    Clock,
    Conclusion,
    DeliveryChange,
    IntakeStore,
    Known,
    OrderEntry,
    Receipt,
    Received,
    Settled,
    StoreUnavailableError,
)
from gateway.ports.operation import Operator, Overdue, Purged, Queries, Row
from gateway.ports.work import (
    Produced,
    Sender,
    Settlement,
    Task,
    Validator,
    ValidatorUnavailableError,
    WorkReader,
    WorkStore,
)

__all__ = [
    "Clock",
    "Conclusion",
    "DeliveryChange",
    "IntakeStore",
    "Known",
    "Operator",
    "OrderEntry",
    "Overdue",
    "Produced",
    "Purged",
    "Queries",
    "Receipt",
    "Received",
    "Row",
    "Sender",
    "Settled",
    "Settlement",
    "StoreUnavailableError",
    "Task",
    "Validator",
    "ValidatorUnavailableError",
    "WorkReader",
    "WorkStore",
]
