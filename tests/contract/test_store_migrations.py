"""A store of the first revision becomes one of the newest, with all that it holds; nothing else opens it."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.model.base import decode
from gateway.model.version import Acknowledged
from gateway.store import SchemaError, SqliteStore, StoreLockedError, StoreQueries
from gateway.store.migrations.upgrade import UpgradeError, engine_of, to_revision, upgrade
from gateway.store.tables import REVISION, metadata
from tests.postgres_support import Engine, Server
from tests.store_support import DMP, concluding, planned, received
from tests.support import FIXTURES

FIRST = (FIXTURES / "store" / "revision_0002.sql").read_text(encoding="utf-8")
"""Dump of a store as the gateway wrote it before there were migrations: four messages, two report sets."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.db"
    connection = sqlite3.connect(path)
    connection.executescript(FIRST)
    connection.close()
    return path


def test_a_store_of_an_earlier_revision_is_refused_with_the_advice(old: Path) -> None:
    with pytest.raises(SchemaError, match=r"revision 0002, this gateway needs .*gateway db upgrade"):
        SqliteStore.open(old)
    with pytest.raises(SchemaError):
        StoreQueries.open(old)


async def test_the_first_revision_with_its_data_becomes_the_newest(old: Path) -> None:
    assert await asyncio.to_thread(upgrade, old) == ("0002", REVISION)
    queries = StoreQueries.open(old)
    assert queries.message_counts() == {"accepted": 3, "rejected": 1}
    assert queries.raw(1) == b"MSH|1"
    assert [row["state"] for row in queries.deliveries()] == [
        *["planned"] * 3,
        "cancelled",
        "delivered",
    ]
    assert queries.problems() == []
    queries.close()
    store = SqliteStore.open(old)
    seen = []
    await store.commit(
        received("5"),
        lambda known: seen.append(known.set_of("default", "2.25.2")) or concluding(planned(DMP))(known),
    )
    assert seen == ["CR1^1.2.250.1.999"]
    assert store.status()["paused"] == ["dmp"]
    await store.close()


async def test_a_zam_that_waits_tells_the_end_as_it_was_found(old: Path) -> None:
    with sqlite3.connect(old) as connection:
        (number, state) = connection.execute("SELECT id, state FROM delivery ORDER BY id").fetchone()
        connection.execute("INSERT INTO acknowledgement (delivery_id, about) VALUES (?, ?)", (number, number))
    await asyncio.to_thread(upgrade, old)
    with sqlite3.connect(old) as connection:
        (told,) = connection.execute("SELECT told FROM acknowledgement").fetchone()
    assert (decode(told.encode(), Acknowledged).delivery_id, json.loads(told)["state"]) == (number, state)


async def test_an_upgrade_is_done_once_and_never_beside_a_server(old: Path) -> None:
    await asyncio.to_thread(upgrade, old)
    assert await asyncio.to_thread(upgrade, old) == (REVISION, REVISION)
    store = SqliteStore.open(old)
    with pytest.raises(StoreLockedError):
        await asyncio.to_thread(upgrade, old)
    await store.close()


def test_an_upgrade_that_fails_changes_nothing(old: Path) -> None:
    with sqlite3.connect(old) as connection:
        connection.execute("CREATE TABLE lease (x)")  # in the way of the second revision
    before = _dump(old)
    with pytest.raises(Exception, match="lease"):
        upgrade(old)
    assert _dump(old) == before


def _dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    found = list(connection.iterdump())
    connection.close()
    return found


def test_a_newer_store_is_left_alone(old: Path) -> None:
    upgrade(old)
    with sqlite3.connect(old) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(UpgradeError, match="newer gateway"):
        upgrade(old)
    with pytest.raises(SchemaError, match="newer gateway"):
        StoreQueries.open(old)


@pytest.mark.parametrize("made", ["by the revisions", "at the first start"])
def test_the_revisions_lead_to_the_tables_of_the_code(made: str, engine: Engine, tmp_path: Path) -> None:
    """Also what a fresh store gets: both ways to a schema are the same."""
    engine = _bare(engine, tmp_path) if made == "by the revisions" else engine
    if made == "by the revisions":
        with engine_of(engine.where).begin() as connection:
            to_revision(connection)
    else:
        asyncio.run(engine.open().close())
    with engine_of(engine.where).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == REVISION


def _bare(engine: Engine, tmp_path: Path) -> Engine:
    if isinstance(engine.where, str):
        for table in (*(one.name for one in metadata.sorted_tables), "alembic_version"):
            engine.sql(f'DROP TABLE "{table}" CASCADE')
        engine.sql("DROP FUNCTION audit_append_only")
    return engine


@pytest.mark.postgres
async def test_on_postgresql_the_first_revision_with_its_data_becomes_the_newest(
    postgres: Engine, tmp_path: Path
) -> None:
    """No store of the first revision ever was on PostgreSQL; what follows must carry data there, too."""
    bare = _bare(postgres, tmp_path)
    with engine_of(bare.where).begin() as connection:
        to_revision(connection, "0002")
    bare.sql(
        "INSERT INTO report "
        "(site, set_key, status, version, content_hash, document_id, created_at, updated_at) "
        "VALUES ('default', 'CR1', 'final', 1, 'h', '2.25.1', 1, 1)"
    )
    with pytest.raises(SchemaError, match="gateway db upgrade"):
        bare.queries()
    assert await asyncio.to_thread(upgrade, bare.where) == ("0002", REVISION)
    assert bare.sql("SELECT site, document_id, report_id FROM report_document") == [("default", "2.25.1", 1)]
    bare.queries().close()


@pytest.mark.postgres
async def test_no_upgrade_while_a_node_lives(postgres: Engine, postgres_server: Server) -> None:
    store = postgres.open()
    with pytest.raises(UpgradeError, match="still running"):
        await asyncio.to_thread(upgrade, postgres.where)
    await store.close()
    assert await asyncio.to_thread(upgrade, postgres.where) == (REVISION, REVISION)
