"""Durable acknowledgements a second of a running `gateway serve`, as shares of two bare floors."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.load import SIZE, Figures, closed_loop, steady

ROOT = Path(__file__).resolve().parents[1]
LARGE = 200 * 1024


class Served(NamedTuple):
    """A server on loopback, or one that was there already (`pid` 0)."""

    port: int
    pid: int = 0


class Measured(NamedTuple):
    """As fast as it goes and, where tried, at a steady rate; each with what was delivered meanwhile."""

    title: str
    fast: Figures
    delivered: int
    paced: Figures | None = None
    delivered_paced: int = 0


@contextmanager
def process(
    command: list[str], ready: str, log: Path, environment: dict[str, str] | None = None
) -> Iterator[Served]:
    """A child that is ended with SIGTERM; `ready` matches its port in its first line."""
    with log.open("wb") as errors:
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=os.environ | (environment or {}),
        )
        try:
            assert child.stdout is not None
            line = child.stdout.readline()
            found = re.search(ready, line)
            if found is None:
                raise SystemExit(f"{' '.join(command)} did not start: {line or log.read_text()[-2000:]}")
            yield Served(int(found[1]), child.pid)
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()


def _module(folder: Path, name: str, *arguments: str) -> AbstractContextManager[Served]:
    return process([sys.executable, "-m", name, "0", *arguments], r"ready on (\d+)", folder / f"{name}.log")


def gateway(folder: Path, *, workers: int, deliver: bool) -> AbstractContextManager[Served]:
    """`deliver` to the folder; without any destination nothing is produced: the intake alone."""
    environment = {
        "GATEWAY_DATA_DIR": str(folder / "gateway"),
        "GATEWAY_MLLP__PORT": "0",
        "GATEWAY_HTTP__PORT": "0",
        "GATEWAY_WORKERS": str(workers),
        "GATEWAY_FOLDER__ENABLED": "true" if deliver else "false",
    }
    command = [sys.executable, "-m", "gateway", "serve"]
    return process(command, r"mllp://[^:]+:(\d+)", folder / "gateway.log", environment)


@contextmanager
def _peer(address: str) -> Iterator[Served]:
    yield Served(urlsplit(address).port or 2575)


def run(
    *,
    seconds: float,
    connections: int,
    rate: float,
    workers: int,
    peers: dict[str, str],
    folder: Path | None = None,
) -> None:
    """Print the tables. Ratios are of one run on one machine; single figures mean little elsewhere. Each is
    given twice: of a loop that commits many messages together, and of one that commits each alone (`floor`).

    `peers`: name → `mllp://HOST:PORT` of engines that run on this machine already.
    """
    print(f"{connections} connections, {seconds:g} s each, workers {workers}, {os.cpu_count()} cores")
    for size in (SIZE, LARGE):
        with tempfile.TemporaryDirectory(dir=folder, prefix="gateway-bench-") as name:
            outbox = Path(name) / "deliver" / "gateway" / "outbox"
            measured = [
                _measure(title, server, outbox, size, connections=connections, seconds=seconds, rate=rate)
                for title, server in _servers(Path(name), size, workers, peers)
            ]
        _table(size, rate, measured)


def _servers(
    folder: Path, size: int, workers: int, peers: dict[str, str]
) -> Iterator[tuple[str, AbstractContextManager[Served]]]:
    for how in ("batched", "single"):
        title = f"bare frame + fsync'd insert, {how}"
        yield title, _module(folder, "bench.floor", str(folder / f"{how}.db"), how)
    yield "gateway, mapping switched off", _module(folder, "bench.unmapped", str(folder))
    for title, deliver in (("gateway, intake alone", False), ("gateway, delivering to the folder", True)):
        within = folder / ("deliver" if deliver else "alone")
        within.mkdir()
        yield title, gateway(within, workers=workers, deliver=deliver)
    if size == SIZE:
        if find_spec("hl7") is not None:
            yield "python-hl7's server: parse, no store", _module(folder, "bench.hl7_server")
        else:
            print("python-hl7: not installed, left out")
    for title, address in peers.items():
        yield title, _peer(address)


def _measure(
    title: str,
    server: AbstractContextManager[Served],
    outbox: Path,
    size: int,
    *,
    connections: int,
    seconds: float,
    rate: float,
) -> Measured:
    """As fast as it goes; for small messages also at a steady rate."""

    def fast(seconds: float, name: str) -> Figures:
        prefix = f"{name}{time.time_ns()}"
        return asyncio.run(
            closed_loop(served.port, connections=connections, seconds=seconds, prefix=prefix, size=size)
        )

    with server as served:
        fast(1.0, "w")
        before = _folders(outbox)
        figures = fast(seconds, "c")
        delivered = _folders(outbox) - before
        if size != SIZE:
            return Measured(title, figures, delivered)
        before = _folders(outbox)
        prefix = f"s{time.time_ns()}"
        paced = asyncio.run(
            steady(served.port, connections=connections, seconds=seconds, rate=rate, prefix=prefix)
        )
        return Measured(title, figures, delivered, paced, _folders(outbox) - before)


def _folders(outbox: Path) -> int:
    return sum(1 for _ in outbox.glob("[!.]*"))


def _table(size: int, rate: float, measured: list[Measured]) -> None:
    batched, single = (one.fast.rate for one in measured[:2])
    ratios = f"{'of batched':>12}{'of single':>11}"
    title = f"ORU of {size // 1024} kB"
    steady_title = f"{f'p99 ms at {rate:g}/s':>17}{'deliv/s':>9}" if size == SIZE else ""
    print(
        f"{title:38}{'ack/s':>8}{ratios}{'p50 ms':>8}{'p99 ms':>8}{'refused':>9}{'deliv/s':>9}{steady_title}"
    )
    for one in measured:
        fast, paced = one.fast, one.paced
        refused = fast.refused + (paced.refused if paced is not None else 0)
        line = f"{one.title:38}{fast.rate:8.0f}{fast.rate / batched:12.2f}{fast.rate / single:11.2f}"
        line += f"{fast.percentile(0.5):8.1f}{fast.percentile(0.99):8.1f}{refused:9d}"
        line += f"{one.delivered / fast.seconds:9.0f}"
        if paced is not None:
            line += f"{paced.percentile(0.99):17.1f}{one.delivered_paced / paced.seconds:9.0f}"
        print(line)
