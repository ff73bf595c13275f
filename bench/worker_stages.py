"""CPU of a worker by step: where the milliseconds of a report behind its acknowledgement go.

What the one thread for documents and requests does, in the order in which a worker does it: the deliveries
of a version come close together. Sending is not in it: `reports` measures it with peers.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TypeVar

from bench.load import messages
from bench.stages import Stages, table
from conformance import pki
from gateway import cda, pdf
from gateway.config import DmpSettings, FolderSettings, MssanteSettings, Settings
from gateway.mapping import sites
from gateway.model.delivery import Destination, Outcome, OutcomeKind
from gateway.model.findings import errors
from gateway.model.version import Document, DocumentKind
from gateway.pipeline.intake import Intake
from gateway.ports import Produced, Settlement, Task
from gateway.service.workers import worker_parts
from gateway.store import SqliteStore, SystemClock

T = TypeVar("T")

GROUP = 16
"""Reports of one round: about what a worker has in hand at a time."""
_ENABLED = frozenset({Destination.FOLDER, Destination.DMP, Destination.MSSANTE_PS})


class _Worker:
    """The parts of a worker, and the store that it works for."""

    def __init__(self, folder: Path) -> None:
        keys = pki.make(folder / "pki")
        settings = Settings(
            data_dir=folder,
            folder=FolderSettings(enabled=True),
            dmp=DmpSettings(
                url="https://localhost:1/repository",
                ca=keys.ca,
                client_certificate=keys.client.certificate,
                client_key=keys.client.key,
                cachet_certificate=keys.cachet.certificate,
                cachet_key=keys.cachet.key,
            ),
            mssante=MssanteSettings(host="localhost", port=1),
        )
        assert isinstance(settings.database, Path)
        self._store = SqliteStore.open(settings.database, per_destination=10 * GROUP)
        self._intake = Intake(self._store, sites.load(), SystemClock(), environment="test", enabled=_ENABLED)
        self._parts = worker_parts(settings)

    async def round(self, stages: Stages, frames: Iterator[bytes]) -> None:
        """A group of reports, from the claim of their production to their last request."""
        for frame in islice(frames, GROUP):
            await self._intake.take_hl7v2(frame[1:-2], peer="bench")
        spent: dict[str, float] = {}
        made = tuple([self._produced(spent, task) for task in await self._claimed("produce")])
        await self._store.settle(made)
        prepared = tuple([self._prepared(spent, task) for task in await self._claimed("deliver")])
        await self._store.settle(prepared)
        for step, seconds in spent.items():
            stages.rounds.setdefault(step, []).append(seconds / GROUP)

    async def close(self) -> None:
        await self._store.close()

    async def _claimed(self, kind: str) -> tuple[Task, ...]:
        """All that is due: each report has a production, then its deliveries."""
        tasks: list[Task] = []
        while found := await self._store.claim(10 * GROUP):
            tasks += found
        assert {task.kind for task in tasks} == {kind}, kind
        return tuple(sorted(tasks, key=lambda task: task.id))

    def _produced(self, spent: dict[str, float], task: Task) -> Produced:
        version, _ = _timed(spent, "read the version", lambda: self._parts.reader.version(task.id))
        letter = _timed(spent, "compose the letter", lambda: pdf.letter(version))
        page = _timed(spent, "typeset it", lambda: pdf.typeset(letter, version.identity.created_at))
        built = _timed(spent, "build the CDA (N1)", lambda: cda.build_n1(version, page))
        found = _timed(spent, "check it", lambda: cda.check_built(built))
        assert not errors(found), found
        documents = tuple(
            Document(kind=kind, sha256=sha256(data).hexdigest(), media_type=media_type, data=data, title="")
            for kind, media_type, data in (
                (DocumentKind.CDA, "text/xml", built.data),
                (DocumentKind.PDF, "application/pdf", page),
            )
        )
        _timed(spent, "read the deliveries", lambda: self._parts.reader.produced(version, documents))
        return Produced(version_id=task.id, documents=documents, lease=task.lease)

    def _prepared(self, spent: dict[str, float], task: Task) -> Settlement:
        job = _timed(spent, "read the deliveries", lambda: self._parts.reader.job(task.id, task.attempt))
        route = self._parts.routes[job.destination]
        _timed(spent, f"prepare {job.destination}", lambda: route.prepare(job))
        now = datetime.now(UTC)
        return Settlement(
            delivery_id=task.id,
            outcome=Outcome(kind=OutcomeKind.DELIVERED),
            attempt=task.attempt,
            started_at=now,
            ended_at=now,
            lease=task.lease,
        )


def _timed(spent: dict[str, float], step: str, work: Callable[[], T]) -> T:
    start = time.thread_time()
    done = work()
    spent[step] = spent.get(step, 0.0) + time.thread_time() - start
    return done


async def measure(*, seconds: float, folder: Path | None = None) -> Stages:
    """Rounds until `seconds` of CPU are spent."""
    stages, frames = Stages(), messages(f"worker-{time.time_ns()}")
    with tempfile.TemporaryDirectory(dir=folder, prefix="gateway-bench-") as name:
        worker = _Worker(Path(name))
        await worker.round(Stages(), frames)  # imports, fonts
        end = time.process_time() + seconds
        while time.process_time() < end:
            await worker.round(stages, frames)
        await worker.close()
    return stages


def run(*, seconds: float, folder: Path | None = None) -> None:
    stages = asyncio.run(measure(seconds=seconds, folder=folder))
    table("a report (N1) in a worker, by step", "in all, without sending", stages)
