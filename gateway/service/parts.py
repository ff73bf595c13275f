"""The parts of a node that follow from the settings alone: destinations, store, MLLP listener."""

from datetime import UTC, datetime
from uuid import uuid4

from gateway import hl7v2
from gateway.config import Settings
from gateway.connectors.inflight import Inflight
from gateway.connectors.mllp import MllpServer
from gateway.model.delivery import Destination
from gateway.model.findings import Finding
from gateway.pipeline.intake import Intake
from gateway.pipeline.mapper import Use
from gateway.pipeline.mappers import sensible
from gateway.ports import StoreUnavailableError
from gateway.reload import Prepared, StartError
from gateway.store import NodeError, SchemaError, Store, StoreLockedError, open_store

IN_HAND = 16
"""Deliveries of one destination that a worker has at a time: a quarter of its window. A peer that hangs
leaves room for the others."""


def enabled(settings: Settings) -> frozenset[Destination]:
    """The destinations that this configuration sends to."""
    chosen = set()
    if settings.folder_enabled:
        chosen.add(Destination.FOLDER)
    if settings.dmp.url:
        chosen.add(Destination.DMP)
    if settings.mssante.host:
        chosen |= {Destination.MSSANTE_PS, Destination.MSSANTE_PATIENT}
    return frozenset(chosen)


def store(settings: Settings) -> Store:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        return open_store(
            settings.database,
            settings.data_dir,
            lease=settings.store.lease,
            retry=settings.retry,
            per_destination=IN_HAND * max(1, settings.workers),
            recovering=True,
            min_free_bytes=settings.limits.min_free_bytes,
            acknowledging=bool(settings.zam.creators),
        )
    except (NodeError, OSError, SchemaError, StoreLockedError, StoreUnavailableError) as wrong:
        raise StartError(f"store: {wrong}") from None


def mappers(settings: Settings) -> int:
    wanted = settings.intake.mappers
    return sensible() if wanted is None else wanted


def profiles_of(settings: Settings) -> Use:
    return Use(sites_dir=str(settings.sites_dir or ""), site=settings.site)


def mllp(prepared: Prepared, intake: Intake, inflight: Inflight) -> MllpServer:
    async def handle(payload: bytes, peer: str) -> bytes:
        return await intake.take_hl7v2(payload, peer=peer)

    def refuse(head: bytes, problem: Finding) -> bytes:
        return hl7v2.refuse(head, problem, now=datetime.now(UTC), control_id=uuid4().hex[:20])

    settings = prepared.settings
    return MllpServer(
        handle,
        refuse,
        settings.mllp,
        limit=settings.limits.max_bytes,
        tls=prepared.mllp_tls,
        inflight=inflight,
    )


async def listen(server: MllpServer, settings: Settings) -> int:
    try:
        return await server.start(settings.mllp.host, settings.mllp.port)
    except OSError as wrong:
        raise StartError(f"mllp {settings.mllp.host}:{settings.mllp.port}: {wrong.strerror}") from None
