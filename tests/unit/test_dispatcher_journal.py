"""The worker's journal: what is read back after any end of its writer."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway.config import Settings
from gateway.model.delivery import Destination, Outcome, OutcomeKind
from gateway.pipeline import journal, wire
from gateway.pipeline.journal import Journal
from gateway.ports import Settlement, Task
from tests.store_support import DMP, FOLDER, MAIL, NOW
from tests.support import ROOT

TASK = Task(kind="deliver", id=7, attempt=2)
WINDOW = 4


def settlement(task: Task = TASK) -> Settlement:
    return Settlement(
        delivery_id=task.id,
        outcome=Outcome(kind=OutcomeKind.DELIVERED, remote_ids=(("entryUUID", "u"),)),
        attempt=task.attempt,
        started_at=NOW,
        ended_at=NOW,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "worker-0.journal"


def test_an_outcome_is_read_back(path: Path) -> None:
    written = Journal(path, WINDOW)
    written.started(TASK, DMP, NOW, marks=False)
    written.ended(TASK, settlement())
    written.close()
    assert journal.recover(path).settlements == (settlement(),)


@pytest.mark.parametrize(
    ("destination", "marks", "begun", "ambiguous"),
    [
        (MAIL, True, False, False),  # still in the greeting: nothing left
        (MAIL, True, True, True),
        (MAIL, False, False, True),  # a sender that does not tell
        (Destination.MSSANTE_PATIENT, False, False, True),
        (DMP, False, False, False),  # the peer knows a repetition
        (FOLDER, False, False, False),
    ],
)
def test_an_attempt_without_outcome_is_ambiguous_where_it_may_have_left(
    path: Path, destination: Destination, marks: bool, begun: bool, ambiguous: bool
) -> None:
    written = Journal(path, WINDOW)
    written.started(TASK, destination, NOW, marks=marks)
    if begun:
        written.begun(TASK, NOW)
    written.close()
    found = journal.recover(path).settlements
    assert [one.outcome.kind for one in found] == [OutcomeKind.AMBIGUOUS] * ambiguous
    assert all((one.delivery_id, one.attempt) == (7, 2) for one in found)


def test_the_task_that_had_the_cpu_at_the_end_is_named(path: Path) -> None:
    written = Journal(path, WINDOW)
    written.working(Task(kind="produce", id=1))
    written.working(Task(kind="produce", id=2))
    written.close()
    assert journal.recover(path).working == Task(kind="produce", id=2)


def test_a_torn_last_line_is_left_out(path: Path) -> None:
    written = Journal(path, WINDOW)
    written.ended(TASK, settlement())
    written.ended(Task(kind="deliver", id=8), settlement(Task(kind="deliver", id=8)))
    written.close()
    path.write_bytes(path.read_bytes()[:-20])
    assert journal.recover(path).settlements == (settlement(),)


def test_a_journal_written_anew_keeps_all_that_may_not_be_settled_yet(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_LINES", 40)
    written = Journal(path, WINDOW)
    under_way = Task(kind="deliver", id=10_000)
    written.started(under_way, MAIL, NOW, marks=True)
    written.begun(under_way, NOW)
    for number in range(100):
        task = Task(kind="deliver", id=number)
        written.started(task, DMP, NOW, marks=False)
        written.ended(task, settlement(task))
        assert len(path.read_bytes().splitlines()) < 60
    written.close()
    found = journal.recover(path).settlements
    assert {one.delivery_id for one in found} >= {*range(100 - WINDOW, 100), 10_000}
    assert found[-1].outcome.code == "DELIVERY-INTERRUPTED"


def test_what_begins_to_leave_while_the_journal_is_written_anew_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`begun` comes in a thread of the sender: here in the very moment when the new file is put on disk."""
    monkeypatch.setattr(journal, "_LINES", 3)
    written = Journal(path, WINDOW)
    written.started(TASK, MAIL, NOW, marks=True)
    sender = threading.Thread(target=written.begun, args=(TASK, NOW))
    real = os.fdatasync

    def on_disk(file: int) -> None:
        real(file)
        if threading.current_thread() is threading.main_thread():
            sender.start()
            sender.join(0.1)  # it must wait

    monkeypatch.setattr(os, "fdatasync", on_disk)
    for number in range(3):
        task = Task(kind="deliver", id=number)
        written.ended(task, settlement(task))
    sender.join()
    written.close()
    assert journal.recover(path).settlements[-1].outcome.kind is OutcomeKind.AMBIGUOUS


def test_a_journal_is_held_as_long_as_its_worker_lives(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gateway.pipeline.journal import Journal;"
        f"j = Journal(Path({str(path)!r}), 4); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    assert journal.alive(path)
    with pytest.raises(BlockingIOError):
        Journal(path, WINDOW)
    child.kill()
    child.communicate()
    assert not journal.alive(path)
    assert journal.all_in(path.parent) == (path,)


def test_settings_reach_the_worker_whole_with_their_secrets(tmp_path: Path) -> None:
    """A mask instead of the password would let every mail fail."""
    current = Settings(
        data_dir=tmp_path,
        workers=3,
        mssante={"host": "localhost", "password": "s3cret", "ca": tmp_path / "ca.pem"},  # type: ignore[arg-type]
        retry={"first": 0.5},  # type: ignore[arg-type]
    )
    again = Settings(**wire.dump(current))
    assert again == current
    assert again.mssante.password is not None
    assert again.mssante.password.get_secret_value() == "s3cret"
