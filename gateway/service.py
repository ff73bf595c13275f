"""The composition root: the only place that knows every room. One node = this process and its workers."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gateway import __version__, hl7v2
from gateway.config import Settings
from gateway.connectors import tls
from gateway.connectors.mllp import MllpServer
from gateway.connectors.webhook import Webhook
from gateway.model.delivery import Destination
from gateway.model.findings import Finding
from gateway.model.site import Site
from gateway.pipeline.dispatcher import Dispatcher
from gateway.pipeline.intake import Intake
from gateway.pipeline.mapper import Use
from gateway.pipeline.mappers import Mappers, sensible
from gateway.pipeline.production import produce
from gateway.pipeline.route import Inquiry, Route, WorkerParts
from gateway.pipeline.watch import Certificate, Waiting, Watch
from gateway.ports import StoreUnavailableError, Validator
from gateway.reload import Configuration, Prepared, StartError, load_profiles, prepare
from gateway.store import (
    NodeError,
    SchemaError,
    Store,
    StoreLockedError,
    StoreQueries,
    StoreReader,
    SystemClock,
    open_store,
)
from gateway.telemetry.memory import give_back

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger(__name__)

DRAIN_SECONDS = 20.0
"""How long a stop waits for messages and deliveries under way."""


def run(settings: Settings, read: Callable[[], Settings], announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP takes over what `read` gives then. Raises StartError."""
    give_back()
    asyncio.run(_serve(settings, read, announce))


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


async def _serve(settings: Settings, read: Callable[[], Settings], announce: Callable[[str], None]) -> None:
    stop, again = asyncio.Event(), asyncio.Event()
    for name, event in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, again)):
        asyncio.get_running_loop().add_signal_handler(name, event.set)
    prepared = prepare(settings)
    store = _store(settings)
    clock = SystemClock()
    configuration = Configuration(prepared, read, clock)
    dispatcher = Dispatcher(store, settings, clock)
    await dispatcher.start()  # workers load while this process loads its web framework
    store.subscribe(dispatcher.wake)
    mappers = Mappers(_mappers(settings), prepared.profiles, _profiles_of(settings))
    await mappers.start()
    intake = Intake(
        store,
        prepared.profiles,
        clock,
        environment=settings.environment,
        enabled=enabled(settings),
        read=mappers.read,
    )
    mllp = _mllp(prepared, intake)
    address = settings.data_dir / "http-address"  # for `gateway retry` and the like
    try:
        mllp_port = await _listen(mllp, settings)
        up = asyncio.Event()
        watch = _watch(configuration, store, dispatcher, clock)
        watching = asyncio.create_task(watch.run(), name="watch")
        http, http_socket = _http(configuration, intake, store, dispatcher, watch, up)
        serving = asyncio.create_task(http.serve(sockets=[http_socket]))
        await up.wait()
        gc.freeze()  # what is loaded now lives for ever: the collector need not look at it again
        announce(
            f"gateway {__version__} ready: mllp://{settings.mllp.host}:{mllp_port} "
            f"{'https' if settings.http.tls_certificate else 'http'}://{settings.http.host}:"
            f"{http_socket.getsockname()[1]} data {settings.data_dir}"
        )
        address.write_text(
            f"{'https' if settings.http.tls_certificate else 'http'}://"
            f"{http_socket.getsockname()[0]}:{http_socket.getsockname()[1]}\n"
        )
        live = partial(
            _apply,
            store=store,
            dispatcher=dispatcher,
            intake=intake,
            mappers=mappers,
            mllp=mllp,
            watch=watch,
        )
        reloading = asyncio.create_task(_reload(configuration, again, live), name="reload")
        await stop.wait()
        watching.cancel()
        reloading.cancel()
        await mllp.stop(DRAIN_SECONDS)
        http.should_exit = True
        await serving
    finally:
        await mllp.stop(0)
        await mappers.stop()
        await dispatcher.stop(DRAIN_SECONDS)
        await store.close()


async def _reload(
    configuration: Configuration, again: asyncio.Event, apply: Callable[[Prepared], Awaitable[None]]
) -> None:
    """One reload after the other; what is asked for meanwhile is done once."""
    while True:
        await again.wait()
        again.clear()
        try:
            await configuration.reload(apply)
        except Exception:
            log.exception("reload")


