"""What several contract tests start from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.intake_house import House


@pytest.fixture
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """An intake on an empty store, without workers: embedded; on each engine where a test uses `engine`."""
    engine = request.getfixturevalue("engine") if "engine" in request.fixturenames else None
    one = House(tmp_path, engine=engine)
    yield one
    one.queries.close()
    await one.store.close()
