"""A database that cannot hold every text is refused in words, before anything is written."""

from pathlib import Path

import pytest

from gateway.store import SchemaError, open_store
from tests.postgres_support import Server


@pytest.mark.postgres
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_only_utf8_is_taken(postgres_server: Server, tmp_path: Path, encoding: str) -> None:
    where = postgres_server.database("template0", f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(SchemaError, match=f"encoding of the database is {encoding}, not UTF8"):
        open_store(where, tmp_path)


@pytest.mark.postgres
async def test_the_encoding_that_the_environment_wants_does_not_count(
    postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    await open_store(postgres_server.database(), tmp_path).close()
