"""What a restore and an import write in the audit trail says whose report it is about, as every other row."""

import sqlite3
from pathlib import Path

import pytest

from gateway.cli import exporting
from gateway.store.archive import write
from gateway.store.audit import hash_of
from gateway.store.backup import backup
from gateway.store.place import reading
from gateway.store.restore import distrusted, restore
from tests.contract.test_intake_life import status
from tests.intake_house import House
from tests.postgres_support import Engine

INS = "279035121518989^1.2.250.1.213.1.4.10"

pytestmark = pytest.mark.req("REQ-70", "REQ-78")


def whose(database: Path) -> set[str]:
    """Patients of the rows about single mails."""
    rows = sqlite3.connect(database).execute(
        "SELECT patient FROM audit WHERE action = 'restore' AND report_id IS NOT NULL"
    )
    return {patient for (patient,) in rows}


@pytest.mark.parametrize("with_key", [True, False])
async def test_a_mail_that_a_restore_holds_names_its_patient(
    house: House, tmp_path: Path, with_key: bool
) -> None:
    await house.take(status("F"))
    copy, data = tmp_path / "copy", tmp_path / "data"
    backup(tmp_path, copy)
    if not with_key:
        (copy / "audit-key").unlink()
    assert restore(copy, data, 1, "alice") > 0
    assert whose(data / "gateway.db") == {hash_of(data, INS)}


async def test_a_mail_that_an_import_holds_names_its_patient(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.take(status("F"))
    out, data = tmp_path / "all.zip", tmp_path / "data"
    session = reading(house.engine.where)
    write(session, out, tmp_path / "audit-key")
    session.close()
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(data))
    exporting.load(out, None)
    assert whose(data / "gateway.db") == {hash_of(data, INS)} == {hash_of(tmp_path, INS)}


async def test_on_postgresql_the_key_is_that_of_the_node(postgres: Engine, tmp_path: Path) -> None:
    house = House(tmp_path, engine=postgres)
    await house.take(status("F"))
    house.queries.close()
    await house.store.close()
    assert distrusted(str(postgres.where), tmp_path, 1, "alice") > 0
    rows = postgres.sql(
        "SELECT DISTINCT patient FROM audit WHERE action = 'restore' AND report_id IS NOT NULL"
    )
    assert rows == [(hash_of(tmp_path, INS),)]
