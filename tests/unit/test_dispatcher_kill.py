"""`kill -9` of the whole gateway under load, and a restart: all that was acknowledged arrives, once."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gateway.model.delivery import Destination
from gateway.store import StoreQueries
from tests.store_support import DMP, FOLDER, MAIL, ledger, until, world
from tests.support import ROOT
from tests.unit.test_dispatcher_run import running, settings, states


class Gateway:
    """The child process, in a process group of its own with its workers."""

    def __init__(self, data_dir: Path, first: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.store_child", str(data_dir), "1", str(first)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )

    def acknowledged(self, count: int) -> list[str]:
        assert self._process.stdout is not None
        return [self._process.stdout.readline().strip() for _ in range(count)]

    def kill(self, *, workers_too: bool) -> list[str]:
        """SIGKILL; what it had acknowledged beyond."""
        assert self._process.stdout is not None
        if workers_too:
            os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        return [line.strip() for line in self._process.stdout if line.endswith("\n")]


def delivered(data_dir: Path, destination: Destination) -> Counter[str]:
    return Counter(line["order"] for line in ledger(data_dir, destination))


@pytest.mark.req("REQ-43", "REQ-78")
@pytest.mark.timeout(300)
async def test_after_kill_9_of_the_gateway_every_acknowledged_message_arrives_exactly_once(
    tmp_path: Path,
) -> None:
    """The workers outlive their gateway by the sends under way, and the next one waits for them."""
    world(tmp_path, before=0.01, delay=0.05)
    acknowledged: list[str] = []
    for round_number in range(3):
        gateway = Gateway(tmp_path, 1000 * round_number)
        acknowledged += gateway.acknowledged(40)
        await until(lambda count=round_number: len(ledger(tmp_path, MAIL)) > 5 * (count + 1))
        acknowledged += gateway.kill(workers_too=False)
    world(tmp_path)
    async with running(settings(tmp_path, 1)) as (_, _, queries):
        await until(lambda: set(states(queries)) == {"delivered"}, seconds=200)
        assert queries.problems() == []
    for destination in (DMP, FOLDER, MAIL):
        counts = delivered(tmp_path, destination)
        assert set(acknowledged) <= set(counts)
        assert set(counts.values()) == {1}, destination


@pytest.mark.req("REQ-78")
@pytest.mark.timeout(300)
async def test_after_kill_9_of_gateway_and_workers_no_mail_goes_twice(tmp_path: Path) -> None:
    """What may have left is shown as ambiguous; DMP and folder are repeated, which their peers recognise."""
    world(tmp_path, delay=0.05)
    gateway = Gateway(tmp_path, 0)
    acknowledged = gateway.acknowledged(30)
    await until(lambda: len(ledger(tmp_path, MAIL)) > 5)
    acknowledged += gateway.kill(workers_too=True)
    world(tmp_path)
    async with running(settings(tmp_path, 1)) as (_, _, queries):
        await until(lambda: set(states(queries)) <= {"delivered", "ambiguous"}, seconds=200)
        await asyncio.sleep(0.3)
        stuck = queries.deliveries(state="ambiguous", limit=100)
    assert {row["destination"] for row in stuck} <= {"mssante-ps"}
    assert len(stuck) <= 4  # as many as were being sent
    mails = delivered(tmp_path, MAIL)
    assert set(mails.values()) == {1}
    assert len(set(acknowledged) - set(mails)) <= len(stuck)
    for destination in (DMP, FOLDER):
        assert set(acknowledged) <= set(delivered(tmp_path, destination))


@pytest.mark.req("REQ-78")
async def test_a_restarted_gateway_waits_for_the_worker_that_is_still_sending(tmp_path: Path) -> None:
    """Else it would settle as ambiguous, or send again, what is just about to end well."""
    world(tmp_path, delay=60.0)
    gateway = Gateway(tmp_path, 0)
    await until(lambda: len(ledger(tmp_path, MAIL)) >= 1)
    gateway.kill(workers_too=False)
    async with running(settings(tmp_path, 1)) as (_, dispatcher, queries):
        await asyncio.sleep(0.2)
        assert dispatcher.status()["recovered"] is False
        assert "delivered" not in states(queries)
        world(tmp_path)
        await until(lambda: set(states(queries)) == {"delivered"}, seconds=200)
    assert set(delivered(tmp_path, MAIL).values()) == {1}


def test_a_second_gateway_for_the_folder_is_refused_while_the_first_runs(tmp_path: Path) -> None:
    world(tmp_path)
    gateway = Gateway(tmp_path, 0)
    gateway.acknowledged(1)
    second = subprocess.run(
        [sys.executable, "-m", "tests.store_child", str(tmp_path), "-1", "0"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=30,
        check=False,
    )
    gateway.kill(workers_too=True)
    assert second.returncode == 1
    assert "is served by another gateway (process" in second.stderr
    assert StoreQueries.open(tmp_path / "gateway.db").problems() == []
