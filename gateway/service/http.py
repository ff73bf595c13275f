"""The HTTP side of a node: FHIR endpoint, API, metrics, on one socket."""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from gateway.config import Settings
from gateway.connectors import tls
from gateway.connectors.inflight import Inflight
from gateway.pipeline.dispatcher import Dispatcher
from gateway.pipeline.intake import Intake
from gateway.pipeline.watch import Watch
from gateway.reload import Configuration, StartError
from gateway.service.watching import condition
from gateway.store import Store, StoreQueries
from gateway.store.archive import write
from gateway.store.place import reading

if TYPE_CHECKING:
    import uvicorn

DRAIN_SECONDS = 20.0
"""How long a stop waits for messages and deliveries under way."""


def server(
    configuration: Configuration,
    intake: Intake,
    store: Store,
    dispatcher: Dispatcher,
    watch: Watch,
    inflight: Inflight,
    up: asyncio.Event,
) -> "tuple[uvicorn.Server, socket.socket]":
    """The server, and its socket, bound. `up` is set when it answers. Raises StartError."""
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
        status = condition(store, dispatcher)
        able = status["store"] == "up" and not status["disk_full"]
        taken = able and bool(status["alive"]) and bool(status["recovered"])
        return taken, status | configuration.status()

    settings = configuration.settings
    app = application(
        intake=intake,
        queries=StoreQueries.open(settings.database),
        token=ensure_token(settings.data_dir / "admin-token"),
        limit=settings.limits.max_bytes,
        inflight=inflight,
        ready=ready,
        operator=store,
        observe=watch.observe,
        retention=lambda: configuration.settings.retention,
        export=lambda: _archive(settings),
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


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol: else no connection of it gets TCP_NODELAY, and each answer on a kept one takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as wrong:
        listening.close()
        raise StartError(f"http {host}:{port}: {wrong.strerror}") from None
    listening.set_inheritable(False)
    return listening


def _archive(settings: Settings) -> IO[bytes]:
    """Everything that the store holds, in a file without a name: it goes with whoever has it open."""
    session = reading(settings.database)
    with contextlib.ExitStack() as unless_whole, contextlib.closing(session):
        file = unless_whole.enter_context(tempfile.TemporaryFile(dir=settings.data_dir))
        write(session, file, settings.data_dir / "audit-key")
        unless_whole.pop_all()
        return file
