"""A disk that fills up: the sender is told to come back, and nothing that was told AA is lost."""

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.demo.stage import Stage
from tests.faults.support import Account, compare, control, drained, message, run, send


def test_below_the_least_free_bytes_the_answer_is_ar_and_after_it_all_goes_on(stage: Stage) -> None:
    account = Account()
    run(send(stage, account, [message(1)]))
    drained(stage)
    assert stage.gateway is not None
    stage.gateway.stop()
    stage.serve(GATEWAY_LIMITS__MIN_FREE_BYTES=str(1 << 60))
    run(send(stage, account, [message(2)]))
    assert account.told == {"FAULT-1-1": "AA", "FAULT-2-1": "AR"}
    stage.gateway.stop()
    stage.serve()
    run(send(stage, account, [message(2)]))
    drained(stage)
    assert account.codes() == {"AA"}
    result = compare(stage, account)
    assert result.problems == (), str(result)


@pytest.fixture
def small(stage: Stage) -> Iterator[Path]:
    """The stage's gateway on a disk of its own that is really full when it is full."""
    assert stage.gateway is not None
    stage.gateway.stop()
    disk = stage.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "faults", disk],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip() or 'root only'}")
    try:
        (stage.folder / "gateway").rename(stage.folder / "gateway.unused")
        (stage.folder / "gateway").symlink_to(disk)
        stage.serve(GATEWAY_LIMITS__MIN_FREE_BYTES="0")
        yield disk
    finally:
        stage.gateway.kill()
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> Path:
    """Take the last byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as full:
                assert full.errno == errno.ENOSPC
    return filler


@pytest.mark.req("REQ-78")
def test_on_a_full_disk_the_answer_is_ar_and_what_was_taken_is_delivered_once(
    stage: Stage, small: Path
) -> None:
    """It fills up while documents are made and sent: outcomes and journals cannot be written, either."""
    account = Account()
    run(send(stage, account, [message(1)]))
    drained(stage)
    control(stage, "dmp", "slow", 2)  # one under way when the disk is full
    run(send(stage, account, [message(number) for number in (2, 3)]))
    assert account.codes() == {"AA"}
    filler = fill(small)
    refused = [message(number) for number in range(4, 40)]
    run(send(stage, account, refused))
    assert account.told["FAULT-39-1"] == "AR"
    filler.unlink()
    run(send(stage, account, [one for one in refused if account.told[one[0]] != "AA"]))
    assert account.codes() == {"AA"}
    assert {row["state"] for row in drained(stage, 120)} <= {"delivered", "ambiguous"}
    result = compare(stage, account)
    assert result.problems == (), str(result)
