"""The engines of the store, for the tests of every folder: `engine` is each of them in turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres_support import Engine, Server, server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    yield from server()


@pytest.fixture
def postgres(postgres_server: Server, tmp_path: Path) -> Engine:
    """A PostgreSQL store that is empty."""
    return Engine(postgres_server.database(), tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An empty store of each engine."""
    if request.param == "postgres":
        found: Engine = request.getfixturevalue("postgres")
        return found
    return Engine(tmp_path / "gateway.db", tmp_path)
