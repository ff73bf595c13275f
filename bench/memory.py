"""Memory of the running gateway after so many messages: flat, or it would end one night."""

import asyncio
import tempfile
from pathlib import Path

from bench.intake import gateway
from bench.load import counted
from bench.system import family, resident, role

STEPS = (1_000, 10_000, 100_000)


def run(*, most: int, connections: int, folder: Path | None = None) -> None:
    """Resident MB of each process after 1 000, 10 000… messages, up to `most`."""
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="gateway-bench-") as name,
        gateway(Path(name), workers=1, deliver=False) as served,
    ):
        done = 0
        print(f"{'messages':>10}{'a second':>10}  resident MB")
        for step in (one for one in STEPS if one <= most):
            load = counted(served.port, connections=connections, number=step - done, prefix=f"m{step}")
            figures = asyncio.run(load)
            assert figures.taken == step - done, "every message is taken"
            done = step
            sizes = ", ".join(f"{role(pid)} {resident(pid):.0f}" for pid in family(served.pid))
            print(f"{step:10}{figures.rate:10.0f}  {sizes}")
