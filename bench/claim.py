"""Claiming work from a store that holds many messages: the time must not grow with what is settled."""

import asyncio
import tempfile
import time
from pathlib import Path

from gateway.model.delivery import DeliveryState, Destination
from gateway.store import SqliteStore
from gateway.store.connection import connect_writer, prepare

STEPS = (1_000, 10_000, 100_000, 1_000_000)
DUE = 64
"""Deliveries that wait beside those that are done."""
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
_ROWS = {
    "message": """id i, received_at i, protocol 'hl7v2', peer 'bench', site 'default', message_type 'ORU^R01',
        control_id 'C' || i, sending_application 'RIS', sending_facility 'BENCH', state 'accepted',
        dedupe_key 'K' || i, findings '[]', answer x'00', size 1, raw x'00'""",
    "report": """id i, site 'default', set_key 'S' || i, status 'final', version 1, content_hash 'H' || i,
        document_id 'D' || i, created_at i, updated_at i""",
    "message_report": "message_id i, position 0, report_id i, verdict 'accept', number 1, owed 1",
    "report_version": """id i, report_id i, number 1, message_id i, status 'final', created_at i,
        content_hash 'H' || i, identity '{{}}', context '{{}}', report '{{}}', trace '{{}}'""",
    "document": """version_id i, position 0, kind 'cda', title '', media_type 'text/xml', sha256 'A' || i,
        created_at i""",
    "delivery": """id i, version_id i, report_id i, destination '{destination}', lane_recipient '',
        action 'create', state '{state}', reason '', attempts {attempts}, tries 0, due_since i,
        next_try {next_try}, created_at i, updated_at i""",
}
"""Table → column and value, as SQL over the number `i` of the row."""


def run(*, most: int, folder: Path | None = None) -> None:
    """CPU of one claim of 64 deliveries, with 1 000, 10 000… delivered ones in the store, up to `most`."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="gateway-bench-") as name:
        path, done, base = Path(name) / "store.db", 0, 0.0
        prepare(path)
        print(f"{'messages stored':>16}{'claim, CPU ms':>15}{'ratio':>8}")
        for step in (one for one in STEPS if one <= most):
            _fill(path, done + 1, step - DUE, DeliveryState.DELIVERED)
            _fill(path, step - DUE + 1, step, DeliveryState.PENDING)
            done = step
            spent = asyncio.run(_claim(path))
            base = base or spent
            print(f"{step:16}{1000 * spent:15.2f}{spent / base:8.2f}")
            _settle(path)


def _fill(path: Path, first: int, last: int, state: DeliveryState) -> None:
    pending = state is DeliveryState.PENDING
    values = {
        "destination": Destination.FOLDER.value,
        "state": state.value,
        "attempts": 0 if pending else 1,
        "next_try": "i" if pending else "NULL",
    }
    numbers = _NUMBERS.format(first=first, last=last)
    connection = connect_writer(path)
    connection.execute("BEGIN")
    for table, row in _ROWS.items():
        pairs = [one.split(maxsplit=1) for one in row.format(**values).split(",")]
        columns, made = ", ".join(one for one, _ in pairs), ", ".join(one for _, one in pairs)
        connection.execute(f"INSERT INTO {table} ({columns}) {numbers} SELECT {made} FROM n")
    connection.execute("COMMIT")
    connection.close()


def _settle(path: Path) -> None:
    """What was due is done: the next step has its own."""
    connection = connect_writer(path)
    connection.execute("UPDATE delivery SET state = 'delivered', next_try = NULL WHERE state = 'pending'")
    connection.close()


async def _claim(path: Path) -> float:
    """CPU seconds of a claim, the best of many; what was claimed is given back."""
    store = SqliteStore.open(path, per_destination=DUE)
    try:
        best = float("inf")
        for _ in range(50):
            start = time.process_time()
            tasks = await store.claim(DUE)
            best = min(best, time.process_time() - start)
            assert len(tasks) == DUE, len(tasks)
            await store.surrender(tasks)
    finally:
        await store.close()
    return best
