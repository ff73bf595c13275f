"""Verbs on a store that cannot be used say so in a sentence: they are called when something is broken."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.store.connection import prepare

VERBS = (
    ("messages",),
    ("deliveries",),
    ("delivery", "1"),
    ("retry", "1"),
    ("pause", "dmp"),
    ("announce", "1"),
    ("evidence", "1", "--out", "proof.zip"),
    ("export", "--out", "all.zip"),
    ("db", "check"),
    ("db", "upgrade"),
    ("db", "backup", "copy"),
    ("doctor",),
)


def newer(store: Path) -> None:
    prepare(store)
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")


def garbage(store: Path) -> None:
    store.write_bytes(b"this is no database, whatever its name says" * 100)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("spoil", [newer, garbage], ids=["newer", "garbage"])
def test_a_store_that_cannot_be_used_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...], spoil: Callable[[Path], None]
) -> None:
    spoil(tmp_path / "gateway.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path))
    done = CliRunner().invoke(app, list(verb))
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), f"a traceback: {done.exception!r}"
    assert ("newer gateway" if spoil is newer else "not a database") in done.output
