"""At 3 a.m.: the command line says since when a destination is down, why, and what happens next."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import operating
from gateway.cli.main import app
from gateway.ports import Produced
from gateway.store import SqliteStore
from tests.store_support import DMP, FOLDER, concluding, document, planned, received

SAID: dict[str, Any] = {
    "status": "ready",
    "circuits": {
        "dmp": {
            "since": "2026-01-05T03:00:00Z",
            "failures": 12,
            "last": "ConnectError",
            "next_probe": "2026-01-05T03:10:20Z",
        }
    },
    "destinations": {"dmp": "open"},
    "store": "up",
    "disk_full": False,
    "recovered": True,
    "alive": 1,
    "workers": 1,
    "configuration": {"loaded_at": "", "refused_at": None, "needs_restart": []},
}
WORDS = (
    "down since 2026-01-05T03:00:00Z: 12 failures in a row, the last ConnectError; probed again at "
    "2026-01-05T03:10:20Z, and what waits goes by itself when it is back"
)


@pytest.fixture(autouse=True)
async def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store in which a delivery to each destination waits, and a server that says how they are."""
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(operating, "readiness", lambda current: SAID)
    store = SqliteStore.open(tmp_path / "gateway.db")
    await store.commit(received(), concluding(planned(DMP), planned(FOLDER)))
    (task,) = await store.claim(1)
    await store.settle((Produced(version_id=task.id, documents=(document(),)),))
    await store.close()


def run(*arguments: str) -> str:
    return CliRunner().invoke(app, list(arguments)).stdout


def test_doctor_says_it_with_what_waits() -> None:
    (line,) = [line for line in run("doctor").splitlines() if line.startswith("warning  dmp ")]
    assert line.startswith(f"warning  dmp             {WORDS}; 1 deliveries wait, the oldest for ")


@pytest.mark.parametrize("asked", [("deliveries",), ("delivery", "1"), ("message", "1")])
def test_what_shows_a_delivery_that_waits_says_it_below(asked: tuple[str, ...]) -> None:
    """What counts for it is the probe, not its own next try."""
    assert run(*asked).splitlines()[-1] == f"dmp is {WORDS}"


def test_nobody_else_is_told() -> None:
    assert WORDS not in run("deliveries", "--destination", "folder")
    assert WORDS not in run("deliveries", "--json")
