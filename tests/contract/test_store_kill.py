"""`kill -9` of a process in the middle of its commits: what it acknowledged is there, and whole."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.store import SqliteStore, StoreQueries
from tests.support import ROOT


def killed_after(lines: int, data_dir: Path, first: int) -> list[str]:
    """Run the committing child, kill it after so many acknowledgements; all that it acknowledged."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.store_child", str(data_dir), "-1", str(first)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(lines)]
    child.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in child.stdout if line.endswith("\n")]
    assert child.wait() == -signal.SIGKILL
    return acknowledged


@pytest.mark.req("REQ-78")
async def test_every_acknowledged_commit_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for round_number in range(3):
        acknowledged += killed_after(150 + 70 * round_number, tmp_path, round_number * 1_000_000)
    store = SqliteStore.open(tmp_path / "gateway.db")  # recovers the WAL, as the next start does
    queries = StoreQueries.open(tmp_path / "gateway.db")
    known = {row["control_id"] for row in queries.messages(limit=1_000_000)}
    assert set(acknowledged) <= known
    assert len(acknowledged) >= 660
    balance = queries.balance()
    assert balance["balanced"]
    assert balance["rows"] == 3 * len(known)
    assert queries.problems() == []
    await store.close()
