"""A worker as a process (`python -m gateway.pipeline.worker_process FD`) or as a thread of the server."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from gateway.config import Settings
from gateway.pipeline.journal import Journal
from gateway.pipeline.route import WorkerParts
from gateway.pipeline.wire import Hello, read_frame
from gateway.pipeline.worker import WINDOW, Worker
from gateway.telemetry.memory import give_back

log = logging.getLogger(__name__)

NICE = 10
"""Intake has priority over delivery."""


async def work(sock: socket.socket, on_start: Callable[[Worker], None] = lambda worker: None) -> None:
    """Serve the dispatcher behind `sock` until it closes."""
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    try:
        hello = await read_frame(reader, Hello)
        if hello is None:
            return
        module, _, name = hello.factory.partition(":")

        def make(settings: dict[str, Any]) -> WorkerParts:
            parts: WorkerParts = getattr(import_module(module), name)(Settings(**settings))
            return parts

        worker = Worker(make, Journal(Path(hello.journal), WINDOW))
        worker.use(hello.settings)
        on_start(worker)
        await worker.run(reader, writer)
    except Exception:
        log.exception("worker ends")
        raise SystemExit(1) from None
    finally:
        writer.close()


def run_in_thread(sock: socket.socket) -> threading.Thread:
    """The same worker as a thread of this process (`workers = 0`)."""

    def run() -> None:
        try:
            asyncio.run(work(sock))
        except SystemExit:  # logged; the dispatcher sees the closed socket
            return

    thread = threading.Thread(target=run, name="worker", daemon=True)
    thread.start()
    return thread


def main(descriptor: int) -> None:
    """The worker process around the inherited socket `descriptor`."""
    from gateway import telemetry

    telemetry.configure()
    give_back()
    os.nice(NICE)
    # Ctrl-C goes to the whole group: the dispatcher is told, and closes the socket when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def on_start(worker: Worker) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.drain)

    asyncio.run(work(socket.socket(fileno=descriptor), on_start))
    logging.shutdown()
    os._exit(0)  # a production that still runs must not hold the process


if __name__ == "__main__":
    main(int(sys.argv[1]))
