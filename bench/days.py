"""The load of a site over time: 10 messages a second for ten minutes, 50 a second for one, all destinations.

Simulated peers on the same cores. What counts: the latency of the answers while everything is delivered
beside them, the most memory that each process took, and how long the queue needed to drain.
"""

import asyncio
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from bench import arrivals
from bench.load import steady
from bench.system import family, resident, role
from conformance.demo.stage import Stage
from conformance.simulators.hold import Judge

LOADS = ((10.0, 600.0), (50.0, 60.0))
"""(messages a second, seconds)."""
CONNECTIONS = 8
LOOK = 1.0


class Memory:
    """The most resident MB of each kind of process while it runs."""

    def __init__(self, pid: int) -> None:
        self.most: dict[str, float] = {}
        self._pid, self._end = pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(LOOK):
            with suppress(OSError):  # a process ended meanwhile
                for pid in family(self._pid):
                    kind = role(pid)
                    self.most[kind] = max(self.most.get(kind, 0.0), resident(pid))


def run(*, workers: int, share: float = 1.0, folder: Path | None = None) -> None:
    """`share` of the durations, for a quick look."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="gateway-bench-") as name:
        stage = Stage(Path(name) / "stage", workers=workers, judge=Judge.LATER)
        try:
            stage.start()
            assert stage.gateway is not None
            memory, sent = Memory(stage.gateway.pid), 0
            print(
                f"{'load':22}{'AA':>8}{'refused':>9}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}{'drained s':>11}"
            )
            for rate, seconds in LOADS:
                length = seconds * share
                load = steady(
                    stage.mllp[1], connections=CONNECTIONS, seconds=length, rate=rate, prefix=f"d{rate:g}"
                )
                figures = asyncio.run(load)
                sent += figures.taken
                end = time.perf_counter()
                arrivals.drained(stage)
                line = f"{f'{rate:g}/s for {length:g} s':22}{figures.taken:8}{figures.refused:9}"
                line += "".join(f"{figures.percentile(one):8.1f}" for one in (0.5, 0.95, 0.99))
                print(f"{line}{time.perf_counter() - end:9.1f}", flush=True)
            memory.stop()
            print("most MB:", ", ".join(f"{kind} {size:.0f}" for kind, size in memory.most.items()))
            print(arrivals.judged(stage, reports=sent, mails=2))
        finally:
            stage.stop()
