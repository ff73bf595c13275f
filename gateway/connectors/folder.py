"""Deliveries into a folder: all files of a version appear at once, or none (write aside, fsync, rename)."""

import asyncio
import contextlib
import errno
import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.folder import FolderRequest

log = logging.getLogger(__name__)

PERMANENT_ERRORS = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR, errno.ELOOP})
"""Faults of the name itself. All others (no space, no right, read-only, share gone) are mended outside."""

TURN = 0.04
"""Seconds from one writing to the next at least. Putting five folders on disk together takes half the CPU
of five writings, and nobody waits for a folder."""
CONCURRENCY = 16
"""Sends that find room in one writing; each holds its files open, six descriptors."""


class FolderSender:
    """`ports.Sender` for FolderRequest. `root` is made when it does not exist. Belongs to one event loop.

    What comes while the disk is at work, or before its next turn, is written together.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._thread = ThreadPoolExecutor(1, "folder")
        self._next_turn = 0.0
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
        self._thread.shutdown(wait=False)

    async def _write(self) -> None:
        """Until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(self._next_turn - loop.time())
            self._next_turn = loop.time() + TURN
            batch = self._next()
            requests = tuple(request for request, _ in batch)
            results: tuple[bool | Exception, ...]
            try:
                results = await loop.run_in_executor(self._thread, write, self._root, requests)
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
        """What waits, each folder once, CONCURRENCY at most."""
        batch: dict[str, tuple[FolderRequest, asyncio.Future[bool]]] = {}
        while self._waiting and len(batch) < CONCURRENCY and self._waiting[0][0].name not in batch:
            one = self._waiting.popleft()
            batch[one[0].name] = one
        return list(batch.values())


def write(root: Path, requests: Sequence[FolderRequest]) -> tuple[bool | OSError, ...]:
    """Write `root/<name>/` of each request durably; False where it holds exactly these files already, the
    fault where it could not be written. No two of them have the same name.

    A crash leaves either the old folder, or the new one, or (between the two renames of a replacement) both
    under dotted names, which the next attempt clears away.
    """
    root.mkdir(parents=True, exist_ok=True)
    place = os.open(root, _PLACE)
    folders = tuple(_Folder(place, request) for request in requests)
    results: dict[_Folder, bool | OSError] = {}

    def each(step: Callable[[_Folder], bool]) -> None:
        """`step` for every folder that goes on: it gives False at the end of one."""
        for one in folders:
            if results.get(one, True) is True:
                try:
                    results[one] = step(one)
                except OSError as error:
                    results[one] = error

    try:
        for step in (_Folder.begin, _Folder.push, _Folder.keep, _Folder.show):
            each(step)
        shown = [one for one, result in results.items() if result is True]
        try:
            if shown:
                _sync_names(place)
        except OSError as error:
            results |= dict.fromkeys(shown, error)
        each(_Folder.tidy)
    finally:
        for one in folders:
            one.close()
        os.close(place)
    return tuple(results[one] for one in folders)


_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
"""Enough to name what lies in a folder; its own rights are asked for nothing more."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class _Folder:
    """One request on its way to the disk. Its files stay open until they are there: opening a file costs
    more than writing it. `place` is the root."""

    __slots__ = ("_files", "_fresh", "_old", "_place", "_replaces", "_request")

    def __init__(self, place: int, request: FolderRequest) -> None:
        self._place, self._request = place, request
        self._fresh, self._old = f".{request.name}.new", f".{request.name}.old"
        self._files: list[int] = []
        self._replaces = False

    def begin(self) -> bool:
        """The files aside; False: they are there already."""
        self._replaces = _exists(self._place, self._request.name)
        if self._replaces:
            _clear(self._place, self._old)  # of a crash
            if _holds(self._place, self._request):
                _clear(self._place, self._fresh)
                return False
        try:
            os.mkdir(self._fresh, dir_fd=self._place)
        except FileExistsError:  # of a crash, too
            _clear(self._place, self._fresh)
            _clear(self._place, self._old)
            os.mkdir(self._fresh, dir_fd=self._place)
        inside = os.open(self._fresh, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._place)
        self._files.append(inside)
        for name, data in self._request.files:
            file = os.open(name, _NEW, 0o666, dir_fd=inside)
            self._files.append(file)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
        return True

    def push(self) -> bool:
        """Starts the writing and does not wait: the file system gives all files of all folders their place at
        once, which it does for half the CPU when the last of them is there."""
        for file in self._files[1:]:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        return True

    def keep(self) -> bool:
        """The files on disk, and their names."""
        inside, *files = self._files
        for file in files:
            os.fsync(file)
        os.fsync(inside)
        return True

    def show(self) -> bool:
        """Under their folder's name, at once."""
        if self._replaces:
            _rename(self._place, self._request.name, self._old)
        _rename(self._place, self._fresh, self._request.name)
        return True

    def tidy(self) -> bool:
        if self._replaces:
            _clear(self._place, self._old)
        return True

    def close(self) -> None:
        files, self._files = self._files, []
        for file in files:
            os.close(file)


def _exists(place: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _clear(place: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(name, dir_fd=place)


def _rename(place: int, name: str, new: str) -> None:
    os.rename(name, new, src_dir_fd=place, dst_dir_fd=place)


def _holds(place: int, request: FolderRequest) -> bool:
    """The folder has exactly these files."""
    inside = os.open(request.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
    try:
        if {entry.name for entry in os.scandir(inside)} != {name for name, _ in request.files}:
            return False
        return all(_read(inside, name) == data for name, data in request.files)
    finally:
        os.close(inside)


def _read(inside: int, name: str) -> bytes:
    with open(name, "rb", opener=lambda path, flags: os.open(path, flags, dir_fd=inside)) as file:
        return file.read()


def _sync_names(place: int) -> None:
    """Make renames in it durable, where the system lets a folder be synced."""
    with contextlib.suppress(PermissionError):
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
        try:
            os.fsync(readable)
        finally:
            os.close(readable)


def _failure(error: OSError) -> Outcome:
    permanent = error.errno in PERMANENT_ERRORS
    code = errno.errorcode.get(error.errno or 0, type(error).__name__)
    log.warning("folder not written", extra={"code": code})
    return Outcome(
        kind=OutcomeKind.PERMANENT if permanent else OutcomeKind.TRANSIENT,
        code=code,
        detail=os.strerror(error.errno) if error.errno else "the folder cannot be written",
    )
