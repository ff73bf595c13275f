"""The store alone, SQLite and PostgreSQL in one run: durable commits of reports, and how long each waits.

PostgreSQL is a private one on the same disk, with its defaults (fsync on), reached by its socket. What a
commit costs on a remote server: its way there and back for every statement more.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from conformance.postgres import Cluster, PostgresMissingError
from gateway.model.decision import Decision, PlannedDelivery, Verdict
from gateway.model.delivery import DeliveryState, Destination, MessageState
from gateway.model.people import Patient
from gateway.model.report import ImagingReport, ReportStatus
from gateway.model.submission import Action, Mapped, Protocol, SubmissionContext
from gateway.model.terms import Identifier
from gateway.model.version import VersionIdentity
from gateway.ports import Conclusion, Known, Received, Settled
from gateway.store import Store, open_store

_NUMBERS = count(1)


def run(*, seconds: float, connections: int, folder: Path | None = None) -> None:
    """Print a line an engine; without PostgreSQL its reason."""
    print(f"store: {connections} commits at a time, 2 kB each, {seconds:g} s an engine")
    rates = {}
    with tempfile.TemporaryDirectory(dir=folder, prefix="gateway-bench-") as name:
        rates["SQLite"] = _measure("SQLite", Path(name) / "gateway.db", Path(name), seconds, connections)
        try:
            with _postgres(folder) as url:
                rates["PostgreSQL"] = _measure("PostgreSQL", url, Path(name) / "node", seconds, connections)
        except PostgresMissingError as missing:
            print(f"  PostgreSQL: not measured, {missing}")
    if len(rates) == 2:
        print(f"  PostgreSQL / SQLite: {rates['PostgreSQL'] / rates['SQLite']:.2f}")


@contextmanager
def _postgres(folder: Path | None) -> Iterator[str]:
    cluster = Cluster(folder=folder)
    cluster.start()
    try:
        yield cluster.url()
    finally:
        cluster.remove()


def _measure(name: str, where: Path | str, folder: Path, seconds: float, connections: int) -> float:
    waits = asyncio.run(_commits(open_store(where, folder), seconds, connections))
    waits.sort()
    rate = len(waits) / seconds
    print(
        f"  {name:10} {rate:7.0f} commits/s  p50 {1000 * statistics.median(waits):6.1f} ms  "
        f"p99 {1000 * waits[int(0.99 * len(waits))]:6.1f} ms"
    )
    return rate


async def _commits(store: Store, seconds: float, connections: int) -> list[float]:
    """Seconds that each commit took, from asking to its answer."""
    waits: list[float] = []
    end = time.perf_counter() + seconds

    async def sender() -> None:
        while (start := time.perf_counter()) < end:
            number = next(_NUMBERS)
            await store.commit(_received(number), _concluding(number))
            waits.append(time.perf_counter() - start)

    await asyncio.gather(*(sender() for _ in range(connections)))
    await store.close()
    return waits


def _received(number: int) -> Received:
    return Received(
        raw=os.urandom(2000),
        protocol="hl7v2",
        peer="bench",
        site="bench",
        received_at=datetime.now(UTC),
        dedupe_key=f"bench {number}",
        message_type="ORU^R01",
        control_id=str(number),
    )


def _concluding(number: int) -> Callable[[Known], Conclusion]:
    """The first version of a report of its own, owed to two destinations."""
    key = f"B{number}^1.2.250.1.999"
    plan = tuple(
        PlannedDelivery(destination=one, action=Action.CREATE, state=DeliveryState.PLANNED)
        for one in (Destination.DMP, Destination.FOLDER)
    )

    def conclude(known: Known) -> Conclusion:
        known.report("bench", key)
        report = ImagingReport(
            report_set=Identifier(value=f"B{number}", system="1.2.250.1.999"),
            status=ReportStatus.FINAL,
            patient=Patient(birth_family="PAT-TROIS", birth_given="DOMINIQUE"),
        )
        identity = VersionIdentity(
            environment="test",
            site="bench",
            set_key=key,
            number=1,
            created_at=datetime.now(UTC),
            document_id=f"2.25.{number}",
            set_id=f"2.25.{number}",
        )
        settled = Settled(
            mapped=Mapped(report=report, context=SubmissionContext(protocol=Protocol.HL7V2, site="bench")),
            decision=Decision(verdict=Verdict.ACCEPT, plan=plan, number=1),
            set_key=key,
            content_hash=key,
            identity=identity,
        )
        return Conclusion(state=MessageState.ACCEPTED, answer=b"MSA|AA", reports=(settled,))

    return conclude