async def _apply(
    prepared: Prepared,
    *,
    store: Store,
    dispatcher: Dispatcher,
    intake: Intake,
    mappers: Mappers,
    mllp: MllpServer,
    watch: Watch,
) -> None:
    """Every part goes on with its connections, and takes the new values for what it begins from now on."""
    settings = prepared.settings
    store.configure(
        settings.retry,
        min_free_bytes=settings.limits.min_free_bytes,
        acknowledging=bool(settings.zam.creators),
    )
    mappers.use(prepared.profiles, _profiles_of(settings))
    intake.use(prepared.profiles, enabled(settings))
    mllp.reload(settings.mllp, prepared.mllp_tls)
    dispatcher.reload(settings)
    watch.configure(settings.alerts, Webhook(settings.alerts).tell if settings.alerts.webhook else None)


def _store(settings: Settings) -> Store:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        return open_store(
            settings.database,
            settings.data_dir,
            lease=settings.store.lease,
            retry=settings.retry,
            per_destination=8 * max(1, settings.workers),
            recovering=True,
            min_free_bytes=settings.limits.min_free_bytes,
            acknowledging=bool(settings.zam.creators),
        )
    except (NodeError, OSError, SchemaError, StoreLockedError, StoreUnavailableError) as wrong:
        raise StartError(f"store: {wrong}") from None


def _mappers(settings: Settings) -> int:
    wanted = settings.intake.mappers
    return sensible() if wanted is None else wanted


def _profiles_of(settings: Settings) -> Use:
    return Use(sites_dir=str(settings.sites_dir or ""), site=settings.site)


def _mllp(prepared: Prepared, intake: Intake) -> MllpServer:
    async def handle(payload: bytes, peer: str) -> bytes:
        return await intake.take_hl7v2(payload, peer=peer)

    def refuse(head: bytes, problem: Finding) -> bytes:
        return hl7v2.refuse(head, problem, now=datetime.now(UTC), control_id=uuid4().hex[:20])

    settings = prepared.settings
    return MllpServer(handle, refuse, settings.mllp, limit=settings.limits.max_bytes, tls=prepared.mllp_tls)


async def _listen(server: MllpServer, settings: Settings) -> int:
    try:
        return await server.start(settings.mllp.host, settings.mllp.port)
    except OSError as wrong:
        raise StartError(f"mllp {settings.mllp.host}:{settings.mllp.port}: {wrong.strerror}") from None


def _http(
    configuration: Configuration,
    intake: Intake,
    store: Store,
    dispatcher: Dispatcher,
    watch: Watch,
    up: asyncio.Event,
) -> "tuple[uvicorn.Server, socket.socket]":
    import uvicorn

    from gateway.web.application import application
    from gateway.web.auth import ensure_token

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # SIGTERM is ours: intake stops first, deliveries drain, then the store closes

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            up.set()

    def ready() -> tuple[bool, dict[str, Any]]:
        status = _condition(store, dispatcher)
        able = status["store"] == "up" and not status["disk_full"]
        taken = able and bool(status["alive"]) and bool(status["recovered"])
        return taken, status | configuration.status()

    settings = configuration.settings
    app = application(
        intake=intake,
        queries=StoreQueries.open(settings.database),
        token=ensure_token(settings.data_dir / "admin-token"),
        limit=settings.limits.max_bytes,
        ready=ready,
        operator=store,
        observe=watch.observe,
        retention=lambda: configuration.settings.retention,
    )
    listening = _bind(settings.http.host, settings.http.port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=int(DRAIN_SECONDS),
    )
    config.load()
    config.ssl = tls.changing(lambda: configuration.current.http_tls)
    return Server(config), listening


def _watch(configuration: Configuration, store: Store, dispatcher: Dispatcher, clock: SystemClock) -> Watch:
    settings = configuration.settings
    queries = StoreQueries.open(settings.database)  # its own: a look must not wait for the API
    return Watch(
        settings.alerts,
        clock,
        queues=lambda: (Waiting(*row) for row in queries.queues()),
        condition=lambda: _condition(store, dispatcher),
        certificates=lambda: certificates(configuration.settings),
        tell=Webhook(settings.alerts).tell if settings.alerts.webhook else None,
        balanced=queries.balanced,
    )


