"""What comes in quick succession is claimed and settled together: a settlement is a commit."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings
from gateway.model.delivery import OutcomeKind
from gateway.pipeline.dispatcher import Dispatcher
from gateway.pipeline.handing import BREATH, Handing
from gateway.pipeline.link import Link
from gateway.pipeline.settling import LEAST, MOST_BYTES, Settling
from gateway.pipeline.wire import Report
from gateway.ports import Produced, Settlement
from gateway.store import SqliteStore, StoreQueries, SystemClock
from tests.store_support import (
    DMP,
    FACTORY,
    FAST_RETRY,
    FOLDER,
    concluding,
    document,
    planned,
    received,
    until,
    world,
)

REPORTS = 60


def counted(store: SqliteStore, name: str, calls: list[Any]) -> None:
    plain: Callable[..., Awaitable[Any]] = getattr(store, name)

    async def counting(*given: Any) -> Any:
        calls.append(given)
        return await plain(*given)

    setattr(store, name, counting)


@pytest.mark.req("REQ-43")
async def test_a_flood_is_claimed_and_settled_at_a_bounded_pace(tmp_path: Path) -> None:
    world(tmp_path)
    settings = Settings(data_dir=tmp_path, workers=0, retry=FAST_RETRY)
    store = SqliteStore.open(settings.database, retry=settings.retry)
    dispatcher = Dispatcher(store, settings, SystemClock(), factory=FACTORY)
    claims: list[Any] = []
    settlements: list[Any] = []
    counted(store, "claim", claims)
    counted(store, "settle", settlements)
    store.subscribe(dispatcher.wake)
    await dispatcher.start()
    begun = time.monotonic()
    for number in range(REPORTS):
        await store.commit(
            received(str(number)), concluding(planned(DMP), planned(FOLDER), order=f"CR{number}")
        )
    queries = StoreQueries.open(settings.database)
    await until(lambda: [row[1:] for row in queries.delivery_counts()] == [("delivered", REPORTS)] * 2)
    seconds = time.monotonic() - begun
    await dispatcher.stop()
    await store.close()
    queries.close()
    assert len(claims) <= seconds / BREATH + 2
    assert len(settlements) <= seconds / LEAST + 2
    results = [one for (batch,) in settlements for one in batch]
    delivered = [one.outcome.kind for one in results if isinstance(one, Settlement)]
    assert delivered == [OutcomeKind.DELIVERED] * (2 * REPORTS)
    assert len(settlements) < len(results)


class Slow(SqliteStore):
    """Counts the documents of each settlement."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def settle(self, results: tuple[Produced | Settlement, ...]) -> None:
        made = [one for one in results if isinstance(one, Produced)]
        self.sizes.append(sum(len(document.data) for one in made for document in one.documents))


async def test_a_settlement_of_large_documents_is_no_longer_than_it_must_be(tmp_path: Path) -> None:
    store = Slow()
    settings = Settings(data_dir=tmp_path)
    written: list[int] = []
    settling = Settling(
        store,
        Handing(store, settings, SystemClock()),
        lambda report: written.extend(made.version_id for made in report.produced),
    )
    link = Link("worker-0", tmp_path / "worker-0.journal")
    for number in range(6):
        large = document(b"x" * (MOST_BYTES // 2 + 1))
        settling.put(link, Report(produced=(Produced(version_id=number, documents=(large,)),)))
    running = asyncio.create_task(settling.run())
    await settling.written()
    running.cancel()
    assert written == list(range(6))
    assert max(store.sizes) < 2 * MOST_BYTES
    assert len(store.sizes) == 3
