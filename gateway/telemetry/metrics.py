"""Prometheus metrics. Labels are closed sets (states, destinations), never identifiers."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()

MESSAGES = Counter(
    "gateway_messages",
    "Messages received, by protocol and state",
    ("protocol", "state"),
    registry=REGISTRY,
)
ACKNOWLEDGE_SECONDS = Histogram(
    "gateway_acknowledge_seconds",
    "From the last byte of a message to its answer",
    ("protocol",),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
CONNECTIONS = Gauge("gateway_mllp_connections", "Open MLLP connections", registry=REGISTRY)
REFUSED_CONNECTIONS = Counter(
    "gateway_mllp_refused_connections",
    "MLLP connections refused, or closed while idle to make room",
    ("reason",),
    registry=REGISTRY,
)
FRAMING_FAULTS = Counter(
    "gateway_mllp_framing_faults",
    "Bytes outside frames, truncated and oversized frames",
    ("fault",),
    registry=REGISTRY,
)
ATTEMPTS = Counter(
    "gateway_delivery_attempts",
    "Delivery attempts, by destination and outcome",
    ("destination", "outcome"),
    registry=REGISTRY,
)
COMMIT_SECONDS = Histogram(
    "gateway_store_commit_seconds",
    "One group commit of the store, fsync included",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=REGISTRY,
)
RETRIES = Counter(
    "gateway_delivery_retries",
    "Attempts beyond the first, by destination",
    ("destination",),
    registry=REGISTRY,
)
QUEUE = Gauge(
    "gateway_queue",
    "Deliveries that are still to be made, by destination",
    ("destination",),
    registry=REGISTRY,
)
QUEUE_AGE = Gauge(
    "gateway_queue_age_seconds",
    "Age of the oldest delivery that is still to be made, by destination",
    ("destination",),
    registry=REGISTRY,
)
GATE = Gauge(
    "gateway_destination_state",
    "1 for the present state of a destination: working, probing, open (its circuit) or paused",
    ("destination", "state"),
    registry=REGISTRY,
)
FREE_BYTES = Gauge("gateway_disk_free_bytes", "Free bytes of the data folder's disk", registry=REGISTRY)
ALERTS = Gauge("gateway_alerts", "Alerts that are open now, by kind", ("kind",), registry=REGISTRY)
DELIVERIES = Gauge(
    "gateway_deliveries", "Deliveries now in each state", ("destination", "state"), registry=REGISTRY
)
_STATES_SEEN: set[tuple[str, str]] = set()


def deliveries(counts: Iterable[tuple[str, str, int]]) -> None:
    """(destination, state, how many) of now; a state that has none any more stands at 0."""
    present = {(destination, state): count for destination, state, count in counts}
    _STATES_SEEN.update(present)
    for labels in tuple(_STATES_SEEN):
        DELIVERIES.labels(*labels).set(present.get(labels, 0))


def exposition() -> bytes:
    """The text format that Prometheus scrapes."""
    return generate_latest(REGISTRY)