def certificates(settings: Settings) -> tuple[Certificate, ...]:
    """Every certificate of ours that ends one day, by its role."""
    files = (
        ("mllp", settings.mllp.tls_certificate),
        ("http", settings.http.tls_certificate),
        ("dmp", settings.dmp.client_certificate),
        ("dmp cachet", settings.dmp.cachet_certificate),
        ("mssante", settings.mssante.client_certificate),
    )
    return tuple(Certificate(role, _end(path)) for role, path in files if path is not None)


def _end(path: Path) -> datetime | None:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _condition(store: Store, dispatcher: Dispatcher) -> dict[str, Any]:
    """Of the delivery engine and the store; paused by hand counts like paused by settings."""
    status = dispatcher.status() | store.status()
    paused = status.pop("paused")
    return status | {"destinations": status["destinations"] | dict.fromkeys(paused, "paused")}


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as wrong:
        listening.close()
        raise StartError(f"http {host}:{port}: {wrong.strerror}") from None
    listening.set_inheritable(False)
    return listening


def worker_parts(settings: Settings) -> WorkerParts:
    """What a worker process needs: its own view of the store, the producer, one route per destination."""
    from gateway.connectors.folder import FolderSender
    from gateway.pipeline.destinations import folder

    routes: dict[Destination, Route] = {}
    if settings.folder_enabled:
        routes[Destination.FOLDER] = Route(folder.prepare, FolderSender(settings.outbox))
    if settings.dmp.url:
        routes[Destination.DMP] = _dmp_route(settings)
    if settings.mssante.host:
        route = _mssante_route(settings)
        routes |= {Destination.MSSANTE_PS: route, Destination.MSSANTE_PATIENT: route}
    if settings.zam.creators:
        routes[Destination.ZAM] = _zam_route(settings)
    profiles = load_profiles(settings)

    def site(name: str) -> Site:
        return profiles.named(name).site

    return WorkerParts(
        reader=StoreReader.open(settings.database, site),
        produce=partial(produce, convert_pdf=settings.pdf.convert),
        routes=routes,
        validator=_validator(settings),
    )


def _validator(settings: Settings) -> Validator | None:
    """The official rules, where a kit is configured; a worker starts them with its first document."""
    if settings.validation.kit is None:
        return None
    from gateway.connectors.validator import RulesValidator
    from gateway.pipeline.valuesets import ValueSetRules

    return ValueSetRules(RulesValidator(settings.validation), settings.validation.kit)


def _dmp_route(settings: Settings) -> Route:
    from gateway.connectors.dmp import DmpSender
    from gateway.dmp import resolve
    from gateway.pipeline.destinations import dmp

    certificate, key = settings.dmp.cachet_certificate, settings.dmp.cachet_key
    assert certificate is not None, "checked at the start"
    assert key is not None, "checked at the start"
    files, sender = dmp.CachetFiles(certificate, key), DmpSender(settings.dmp)
    registry = settings.dmp.registry
    return Route(
        lambda job: dmp.prepare(
            job,
            cachet=files.current(),
            url=settings.dmp.url,
            registry=registry,
            now=datetime.now(UTC),
            ids=uuid4,
        ),
        sender,
        concurrency=settings.dmp.concurrency,
        inquiry=Inquiry(
            lambda job: dmp.question(
                job, cachet=files.current(), url=registry, now=datetime.now(UTC), ids=uuid4
            ),
            sender.ask,
            resolve,
        ),
    )


def _mssante_route(settings: Settings) -> Route:
    from gateway.connectors.smtp import SmtpSender
    from gateway.pipeline.destinations import mssante

    limit = settings.mssante.max_bytes
    return Route(lambda job: mssante.prepare(job, patient_limit=limit), SmtpSender(settings.mssante))


def _zam_route(settings: Settings) -> Route:
    from gateway.connectors.zam import ZamSender
    from gateway.pipeline.destinations import zam

    return Route(
        lambda job: zam.prepare(job, settings=settings.zam, now=datetime.now(UTC)), ZamSender(settings.zam)
    )
