"""Deliveries into a folder: all files of a version appear at once, or none (write aside, fsync, rename)."""

import asyncio
import contextlib
import errno
import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.folder import FolderRequest

log = logging.getLogger(__name__)

PERMANENT_ERRORS = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR, errno.ELOOP})
"""Faults of the name itself. All others (no space, no right, read-only, share gone) are mended outside."""


class FolderSender:
    """`ports.Sender` for FolderRequest. `root` is made when it does not exist. Belongs to one event loop.

    What comes while the disk is at work is written together: putting the files of several versions on disk
    costs hardly more than those of one.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._waiting: deque[tuple[FolderRequest, asyncio.Future[bool]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def send(self, request: FolderRequest) -> Outcome:
        """Write the folder; the same bytes again change nothing. Never raises for a fault of the disk."""
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        try:
            changed = await written
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

    async def _write(self) -> None:
        """Until nothing waits."""
        while self._waiting:
            batch = self._next()
            requests = tuple(request for request, _ in batch)
            results: tuple[bool | Exception, ...]
            try:
                results = await asyncio.to_thread(write, self._root, requests)
            except Exception as error:
                results = (error,) * len(batch)
            for (_, written), result in zip(batch, results, strict=True):
                if written.done():  # given up meanwhile
                    continue
                if isinstance(result, Exception):
                    written.set_exception(result)
                else:
                    written.set_result(result)
        self._writing = None

    def _next(self) -> list[tuple[FolderRequest, asyncio.Future[bool]]]:
        """What waits, each folder once."""
        batch: dict[str, tuple[FolderRequest, asyncio.Future[bool]]] = {}
        while self._waiting and self._waiting[0][0].name not in batch:
            one = self._waiting.popleft()
            batch[one[0].name] = one
        return list(batch.values())


def write(root: Path, requests: Sequence[FolderRequest]) -> tuple[bool | OSError, ...]:
    """Write `root/<name>/` of each request durably; False where it holds exactly these files already, the
    fault where it could not be written. No two of them have the same name.

    A crash leaves either the old folder, or the new one, or (between the two renames of a replacement) both
    under dotted names, which the next attempt clears away.
    """
    results: dict[str, bool | OSError] = {}

    def each(step: Callable[[Path, FolderRequest], bool]) -> None:
        """`step` for every request that goes on: it gives False at the end of one."""
        for request in requests:
            if results.get(request.name, True) is True:
                try:
                    results[request.name] = step(root, request)
                except OSError as error:
                    results[request.name] = error

    for step in (_begin, _keep, _show):
        each(step)
    shown = [name for name, result in results.items() if result is True]
    try:
        if shown:
            _sync_folder(root)
    except OSError as error:
        results |= dict.fromkeys(shown, error)
    each(_tidy)
    return tuple(results[request.name] for request in requests)


def _begin(root: Path, request: FolderRequest) -> bool:
    """The files aside, on their way to the disk."""
    root.mkdir(parents=True, exist_ok=True)
    fresh = _fresh(root, request)
    for leftover in (fresh, _old(root, request)):
        if leftover.exists():
            shutil.rmtree(leftover)
    if _holds(root / request.name, request.files):
        return False
    fresh.mkdir()
    for name, data in request.files:
        with (fresh / name).open("xb") as file:
            file.write(data)
            file.flush()
            # Starts the writing and does not wait: the file system gives all files their place at once.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def _keep(root: Path, request: FolderRequest) -> bool:
    """The files on disk, and their names."""
    fresh = _fresh(root, request)
    for name, _ in request.files:
        _sync(fresh / name)
    _sync_folder(fresh)
    return True


def _show(root: Path, request: FolderRequest) -> bool:
    """Under their folder's name, at once."""
    target = root / request.name
    if target.exists():
        target.rename(_old(root, request))
    _fresh(root, request).rename(target)
    return True


def _tidy(root: Path, request: FolderRequest) -> bool:
    if _old(root, request).exists():
        shutil.rmtree(_old(root, request))
    return True


def _fresh(root: Path, request: FolderRequest) -> Path:
    return root / f".{request.name}.new"


def _old(root: Path, request: FolderRequest) -> Path:
    return root / f".{request.name}.old"


def _holds(target: Path, files: tuple[tuple[str, bytes], ...]) -> bool:
    if not target.is_dir() or {path.name for path in target.iterdir()} != {name for name, _ in files}:
        return False
    return all((target / name).read_bytes() == data for name, data in files)


def _sync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable, where the system lets a folder be synced."""
    with contextlib.suppress(PermissionError):
        _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
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
