"""Reports a second from HL7 v2 to three destinations, simulated peers on the same cores.

Each is text → CDA with its PDF/A → VIHF signed, DMP over mutual TLS, one mail over STARTTLS (or two, the
other to the patient), folder. The clock stops when the store has settled the last delivery of all. The peers
take what comes, and judge it by every rule afterwards: a fault, a loss or a duplicate ends the run.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from bench import arrivals
from bench.load import counted
from bench.system import cpu, family, role
from conformance.demo.stage import Stage
from conformance.simulators.hold import Judge

WARM_UP = 20


def run(
    *,
    number: int,
    workers: int,
    connections: int,
    level: str = "n1",
    mails: int = 1,
    folder: Path | None = None,
) -> None:
    """`level`: body of the CDA, `n1` or `n3`; `mails` of a report, 1 or 2."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="gateway-bench-") as name:
        sites = Path(name) / "sites"
        sites.mkdir()
        (sites / "bench.toml").write_text(f'fictive = true\ncda_level = "{level}"\n')
        stage = Stage(
            Path(name) / "stage",
            workers=workers,
            environment={"GATEWAY_SITES_DIR": str(sites), "GATEWAY_SITE": "bench"},
            judge=Judge.LATER,
        )
        try:
            stage.start()
            _load(stage, WARM_UP, connections, "warm", mails)
            arrivals.drained(stage)
            names = _processes(stage)
            names[os.getpid()] = "sender"
            before, start = {pid: cpu(pid) for pid in names}, time.time()
            taken = _load(stage, number, connections, "run", mails)
            arrivals.drained(stage)
            spent = {pid: cpu(pid) - before[pid] for pid in names}
            done = arrivals.settled(stage, start)
            seconds = done.last - start
            print(
                f"{number} reports ({level.upper()}), workers {workers}: {number / seconds:.1f} a second"
                f" to three destinations, {done.deliveries / seconds:.0f} deliveries a second"
            )
            print(
                f"acknowledged {taken:.0f} a second meanwhile; from a message to its last delivery"
                f" p50 {done.percentile(0.5):.1f} s, p99 {done.percentile(0.99):.1f} s; CPU ms a report:"
            )
            for kind in dict.fromkeys(names.values()):
                used = sum(spent[pid] for pid in names if names[pid] == kind)
                print(f"  {kind:18}{1000 * used / number:8.1f}")
            print(f"  {'in all':18}{1000 * sum(spent.values()) / number:8.1f}", flush=True)
            print(arrivals.judged(stage, reports=WARM_UP + number, mails=mails))
        finally:
            stage.stop()


def _processes(stage: Stage) -> dict[int, str]:
    """What runs, and what it is."""
    assert stage.gateway is not None
    ours = family(stage.gateway.pid)
    return {pid: role(pid) if pid in ours else one.name for one in stage.processes for pid in family(one.pid)}


def _load(stage: Stage, number: int, connections: int, prefix: str, mails: int = 1) -> float:
    """Messages acknowledged a second."""
    figures = asyncio.run(
        counted(
            stage.mllp[1],
            connections=connections,
            number=number,
            prefix=f"{prefix}-{time.time_ns()}",
            mails=mails,
        )
    )
    assert figures.taken == number, "every report is taken"
    return figures.rate
