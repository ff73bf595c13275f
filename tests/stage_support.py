"""What the end-to-end tests ask of a running stage."""

import time
from typing import Any

from conformance.demo.stage import Stage, settled
from tests.support import PATIENCE


def deliveries(stage: Stage, count: int) -> list[dict[str, Any]]:
    """All of them by number, when `count` are there and nothing more happens by itself."""
    end = time.monotonic() + PATIENCE
    while True:
        rows: list[dict[str, Any]] = stage.api("/api/deliveries?limit=100")["items"]
        if (len(rows) >= count and settled(rows)) or time.monotonic() > end:
            return sorted(rows, key=lambda row: int(row["id"]))
        time.sleep(0.1)
