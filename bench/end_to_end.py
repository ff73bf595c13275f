"""Reports a second from HL7 v2 to three destinations, simulated peers on the same cores.

Each is text → CDA with its PDF/A → VIHF signed, DMP over mutual TLS, one mail over STARTTLS, folder.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from bench.load import counted
from bench.system import cpu, family, role
from conformance.demo.stage import Stage

WARM_UP = 20


def run(
    *, number: int, workers: int, connections: int, level: str = "n1", folder: Path | None = None
) -> None:
    """`level`: body of the CDA, `n1` or `n3`."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="gateway-bench-") as name:
        sites = Path(name) / "sites"
        sites.mkdir()
        (sites / "bench.toml").write_text(f'fictive = true\ncda_level = "{level}"\n')
        stage = Stage(
            Path(name) / "stage",
            workers=workers,
            environment={"GATEWAY_SITES_DIR": str(sites), "GATEWAY_SITE": "bench"},
        )
        try:
            stage.start()
            _load(stage, WARM_UP, connections, "warm")
            drained(stage, WARM_UP)
            assert stage.gateway is not None
            processes = [pid for one in stage.processes for pid in family(one.pid)]
            names = {
                pid: role(pid) if pid in family(stage.gateway.pid) else "simulators" for pid in processes
            }
            before = {pid: cpu(pid) for pid in processes}
            start = time.perf_counter()
            _load(stage, number, connections, "run")
            taken = time.perf_counter() - start
            drained(stage, WARM_UP + number)
            seconds = time.perf_counter() - start
            print(
                f"{number} reports ({level.upper()}), workers {workers}:"
                f" {number / seconds:.0f} a second to three destinations"
            )
            print(f"acknowledged {number / taken:.0f} a second meanwhile; CPU ms a report:")
            for kind in dict.fromkeys(names.values()):
                spent = sum(cpu(pid) - before[pid] for pid in processes if names[pid] == kind)
                print(f"  {kind:12}{1000 * spent / number:8.1f}")
        finally:
            stage.stop()


def _load(stage: Stage, number: int, connections: int, prefix: str) -> None:
    figures = asyncio.run(
        counted(stage.mllp[1], connections=connections, number=number, prefix=f"{prefix}-{time.time_ns()}")
    )
    assert figures.taken == number, "every report is taken"


def drained(stage: Stage, reports: int) -> None:
    """All reports are at the DMP and in the mailbox of the requester."""
    while min(_lines(stage, "dmp"), _lines(stage, "mssante")) < reports:
        time.sleep(0.05)


def _lines(stage: Stage, kind: str) -> int:
    path = stage.folder / kind / "ledger.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0
