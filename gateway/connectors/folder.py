"""Deliveries into a folder: all files of a version appear at once, or none (write aside, fsync, rename)."""

import asyncio
import contextlib
import errno
import logging
import os
import shutil
from pathlib import Path

from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.folder import FolderRequest

log = logging.getLogger(__name__)

PERMANENT_ERRORS = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR, errno.ELOOP})
"""Faults of the name itself. All others (no space, no right, read-only, share gone) are mended outside."""


class FolderSender:
    """`ports.Sender` for FolderRequest. `root` is made when it does not exist."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def send(self, request: FolderRequest) -> Outcome:
        """Write the folder; the same bytes again change nothing. Never raises for a fault of the disk."""
        try:
            changed = await asyncio.to_thread(write, self._root, request)
        except OSError as error:
            return _failure(error)
        detail = "written" if changed else "there already, unchanged"
        return Outcome(
            kind=OutcomeKind.DELIVERED,
            detail=f"{detail}; {request.remark}" if request.remark else detail,
            remote_ids=(("folder", request.name),),
        )

    async def close(self) -> None:
        """Nothing is kept open."""


def write(root: Path, request: FolderRequest) -> bool:
    """Write `root/<name>/` durably; False when it holds exactly these files already. Raises OSError.

    A crash leaves either the old folder, or the new one, or (between the two renames of a replacement) both
    under dotted names, which the next attempt clears away.
    """
    target = root / request.name
    fresh, old = root / f".{request.name}.new", root / f".{request.name}.old"
    root.mkdir(parents=True, exist_ok=True)
    for leftover in (fresh, old):
        if leftover.exists():
            shutil.rmtree(leftover)
    if _holds(target, request.files):
        return False
    fresh.mkdir()
    for name, data in request.files:
        with (fresh / name).open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    _sync(fresh)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    _sync(root)
    if old.exists():
        shutil.rmtree(old)
    return True


def _holds(target: Path, files: tuple[tuple[str, bytes], ...]) -> bool:
    if not target.is_dir() or {path.name for path in target.iterdir()} != {name for name, _ in files}:
        return False
    return all((target / name).read_bytes() == data for name, data in files)


def _sync(folder: Path) -> None:
    """Make renames inside `folder` durable, where the system lets a folder be synced."""
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _failure(error: OSError) -> Outcome:
    permanent = error.errno in PERMANENT_ERRORS
    code = errno.errorcode.get(error.errno or 0, type(error).__name__)
    log.warning("folder not written", extra={"code": code})
    return Outcome(
        kind=OutcomeKind.PERMANENT if permanent else OutcomeKind.TRANSIENT,
        code=code,
        detail=os.strerror(error.errno) if error.errno else "the folder cannot be written",
    )
