"""Running a simulator as a process: ready line, orderly end on SIGTERM or Ctrl-C."""

import asyncio
import contextlib
import signal
from pathlib import Path

from cryptography import x509

from conformance.simulators import http
from conformance.simulators.dmp import DmpSimulator, Options
from conformance.simulators.http import tls_context


async def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C still raises KeyboardInterrupt
            loop.add_signal_handler(number, stop.set)
    await stop.wait()


def ready(line: str) -> None:
    """The one line on stdout that a script waits for."""
    print(line, flush=True)


async def dmp(
    host: str,
    port: int,
    options: Options,
    *,
    cert: Path | None = None,
    key: Path | None = None,
    client_ca: Path | None = None,
    mode: str = "ok",
    count: int = 0,
) -> None:
    """Serve a DMP until stopped. HTTPS with `cert` and `key`, mutual with `client_ca`."""
    simulator = DmpSimulator(options)
    simulator.switch.set(mode, count)
    tls = tls_context(cert, key, client_ca) if cert and key else None
    server = await http.serve(simulator.answer, host, port, tls)
    scheme = "https" if tls else "http"
    ready(
        f"dmp simulator ready on {scheme}://{host}:{http.port_of(server)}/repository "
        f"(ledger {simulator.ledger.path})"
    )
    await until_stopped()
    server.close()
    simulator.ledger.close()


def authorities(path: Path | None) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file; () without a file. Raises ValueError when it holds none."""
    return () if path is None else tuple(x509.load_pem_x509_certificates(path.read_bytes()))
