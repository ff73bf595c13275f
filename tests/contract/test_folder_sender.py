"""FolderSender: all files at once or none, the same again, faults of the disk as outcomes."""

import asyncio
import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from gateway.connectors import folder
from gateway.connectors.folder import FolderSender
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.folder import FolderRequest
from gateway.pipeline.destinations.folder import prepare
from tests.unit.mail_jobs import job

REQUEST = FolderRequest(name="CR-1_0a_v1", files=(("cda.xml", b"<a/>"), ("report.pdf", b"%PDF-")))


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def test_the_files_stand_in_their_folder(tmp_path: Path) -> None:
    outcome = await FolderSender(tmp_path / "new" / "outbox").send(REQUEST)
    assert (outcome.kind, outcome.detail) == (OutcomeKind.DELIVERED, "written")
    assert outcome.remote_ids == (("folder", "CR-1_0a_v1"),)
    assert tree(tmp_path / "new" / "outbox") == {
        "CR-1_0a_v1/cda.xml": b"<a/>",
        "CR-1_0a_v1/report.pdf": b"%PDF-",
    }


async def test_the_same_bytes_again_change_nothing(tmp_path: Path) -> None:
    sender = FolderSender(tmp_path)
    await sender.send(REQUEST)
    before = (tmp_path / REQUEST.name / "cda.xml").stat()
    outcome = await sender.send(REQUEST)
    after = (tmp_path / REQUEST.name / "cda.xml").stat()
    assert outcome.detail == "there already, unchanged"
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


async def test_other_bytes_replace_the_whole_folder(tmp_path: Path) -> None:
    sender = FolderSender(tmp_path)
    await sender.send(REQUEST)
    await sender.send(FolderRequest(name=REQUEST.name, files=(("cda.xml", b"<b/>"),)))
    assert tree(tmp_path) == {"CR-1_0a_v1/cda.xml": b"<b/>"}


async def test_leftovers_of_a_crash_are_cleared(tmp_path: Path) -> None:
    for leftover in (".CR-1_0a_v1.new", ".CR-1_0a_v1.old"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "half").write_bytes(b"x")
    await FolderSender(tmp_path).send(REQUEST)
    assert set(tree(tmp_path)) == {"CR-1_0a_v1/cda.xml", "CR-1_0a_v1/report.pdf"}


async def test_a_crash_while_writing_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    sender = FolderSender(tmp_path)
    outcome = await sender.send(REQUEST)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TRANSIENT, "ENOSPC")
    assert not (tmp_path / REQUEST.name).exists()
    monkeypatch.undo()
    assert (await sender.send(REQUEST)).kind is OutcomeKind.DELIVERED


async def test_every_file_and_the_folder_are_synced_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    real = os.fsync

    def watch(handle: int) -> None:
        synced.append((tmp_path / REQUEST.name).exists())
        real(handle)

    monkeypatch.setattr(os, "fsync", watch)
    await FolderSender(tmp_path).send(REQUEST)
    assert synced == [False, False, False, True]  # two files, their folder; then the root, with the rename


async def test_what_comes_meanwhile_is_written_together_and_fails_alone(tmp_path: Path) -> None:
    (tmp_path / ".bad.new").write_bytes(b"a file, not a folder")
    names = ("first", "a", "bad", "b", "a")
    sender = FolderSender(tmp_path)
    outcomes = await asyncio.gather(
        *(sender.send(FolderRequest(name=name, files=(("cda.xml", b"<a/>"),))) for name in names)
    )
    assert [(one.kind, one.code or one.detail) for one in outcomes] == [
        (OutcomeKind.DELIVERED, "written"),
        (OutcomeKind.DELIVERED, "written"),
        (OutcomeKind.PERMANENT, "ENOTDIR"),
        (OutcomeKind.DELIVERED, "written"),
        (OutcomeKind.DELIVERED, "there already, unchanged"),  # of one name in turn, never at a time
    ]
    (tmp_path / ".bad.new").unlink()
    assert set(tree(tmp_path)) == {f"{name}/cda.xml" for name in ("first", "a", "b")}


async def test_a_name_that_is_not_on_disk_is_no_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fail(handle: int) -> None:
        if os.path.samestat(os.fstat(handle), tmp_path.stat()):
            raise OSError(errno.EIO, "the root")
        real(handle)

    monkeypatch.setattr(os, "fsync", fail)
    outcome = await FolderSender(tmp_path).send(REQUEST)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TRANSIENT, "EIO")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, OutcomeKind.TRANSIENT),
        (errno.EACCES, OutcomeKind.TRANSIENT),
        (errno.EROFS, OutcomeKind.TRANSIENT),
        (errno.ENAMETOOLONG, OutcomeKind.PERMANENT),
        (errno.ENOTDIR, OutcomeKind.PERMANENT),
    ],
)
async def test_faults_of_the_disk_are_outcomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: OutcomeKind
) -> None:
    def fail(*_: object) -> bool:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(folder, "write", fail)
    outcome = await FolderSender(tmp_path).send(REQUEST)
    assert (outcome.kind, outcome.code) == (kind, errno.errorcode[code])


async def test_what_could_not_be_made_is_part_of_the_outcome(tmp_path: Path) -> None:
    request = FolderRequest(name="a", files=(("cda.xml", b""),), remark="without metadata.xml")
    assert (await FolderSender(tmp_path).send(request)).detail == "written; without metadata.xml"


async def test_a_prepared_delivery_is_written(tmp_path: Path) -> None:
    request = prepare(job())
    assert (await FolderSender(tmp_path).send(request)).kind is OutcomeKind.DELIVERED
    assert {path.name for path in (tmp_path / request.name).iterdir()} == {
        "cda.xml",
        "report.pdf",
        "metadata.xml",
        "IHE_XDM.ZIP",
        "summary.json",
    }
    named = json.loads((tmp_path / request.name / "summary.json").read_bytes())["files"]
    assert {one["name"]: one["sha256"] for one in named} == {
        name: hashlib.sha256(data).hexdigest() for name, data in request.files if name != "summary.json"
    }


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many folders each writing writes."""
    batches: list[int] = []
    real = folder.write

    def counting(root: Path, requests: tuple[FolderRequest, ...]) -> tuple[bool | OSError, ...]:
        batches.append(len(requests))
        return real(root, requests)

    monkeypatch.setattr(folder, "write", counting)
    return batches


async def test_what_comes_soon_after_a_writing_waits_for_the_next_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = counted(monkeypatch)
    monkeypatch.setattr(folder, "TURN", 1.0)
    sender = FolderSender(tmp_path)
    await sender.send(REQUEST)
    later: list[asyncio.Task[Outcome]] = []
    for number in range(3):
        later.append(asyncio.create_task(sender.send(FolderRequest(name=f"{number}", files=()))))
        await asyncio.sleep(0.01)
    assert [(await one).kind for one in later] == [OutcomeKind.DELIVERED] * 3
    assert batches == [1, 3]


async def test_a_long_queue_is_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = counted(monkeypatch)
    sender = FolderSender(tmp_path)
    requests = [FolderRequest(name=f"{number}", files=()) for number in range(folder.CONCURRENCY + 1)]
    await asyncio.gather(*(sender.send(one) for one in requests))
    assert batches == [folder.CONCURRENCY, 1]
