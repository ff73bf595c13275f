"""Three nodes on one PostgreSQL under load, killed at random: 0 lost, 0 twice, 0 out of order (REQ-78)."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from tests.faults.nodes import LEASE, NAMES, NodesStage, send_somewhere
from tests.faults.support import LONG, Account, drained, message
from tests.postgres_support import Server

ROUNDS = 100 if LONG else 3

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(7200 if LONG else 180)]


@pytest.fixture(scope="module")
def stage(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodesStage]:
    """One for both tests: three gateways take their time to start."""
    one = NodesStage(tmp_path_factory.mktemp("nodes") / "stage", postgres_server.database())
    one.start()
    yield one
    one.stop()


def lanes(round_: int) -> list[list[tuple[str, bytes]]]:
    """Three senders; each report in two versions."""
    return [
        [message(1000 * round_ + 100 * lane + number // 2, 1 + number % 2) for number in range(16)]
        for lane in range(3)
    ]


@pytest.mark.req("REQ-43", "REQ-78")
def test_random_kills_of_one_of_three_nodes(stage: NodesStage) -> None:
    account, draw = Account(), random.Random(6)  # moments, no secret

    async def load(round_: int) -> None:
        sending = [
            asyncio.create_task(send_somewhere(stage, account, lane, first))
            for first, lane in enumerate(lanes(round_))
        ]
        await asyncio.sleep(draw.uniform(0.05, 1.5))
        victim = draw.choice(NAMES)
        stage.kill(victim, workers_too=draw.random() < 0.5)
        if draw.random() < 0.5:  # long enough for the others to take its work over
            await asyncio.sleep(1.5 * LEASE)
        await asyncio.to_thread(stage.node, victim)
        await asyncio.gather(*sending)

    for round_ in range(ROUNDS):
        asyncio.run(load(round_))
    found = drained(stage, 600 if LONG else 90)
    assert {row["state"] for row in found} <= {"delivered", "cancelled", "ambiguous"}
    assert {row["destination"] for row in found if row["state"] == "ambiguous"} <= {
        "mssante-ps",
        "mssante-patient",
    }
    assert account.codes() == {"AA"}
    result = stage.compare(account)
    assert result.problems == (), str(result)
    assert result.figures["acknowledged"] == ROUNDS * 48


@pytest.mark.req("REQ-43", "REQ-78")
def test_postgresql_restarts_under_load(stage: NodesStage, postgres_server: Server) -> None:
    account = Account()

    async def load() -> None:
        sending = [
            asyncio.create_task(send_somewhere(stage, account, lane, first))
            for first, lane in enumerate(lanes(900))
        ]
        await asyncio.sleep(0.5)
        await asyncio.to_thread(postgres_server.cluster.stop, crash=True)
        await asyncio.sleep(1.0)
        await asyncio.to_thread(postgres_server.cluster.start)
        await asyncio.gather(*sending)

    asyncio.run(load())
    found = drained(stage, 90)
    assert {row["state"] for row in found} <= {"delivered", "cancelled", "ambiguous"}
    result = stage.compare(account)
    assert result.problems == (), str(result)
    assert account.codes() == {"AA"}
