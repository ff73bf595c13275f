"""Who of several workers gets a task: the one that has the documents of its version in memory; and hardly any
does while senders wait for each other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gateway.config import Settings
from gateway.pipeline.handing import FEW, PRESSED, PRESSED_FOR, UNEVEN, Handing
from gateway.pipeline.link import Link
from gateway.ports import Task
from gateway.store import SqliteStore, SystemClock
from tests.store_support import DMP, FOLDER


class Worker(Link):
    """One that takes what it is given, as far as it has room."""

    def __init__(self, name: str, space: int) -> None:
        super().__init__(name, Path(name))
        self.space, self.given = space, list[Task]()

    @property
    def alive(self) -> bool:
        return True

    @property
    def room(self) -> int:
        return self.space - len(self.given)

    async def give(self, tasks: tuple[Task, ...]) -> bool:
        self.given += tasks
        self.tasks |= {(task.kind, task.id): task for task in tasks}
        return True


def tasks(versions: Sequence[int]) -> tuple[Task, ...]:
    """A production each, or its two deliveries."""
    return (
        *(Task(kind="produce", id=one) for one in versions),
        *(
            Task(kind="deliver", id=10 * one + place, destination=kind, version=one)
            for one in versions
            for place, kind in enumerate((DMP, FOLDER))
        ),
    )


@pytest.fixture
async def handing(tmp_path: Path) -> AsyncIterator[Handing]:
    store = SqliteStore.open(tmp_path / "gateway.db")
    made = Handing(store, Settings(data_dir=tmp_path), SystemClock())
    yield made
    await store.close()


async def test_a_version_stays_with_one_worker_and_versions_are_spread(handing: Handing) -> None:
    first, second = handing.links = [Worker("a", 64), Worker("b", 64)]
    given = tasks(range(1, 9))
    for task in given:  # one claim each
        await handing._hand_out((task,))
    versions = [{one.version or one.id for one in worker.given} for worker in (first, second)]
    assert versions == [{2, 4, 6, 8}, {1, 3, 5, 7}]


async def test_who_has_much_more_to_do_gets_nothing_more(handing: Handing) -> None:
    first, second = handing.links = [Worker("a", 64), Worker("b", 64)]
    await handing._hand_out(tuple(Task(kind="produce", id=2 * number) for number in range(50)))
    assert len(first.given) + len(second.given) == 50
    assert abs(len(first.given) - len(second.given)) <= UNEVEN + 1


async def test_what_nobody_has_room_for_is_given_back(handing: Handing) -> None:
    (only,) = handing.links = [Worker("a", 3)]
    await handing._hand_out(tasks([1, 2]))
    assert len(only.given) == 3


@pytest.mark.req("REQ-43")
async def test_while_senders_wait_for_each_other_a_worker_has_few_tasks_and_never_none(
    handing: Handing,
) -> None:
    first, second = handing.links = [Worker("a", 64), Worker("b", 64)]
    handing.waiting = lambda: PRESSED
    assert handing._free() == 2 * FEW
    await handing._hand_out(tasks([1])[:1])
    assert handing._free() == 2 * FEW - 1
    await handing._hand_out(tasks([2, 3, 4]))
    assert handing._free() == 0
    handing.waiting = lambda: PRESSED - 1
    await asyncio.sleep(PRESSED_FOR)
    assert handing._free() == first.room + second.room > 0
