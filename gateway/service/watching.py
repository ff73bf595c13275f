"""What is looked at while a node runs: queues, destinations, certificates, disk, ledger."""

from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.config import Settings
from gateway.connectors.webhook import Webhook
from gateway.pipeline.dispatcher import Dispatcher
from gateway.pipeline.watch import Certificate, Stuck, Waiting, Watch
from gateway.reload import Configuration
from gateway.service import parts
from gateway.store import Store, StoreQueries, SystemClock


def watch(configuration: Configuration, store: Store, dispatcher: Dispatcher, clock: SystemClock) -> Watch:
    settings = configuration.settings
    queries = StoreQueries.open(settings.database)  # its own: a look must not wait for the API
    return Watch(
        settings.alerts,
        clock,
        queues=lambda: (Waiting(*row) for row in queries.queues()),
        condition=lambda: condition(store, dispatcher),
        certificates=lambda: certificates(configuration.settings),
        tell=Webhook(settings.alerts).tell if settings.alerts.webhook else None,
        balanced=queries.balanced,
        # Of all nodes one tells it: a radiologist is not to be told three times.
        overdue=lambda before: queries.overdue(before) if store.leads() else (),
        stuck=lambda: (Stuck(*row) for row in queries.stuck()),
        enabled=lambda: (one.value for one in parts.enabled(configuration.settings)),
    )


def certificates(settings: Settings) -> tuple[Certificate, ...]:
    """Every certificate of ours that ends one day, by its role."""
    return tuple(Certificate(role, end(path)) for role, path in certificate_files(settings))


def certificate_files(settings: Settings) -> tuple[tuple[str, Path], ...]:
    """(role, file)."""
    files = (
        ("mllp", settings.mllp.tls_certificate),
        ("http", settings.http.tls_certificate),
        ("dmp", settings.dmp.client_certificate),
        ("dmp cachet", settings.dmp.cachet_certificate),
        ("mssante", settings.mssante.client_certificate),
        *((f"zam {one.application}", one.client_certificate) for one in settings.zam.creators),
    )
    return tuple((role, path) for role, path in files if path is not None)


def end(path: Path) -> datetime | None:
    """Of the validity of a certificate (PEM); None when it cannot be read."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def condition(store: Store, dispatcher: Dispatcher) -> dict[str, Any]:
    """Of the delivery engine and the store; paused by hand counts like paused by settings."""
    status = dispatcher.status() | store.status()
    paused = status.pop("paused")
    return status | {"destinations": status["destinations"] | dict.fromkeys(paused, "paused")}
