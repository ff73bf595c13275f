"""Large documents on their way from a worker to the store: as files, because a frame of their size would be
copied several times, and the intake's event loop would stand still meanwhile.

The folder belongs to one worker's place; what a dead worker left there is made again, so it is swept away.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from gateway.model.base import replace
from gateway.model.version import Document
from gateway.pipeline.wire import Report
from gateway.ports import Produced, Task

LARGE = 256 * 1024
"""Bytes from which a document goes by file."""


class Spool:
    """`put` is called by the worker, `take` by the dispatcher."""

    def __init__(self, journal: Path) -> None:
        """Beside the worker's journal, which names its place."""
        self._folder = journal.with_suffix(".spool")

    def sweep(self) -> None:
        """Nobody will ask for what is there."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def wanted(self, made: Produced) -> bool:
        """Whether `put` writes anything."""
        return any(len(document.data) >= LARGE for document in made.documents)

    def put(self, made: Produced) -> Produced:
        """The same without the bytes of its large documents. Raises OSError."""
        return replace(made, documents=tuple(map(self._put, made.documents)))

    def holds(self, report: Report) -> bool:
        """Whether any document of the report went by file."""
        return any(not document.data for made in report.produced for document in made.documents)

    def take(self, report: Report) -> Report:
        """The same with all bytes; what cannot be read again was not produced, and is given back."""
        whole: list[Produced] = []
        lost: list[Task] = []
        for made in report.produced:
            try:
                whole.append(replace(made, documents=tuple(map(self._take, made.documents))))
            except OSError:
                lost.append(Task(kind="produce", id=made.version_id))
        self._forget(made.documents for made in report.produced)
        return replace(report, produced=tuple(whole), returned=(*report.returned, *lost))

    def _put(self, document: Document) -> Document:
        if len(document.data) < LARGE:
            return document
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / document.sha256
        path.touch(mode=0o600)
        path.write_bytes(document.data)
        return replace(document, data=b"")

    def _take(self, document: Document) -> Document:
        if document.data:
            return document
        return replace(document, data=(self._folder / document.sha256).read_bytes())

    def _forget(self, reports: Iterable[tuple[Document, ...]]) -> None:
        if self._folder.is_dir():
            for document in (one for documents in reports for one in documents):
                (self._folder / document.sha256).unlink(missing_ok=True)
