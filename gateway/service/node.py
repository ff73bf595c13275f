"""One node: started, reloaded, stopped."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial

from gateway import __version__
from gateway.config import Settings, at
from gateway.connectors.inflight import Inflight
from gateway.connectors.mllp import MllpServer
from gateway.connectors.webhook import Webhook
from gateway.pipeline.dispatcher import Dispatcher
from gateway.pipeline.intake import Intake
from gateway.pipeline.mappers import Mappers
from gateway.pipeline.watch import Watch
from gateway.reload import Configuration, Prepared, prepare
from gateway.service import parts
from gateway.service.http import DRAIN_SECONDS
from gateway.service.http import server as http_server
from gateway.service.purging import purge_daily
from gateway.service.watching import watch as make_watch
from gateway.store import Store, SystemClock
from gateway.telemetry.memory import give_back

log = logging.getLogger(__name__)


def run(settings: Settings, read: Callable[[], Settings], announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP takes over what `read` gives then. Raises StartError."""
    give_back()
    asyncio.run(_serve(settings, read, announce))


async def _serve(settings: Settings, read: Callable[[], Settings], announce: Callable[[str], None]) -> None:
    stop, again = asyncio.Event(), asyncio.Event()
    for name, event in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, again)):
        asyncio.get_running_loop().add_signal_handler(name, event.set)
    prepared = prepare(settings)
    store = parts.store(settings)
    clock = SystemClock()
    configuration = Configuration(prepared, read, clock)
    dispatcher = Dispatcher(store, settings, clock)
    await dispatcher.start()  # workers load while this process loads its web framework
    store.subscribe(dispatcher.wake)
    mappers = Mappers(parts.mappers(settings), prepared.profiles, parts.profiles_of(settings))
    await mappers.start()
    intake = Intake(
        store,
        prepared.profiles,
        clock,
        environment=settings.environment,
        enabled=parts.enabled(settings),
        read=mappers.read,
    )
    dispatcher.give_way(lambda: intake.waiting)
    inflight = Inflight(settings.mllp.max_buffered)
    mllp = parts.mllp(prepared, intake, inflight)
    address = settings.data_dir / "http-address"  # for `gateway retry` and the like
    try:
        mllp_port = await parts.listen(mllp, settings)
        up = asyncio.Event()
        watch = make_watch(configuration, store, dispatcher, clock)
        watching = asyncio.create_task(watch.run(), name="watch")
        http, http_socket = http_server(configuration, intake, store, dispatcher, watch, inflight, up)
        serving = asyncio.create_task(http.serve(sockets=[http_socket]))
        await up.wait()
        scheme = "https" if settings.http.tls_certificate else "http"
        http_host, http_port = http_socket.getsockname()[:2]
        gc.freeze()  # what is loaded now lives for ever: the collector need not look at it again
        announce(
            f"gateway {__version__} ready: mllp://{at(settings.mllp.host, mllp_port)} "
            f"{scheme}://{at(settings.http.host, http_port)} data {settings.data_dir}"
        )
        address.write_text(f"{scheme}://{at(http_host, http_port)}\n")
        log.info("started", extra={"version": __version__, "pid": os.getpid()})
        live = partial(
            _apply,
            store=store,
            dispatcher=dispatcher,
            intake=intake,
            mappers=mappers,
            mllp=mllp,
            watch=watch,
        )
        purging = asyncio.create_task(
            purge_daily(store, lambda: configuration.settings.retention), name="purge"
        )
        reloading = asyncio.create_task(_reload(configuration, again, live), name="reload")
        await stop.wait()
        dispatcher.halt()
        log.info("stopping", extra=dispatcher.status())
        watching.cancel()
        reloading.cancel()
        purging.cancel()
        await mllp.stop(DRAIN_SECONDS)
        http.should_exit = True
        await serving
    finally:
        await mllp.stop(0)
        await mappers.stop()
        await dispatcher.stop(DRAIN_SECONDS)
        await store.close()
    log.info("stopped")


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
    mappers.use(prepared.profiles, parts.profiles_of(settings))
    intake.use(prepared.profiles, parts.enabled(settings))
    mllp.reload(settings.mllp, prepared.mllp_tls)
    dispatcher.reload(settings)
    watch.configure(settings.alerts, Webhook(settings.alerts).tell if settings.alerts.webhook else None)
