"""Durable acknowledgements a second of a running `gateway serve`, as a share of the bare floor."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.load import Figures, closed_loop, steady

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def process(
    command: list[str], ready: str, environment: dict[str, str], log: Path
) -> Iterator[re.Match[str]]:
    """A child that is ended with SIGTERM; yields what `ready` matched in its first line."""
    with log.open("wb") as errors:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, env=os.environ | environment
        )
        try:
            assert child.stdout is not None
            line = child.stdout.readline()
            found = re.search(ready, line)
            if found is None:
                raise SystemExit(f"{' '.join(command)} did not start: {line or log.read_text()[-2000:]}")
            yield found
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()


@contextmanager
def floor(folder: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "bench.floor", "0", str(folder / "floor.db")]
    with process(command, r"ready on (\d+)", {}, folder / "floor.log") as found:
        yield int(found[1])


@contextmanager
def gateway(folder: Path, *, workers: int, deliver: bool) -> Iterator[int]:
    environment = {
        "GATEWAY_DATA_DIR": str(folder / "gateway"),
        "GATEWAY_MLLP__PORT": "0",
        "GATEWAY_HTTP__PORT": "0",
        "GATEWAY_WORKERS": str(workers),
        # Without any destination nothing is produced: the intake alone.
        "GATEWAY_FOLDER__ENABLED": "true" if deliver else "false",
    }
    command = [sys.executable, "-m", "gateway", "serve"]
    with process(command, r"mllp://[^:]+:(\d+)", environment, folder / "gateway.log") as found:
        yield int(found[1])


def run(*, seconds: float, connections: int, rate: float, workers: int, folder: Path | None = None) -> None:
    """Print the table. Ratios are of one run on one machine; single figures mean little elsewhere."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="gateway-bench-") as name:
        place = Path(name)
        with floor(place) as port:
            base = _closed(port, connections, seconds, "floor")
            base_steady = _steady(port, connections, seconds, rate, "floor")
        rows = [("bare frame + fsync'd batched insert", base, base_steady)]
        for title, deliver in (("gateway, intake alone", False), ("gateway, delivering to the folder", True)):
            within = place / ("deliver" if deliver else "alone")
            within.mkdir()
            with gateway(within, workers=workers, deliver=deliver) as port:
                rows.append(
                    (
                        title,
                        _closed(port, connections, seconds, "closed"),
                        _steady(port, connections, seconds, rate, "steady"),
                    )
                )
    print(
        f"2 kB ORU, {connections} connections, {seconds:g} s each, workers {workers}, {os.cpu_count()} cores"
    )
    steady_title = f"p99 ms at {rate:g}/s"
    print(f"{'':38}{'ack/s':>8}{'ratio':>7}{'p50 ms':>8}{'p99 ms':>8}{steady_title:>17}{'refused':>9}")
    for title, figures, paced in rows:
        refused = figures.refused + paced.refused
        print(
            f"{title:38}{figures.rate:8.0f}{figures.rate / base.rate:7.2f}{figures.percentile(0.5):8.1f}"
            f"{figures.percentile(0.99):8.1f}{paced.percentile(0.99):17.1f}{refused:9d}"
        )


def _closed(port: int, connections: int, seconds: float, prefix: str) -> Figures:
    warm_up = closed_loop(port, connections=connections, seconds=1.0, prefix=f"{prefix}-w{time.time_ns()}")
    asyncio.run(warm_up)
    return asyncio.run(closed_loop(port, connections=connections, seconds=seconds, prefix=f"{prefix}-c"))


def _steady(port: int, connections: int, seconds: float, rate: float, prefix: str) -> Figures:
    load = steady(port, connections=connections, seconds=seconds, rate=rate, prefix=f"{prefix}-s")
    return asyncio.run(load)
