"""What several contract tests start from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.intake_house import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An intake on an empty store, without workers."""
    one = House(tmp_path)
    yield one
    one.queries.close()
    await one.store.close()
