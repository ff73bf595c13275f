"""The group writer tells the end of a piece of work when it is one, whether or not somebody still waits."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.connection import connect_writer, prepare
from gateway.store.session import Session
from gateway.store.sqlite_session import SqliteSession
from gateway.store.writer import GroupWriter


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[GroupWriter]:
    prepare(tmp_path / "store.db")
    made = GroupWriter(lambda: SqliteSession(connect_writer(tmp_path / "store.db")), SqliteSession.faults)
    yield made
    made.close()


async def test_the_end_is_told_after_the_work_although_nobody_waits_any_more(writer: GroupWriter) -> None:
    begun, go_on = threading.Event(), threading.Event()
    told: list[str] = []

    def work(session: Session) -> None:
        begun.set()
        assert go_on.wait(30)

    waiting = writer.submit(work, ended=lambda: told.append("ended"))
    assert await asyncio.to_thread(begun.wait, 30)
    waiting.cancel()
    await asyncio.sleep(0)
    assert told == []
    go_on.set()
    await writer.submit(lambda session: None)  # of a later group, so its result comes later
    assert told == ["ended"]


async def test_the_end_of_work_that_fails_is_told_before_its_error(writer: GroupWriter) -> None:
    told: list[str] = []

    def work(session: Session) -> None:
        raise ValueError("a rule failed")

    with pytest.raises(ValueError, match="a rule failed"):
        await writer.submit(work, ended=lambda: told.append("ended"))
    assert told == ["ended"]
