"""Mappers: another process reads a message as this one would, and its death costs nobody an answer."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.mapping import sites
from gateway.model.base import replace
from gateway.pipeline import mappers as pool
from gateway.pipeline.mapper import Use
from gateway.pipeline.mappers import Mappers, _Link
from gateway.pipeline.reading import Reading, pack, read, unpack
from tests.support import FIXTURES, SAMPLES, needs_samples

SITES = sites.load()
SHIPPED = Use(sites_dir="", site=sites.DEFAULT)
MESSAGES = sorted((FIXTURES / "hl7v2").glob("*.er7"))
ORU = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes()
linux = pytest.mark.skipif(sys.platform != "linux", reason="finds the children of a process in /proc")


@asynccontextmanager
async def running(count: int = 1) -> AsyncIterator[Mappers]:
    made = Mappers(count, SITES, SHIPPED)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def up(made: Mappers, count: int = 1) -> None:
    async with asyncio.timeout(60):
        while made.alive < count:  # noqa: ASYNC110  # another process starts: nothing to await
            await asyncio.sleep(0.02)


def children() -> set[int]:
    """Mapper processes of this one."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        for pid in map(int, (task / "children").read_text().split()):
            if b"gateway.pipeline.mapper" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def traced(reading: Reading) -> Reading:
    """`reading` with the values of its traces, which travel as text."""
    reports = tuple(
        one._replace(mapped=replace(one.mapped, trace=one.mapped.traced)) for one in reading.reports
    )
    return reading._replace(reports=reports)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_a_reading_is_the_same_after_the_way_between_processes(path: Path) -> None:
    reading = read(path.read_bytes(), SITES)
    assert traced(unpack(pack(reading))) == reading


@needs_samples
@pytest.mark.samples
def test_readings_of_official_messages_are_the_same_after_the_way() -> None:
    files = [path for path in (SAMPLES / "hl7v2").rglob("*") if path.is_file()]
    assert len(files) > 50
    for path in files:
        reading = read(path.read_bytes(), SITES)
        assert traced(unpack(pack(reading))) == reading, path.name


async def test_a_mapper_reads_as_this_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [read(path.read_bytes(), SITES) for path in MESSAGES]
    async with running(2) as made:
        await up(made, 2)
        # Whatever is not read by the mappers now has no reading.
        monkeypatch.setattr(pool, "read", None)
        read_there = await asyncio.gather(*(made.read(path.read_bytes()) for path in MESSAGES))
    assert [traced(one) for one in read_there] == expected


async def test_more_than_a_socket_holds_waits_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    document = b"\rOBX|6|ED|^PDF||^application^pdf^Base64^JVBERi0%06d" + b"QUJD" * 60_000 + b"||||||F"
    frames = [
        one for number in range(8) for one in (ORU.rstrip() + document % number, ORU + b"NTE|%d" % number)
    ]
    async with running() as made:
        await up(made)
        monkeypatch.setattr(pool, "read", None)
        read_there = await asyncio.gather(*map(made.read, frames))
    assert [traced(one) for one in read_there] == [read(frame, SITES) for frame in frames]


async def test_without_mappers_and_before_they_are_up_messages_are_read_here() -> None:
    async with running(0) as none, running(1) as starting:
        assert not starting.alive
        assert await none.read(ORU) == await starting.read(ORU) == read(ORU, SITES)


@linux
async def test_what_a_dying_mapper_had_is_read_here_and_another_one_takes_its_place() -> None:
    async with running() as made:
        await up(made)
        (pid,) = children()
        os.kill(pid, signal.SIGSTOP)  # it takes what it is given, and never answers
        asked = [asyncio.create_task(made.read(ORU)) for _ in range(20)]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in asked)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            assert list(map(traced, await asyncio.gather(*asked))) == [read(ORU, SITES)] * 20
        await up(made)
        assert pid not in children()
        assert traced(await made.read(ORU)) == read(ORU, SITES)
    assert not children()


@linux
async def test_a_stuck_mapper_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "STUCK", 0.2)
    async with running() as made:
        await up(made)
        (pid,) = children()
        os.kill(pid, signal.SIGSTOP)
        async with asyncio.timeout(30):
            assert traced(await made.read(ORU)) == read(ORU, SITES)
        await up(made)
        assert pid not in children()


async def test_other_profiles_are_used_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ours.toml").write_text('[match]\nsending_application = ["RIS-AMBROISE"]\n')
    ours, use = sites.load(tmp_path), Use(sites_dir=str(tmp_path), site=sites.DEFAULT)
    async with running() as made:
        await up(made)
        assert (await made.read(ORU)).envelope.site == sites.DEFAULT
        made.use(ours, use)
        monkeypatch.setattr(pool, "read", None)
        assert (await made.read(ORU)).envelope.site == "ours"


async def test_profiles_that_change_while_a_mapper_starts_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ours.toml").write_text('[match]\nsending_application = ["RIS-AMBROISE"]\n')
    ours, use = sites.load(tmp_path), Use(sites_dir=str(tmp_path), site=sites.DEFAULT)
    told = asyncio.Event()
    connected = _Link.connection_made

    def connection_made(link: _Link, transport: asyncio.BaseTransport) -> None:
        connected(link, transport)
        asyncio.get_running_loop().call_later(0.01, told.set)

    monkeypatch.setattr(_Link, "connection_made", connection_made)
    async with running() as made:
        await told.wait()
        made.use(ours, use)
        monkeypatch.setattr(pool, "read", None)
        await up(made)
        assert (await made.read(ORU)).envelope.site == "ours"


async def test_a_profile_that_was_taken_away_meanwhile_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text('[match]\nsending_application = ["RIS-AMBROISE"]\n')
    made = Mappers(1, sites.load(tmp_path), Use(sites_dir=str(tmp_path), site=sites.DEFAULT))
    await made.start()
    try:
        await up(made)
        asked = asyncio.create_task(made.read(ORU))
        await asyncio.sleep(0)
        made.use(SITES, SHIPPED)
        assert (await asked).envelope.site == sites.DEFAULT
    finally:
        await made.stop()
