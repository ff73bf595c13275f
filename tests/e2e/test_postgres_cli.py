"""The operator's commands on a PostgreSQL store: the same answers, with or without a server beside them."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.ports import Produced, Settlement
from gateway.store.tables import REVISION
from tests.postgres_support import Engine
from tests.store_support import (
    DMP,
    FOLDER,
    NOW,
    Outcome,
    OutcomeKind,
    concluding,
    document,
    planned,
    received,
)

pytestmark = [pytest.mark.postgres]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def gateway(postgres: Engine, tmp_path: Path) -> Run:
    """The command on a machine that is no node: only the address is its."""

    def run(*arguments: str, url: str = str(postgres.where)) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "GATEWAY_STORE__URL": url, "GATEWAY_DATA_DIR": str(tmp_path / "desk")},
        )

    return run


async def one_failed_delivery(engine: Engine) -> None:
    store = engine.open()
    await store.commit(received("015", b"MSH|raw"), concluding(planned(DMP), planned(FOLDER)))
    await store.claim(1)
    await store.settle((Produced(version_id=1, documents=(document(),)),))
    tasks = {task.destination: task for task in await store.claim(10)}
    failed = Outcome(kind=OutcomeKind.PERMANENT, code="XDSRepositoryError")
    await store.settle(
        (Settlement(delivery_id=tasks[DMP].id, outcome=failed, attempt=1, started_at=NOW, ended_at=NOW),)
    )
    await store.surrender((tasks[FOLDER],))
    await store.close()


async def test_an_operator_sees_and_changes_the_store_from_any_machine(
    postgres: Engine, gateway: Run, tmp_path: Path
) -> None:
    await one_failed_delivery(postgres)
    assert "015" in gateway("messages").stdout
    assert "XDSRepositoryError" in gateway("deliveries", "--state", "failed").stdout
    done = gateway("retry", "1")
    assert (done.returncode, done.stdout) == (0, "1: pending\n"), done.stderr
    assert gateway("cancel", "2").stdout == "2: cancelled\n"
    assert gateway("pause", "dmp").stdout == "dmp: paused\n"
    doctor = gateway("doctor").stdout
    assert "is stopped" in doctor
    assert "every accepted report has one row per destination" in doctor
    assert "in order" in gateway("db", "check").stdout
    assert REVISION in gateway("db", "upgrade").stdout
    out = tmp_path / "proof.zip"
    assert gateway("evidence", "1", "--out", str(out)).returncode == 0
    assert "messages/1/received" in zipfile.ZipFile(out).namelist()
    backup = gateway("db", "backup", str(tmp_path / "copy"))
    assert backup.returncode == 1
    assert "pg_dump" in backup.stderr


async def test_a_server_that_is_not_there_is_named_without_its_password(gateway: Run, tmp_path: Path) -> None:
    nowhere = f"postgresql://me:secret@/gateway?host={tmp_path}"
    for command in (("messages",), ("retry", "1"), ("db", "check"), ("serve",)):
        done = gateway(*command, url=nowhere)
        assert done.returncode == 1, command
        assert f"{tmp_path}" in done.stderr
        assert "secret" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
