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
from tests.postgres_support import Engine, Server
from tests.store_support import (
    DMP,
    DOCTOR,
    FOLDER,
    MAIL,
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


@pytest.mark.req("REQ-43")
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


def held_in(engine: Engine) -> list[list[tuple[object, ...]]]:
    """Numbers, states, times and hashes of everything."""
    return [
        engine.sql(
            "SELECT id, control_id, state, received_at, md5(raw), md5(answer) FROM message ORDER BY 1"
        ),
        engine.sql("SELECT id, set_key, status, version, content_hash FROM report ORDER BY 1"),
        engine.sql("SELECT id, number, md5(report), md5(identity) FROM report_version ORDER BY 1"),
        engine.sql("SELECT sha256, size, encode(sha256(data), 'hex') FROM artifact ORDER BY 1"),
        engine.sql("SELECT delivery_id, number, outcome FROM attempt ORDER BY 1, 2"),
    ]


@pytest.mark.req("REQ-68", "REQ-69")
async def test_export_wipe_import_gives_the_same_list_and_hashes_on_postgresql(
    postgres: Engine, postgres_server: Server, gateway: Run, tmp_path: Path
) -> None:
    await one_failed_delivery(postgres)
    out, other = tmp_path / "all.zip", Engine(postgres_server.database(), tmp_path)
    assert gateway("export", "--out", str(out)).returncode == 0
    refused = gateway("import", str(out))
    assert (refused.returncode, "not empty" in refused.stderr) == (1, True)
    done = gateway("import", str(out), url=str(other.where))
    assert done.returncode == 0, done.stderr
    assert held_in(other) == held_in(postgres)
    assert (
        gateway("deliveries", "--json", url=str(other.where)).stdout == gateway("deliveries", "--json").stdout
    )
    checked = gateway("db", "check", url=str(other.where))
    assert checked.returncode == 0, checked.stdout
    store = other.open()  # new rows are numbered behind the old ones
    receipt = await store.commit(received("016", b"MSH|new"), concluding(planned(FOLDER), order="CR2"))
    assert receipt.message_id == 2
    assert (await store.commit(received("015", b"MSH|raw"), concluding(planned(DMP)))).replayed
    await store.close()


@pytest.mark.req("REQ-78")
async def test_after_pg_restore_no_mail_goes_by_itself(
    postgres: Engine, postgres_server: Server, gateway: Run, tmp_path: Path
) -> None:
    """The copy of a database stands for what `pg_restore` brings back: the mail may have left since then."""
    store = postgres.open()
    await store.commit(received("1"), concluding(planned(DMP), planned(MAIL, DOCTOR)))
    (version,) = await store.claim(1)
    await store.settle((Produced(version_id=version.id, documents=(document(),)),))
    await store.commit(received("2"), concluding(planned(MAIL, DOCTOR), order="CR2"))
    await store.close()
    restored = Engine(
        postgres_server.database(str(postgres.where).partition("@/")[2].partition("?")[0]), tmp_path
    )
    done = gateway("db", "restore", url=str(restored.where))
    assert (done.returncode, "2 mails held" in done.stdout) == (0, True), done.stderr
    states = restored.sql("SELECT id, state, reason FROM delivery ORDER BY id")
    assert states == [(1, "pending", ""), (2, "ambiguous", "RESTORED"), (3, "withheld", "RESTORED")]
    assert restored.sql("SELECT count(*) FROM audit WHERE action = 'restore'") == [(3,)]
    assert gateway("db", "check", url=str(restored.where)).returncode == 0
    store = restored.open()
    claimed = await store.claim(10)
    assert {task.destination for task in claimed if task.kind == "deliver"} == {DMP}
    await store.close()


async def test_purged_tables_are_written_anew_while_nobody_serves(postgres: Engine, gateway: Run) -> None:
    store = postgres.open()
    refused = gateway("db", "compact")
    assert (refused.returncode, "stop them" in refused.stderr) == (1, True)
    await store.close()
    assert gateway("db", "compact").returncode == 0


async def test_a_server_that_is_not_there_is_named_without_its_password(gateway: Run, tmp_path: Path) -> None:
    nowhere = f"postgresql://me:secret@/gateway?host={tmp_path}"
    for command in (("messages",), ("retry", "1"), ("db", "check"), ("serve",)):
        done = gateway(*command, url=nowhere)
        assert done.returncode == 1, command
        assert f"{tmp_path}" in done.stderr
        assert "secret" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
