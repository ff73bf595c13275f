"""Running a simulator as a process: ready line, orderly end on SIGTERM or Ctrl-C."""

import asyncio
import contextlib
import signal
from pathlib import Path

from cryptography import x509

from conformance.simulators import http
from conformance.simulators.dmp import DmpSimulator, Options
from conformance.simulators.hold import Judge
from conformance.simulators.http import tls_context
from conformance.simulators.later import LaterDmp, LaterMailbox
from conformance.simulators.mssante import Mailbox, listen
from conformance.simulators.threads import Listener


def stopped() -> asyncio.Event:
    """Set by SIGTERM or SIGINT. To be asked for before anybody is served."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C still raises KeyboardInterrupt
            loop.add_signal_handler(number, stop.set)
    return stop


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
    judge: Judge = Judge.AT_ONCE,
) -> None:
    """Serve a DMP until stopped. HTTPS with `cert` and `key`, mutual with `client_ca`."""
    stop, simulator = stopped(), DmpSimulator(options)
    simulator.switch.set(mode, count)
    later = LaterDmp(simulator)
    tls = tls_context(cert, key, client_ca) if cert and key else None
    if judge is Judge.LATER:
        server = await http.serve(later.answer, host, port, tls, quick=later.take)
    else:
        later.later.judge()  # of an earlier run that was killed
        server = await http.serve(simulator.answer, host, port, tls)
    scheme = "https" if tls else "http"
    ready(
        f"dmp simulator ready on {scheme}://{host}:{server.port}/repository (ledger {simulator.ledger.path})"
    )
    await stop.wait()
    server.close()
    later.later.close()
    simulator.ledger.close()


async def mssante(
    host: str,
    port: int,
    folder: Path,
    *,
    cert: Path | None = None,
    key: Path | None = None,
    client_ca: Path | None = None,
    control_port: int = 0,
    delay: float = 5.0,
    mode: str = "ok",
    count: int = 0,
    judge: Judge = Judge.AT_ONCE,
) -> None:
    """Serve an operator until stopped; the control channel listens on the same host."""
    stop, mailbox = stopped(), Mailbox(folder, delay)
    mailbox.switch.set(mode, count)
    later = LaterMailbox(mailbox)
    tls = tls_context(cert, key, client_ca) if cert and key else None
    mail: Listener | asyncio.Server
    if judge is Judge.LATER:
        mail = await later.listen(host, port, tls)
        listening, answer = mail.port, later.answer
    else:
        later.later.judge()  # of an earlier run that was killed
        mail = await listen(mailbox, host, port, tls)
        listening, answer = int(mail.sockets[0].getsockname()[1]), mailbox.answer
    side = await http.serve(answer, host, control_port)
    ready(
        f"mssante simulator ready on smtp://{host}:{listening} "
        f"(control http://{host}:{side.port}, ledger {mailbox.ledger.path})"
    )
    await stop.wait()
    mail.close()
    side.close()
    later.later.close()
    mailbox.ledger.close()


def authorities(path: Path | None) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file; () without a file. Raises ValueError when it holds none."""
    return () if path is None else tuple(x509.load_pem_x509_certificates(path.read_bytes()))
