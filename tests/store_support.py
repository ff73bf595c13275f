"""Messages, conclusions and worker parts for the tests of store, dispatcher and worker."""

import asyncio
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.config import RetrySettings, Settings
from gateway.model.base import replace
from gateway.model.decision import Decision, PlannedDelivery, Verdict
from gateway.model.delivery import DeliveryState, Destination, MessageState, Outcome, OutcomeKind
from gateway.model.people import Patient
from gateway.model.report import ImagingReport, ReportStatus
from gateway.model.site import Site
from gateway.model.submission import (
    Action,
    Blob,
    Mapped,
    Protocol,
    Recipient,
    RecipientKind,
    SubmissionContext,
)
from gateway.model.terms import Identifier
from gateway.model.version import DeliveryJob, Document, DocumentKind, ReportVersion, VersionIdentity
from gateway.pipeline.route import Route, WorkerParts
from gateway.pipeline.spool import LARGE
from gateway.ports import Conclusion, Known, Received, Settled
from gateway.store import StoreReader
from tests.support import PATIENCE

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
DMP, FOLDER, MAIL = Destination.DMP, Destination.FOLDER, Destination.MSSANTE_PS
DOCTOR = Recipient(kind=RecipientKind.PROFESSIONAL, id="801234567897", address="alain.dupont@test.mssante.fr")
OTHER = Recipient(
    kind=RecipientKind.PROFESSIONAL, id="801234560801", address="jacques.bideault@test.mssante.fr"
)


class TickingClock:
    """`ports.Clock` that the test moves."""

    def __init__(self, now: datetime = NOW) -> None:
        self.value = now

    def now(self) -> datetime:
        return self.value

    def pass_seconds(self, seconds: float) -> None:
        self.value += timedelta(seconds=seconds)


def received(control_id: str = "1", raw: bytes = b"MSH|^~\\&|...", **changes: Any) -> Received:
    key = hashlib.sha256(control_id.encode() + raw).hexdigest()
    fields: dict[str, Any] = {
        "raw": raw,
        "protocol": "hl7v2",
        "peer": "127.0.0.1:40000",
        "site": "default",
        "received_at": NOW,
        "dedupe_key": key,
        "message_type": "ORU^R01",
        "control_id": control_id,
    }
    return Received(**(fields | changes))


def planned(
    destination: Destination = FOLDER,
    recipient: Recipient | None = None,
    state: DeliveryState = DeliveryState.PLANNED,
    action: Action = Action.CREATE,
) -> PlannedDelivery:
    due = state in (DeliveryState.PLANNED, DeliveryState.PENDING)
    reason = "" if due else "INS-NOT-QUALIFIED"
    return PlannedDelivery(
        destination=destination, action=action, recipient=recipient, state=state, reason=reason
    )


def mapped(
    order: str = "CR1", status: ReportStatus = ReportStatus.FINAL, blobs: tuple[Blob, ...] = ()
) -> Mapped:
    report = ImagingReport(
        report_set=Identifier(value=order, system="1.2.250.1.999"),
        status=status,
        patient=Patient(birth_family="PAT-TROIS", birth_given="DOMINIQUE"),
    )
    context = SubmissionContext(protocol=Protocol.HL7V2, site="default")
    return Mapped(report=report, context=context, blobs=blobs)


def concluding(
    *plan: PlannedDelivery,
    order: str = "CR1",
    answer: bytes = b"MSA|AA",
    blobs: tuple[Blob, ...] = (),
    content: str = "",
) -> Callable[[Known], Conclusion]:
    """Accept the message and make the next version of its report set."""

    def conclude(known: Known) -> Conclusion:
        key = f"{order}^1.2.250.1.999"
        before = known.report("default", key)
        number = (before.version if before else 0) + 1
        identity = VersionIdentity(
            environment="test",
            site="default",
            set_key=key,
            number=number,
            created_at=NOW,
            document_id=f"2.25.{number}",
            set_id="2.25.1000",
        )
        settled = Settled(
            mapped=mapped(order),
            decision=Decision(verdict=Verdict.ACCEPT, plan=plan, number=number),
            set_key=key,
            content_hash=content or f"hash {order} {number}",
            identity=identity,
        )
        return Conclusion(state=MessageState.ACCEPTED, answer=answer, reports=(settled,), blobs=blobs)

    return conclude


def withdrawing(order: str = "CR1") -> Callable[[Known], Conclusion]:
    """Take the report back, as the rules decide it: cancel what it owes, delete what `Known.sent` names."""

    def conclude(known: Known) -> Conclusion:
        key = f"{order}^1.2.250.1.999"
        plan = known.sent("default", key)
        made = concluding(*plan, order=order)(known)
        (one,) = made.reports
        gone = replace(
            one,
            mapped=mapped(order, ReportStatus.ENTERED_IN_ERROR),
            decision=Decision(
                verdict=Verdict.ACCEPT,
                plan=plan,
                number=one.decision.number if plan else 0,
                recalls=True,
            ),
            identity=one.identity if plan else None,
        )
        return replace(made, reports=(gone,))

    return conclude


def held(order: str = "CR1") -> Callable[[Known], Conclusion]:
    """Keep an unvalidated report."""
    settled = Settled(
        mapped=mapped(order, ReportStatus.PRELIMINARY),
        decision=Decision(verdict=Verdict.HOLD),
        set_key=f"{order}^1.2.250.1.999",
        content_hash="hash of the preliminary",
    )
    return lambda known: Conclusion(state=MessageState.HELD, answer=b"MSA|AA", reports=(settled,))


def rejected(answer: bytes = b"MSA|AE") -> Callable[[Known], Conclusion]:
    return lambda known: Conclusion(state=MessageState.REJECTED, answer=answer)


def document(data: bytes = b"<ClinicalDocument/>", kind: DocumentKind = DocumentKind.CDA) -> Document:
    return Document(kind=kind, sha256=hashlib.sha256(data).hexdigest(), media_type="text/xml", data=data)


def site(name: str) -> Site:
    return Site(name=name)


# --- a worker with an invented world: what it "sends" are lines in files under `<data_dir>/world/`


class LineSender:
    """Appends one line a send to `<folder>/<kind>.jsonl`, at once and durably, then obeys `control`.

    `control.json` in the folder: {"delay": seconds, "outcomes": {"<order>": [kind, …]}}; the outcomes of an
    order are used up attempt by attempt, then `delivered`. A long delay holds all sends until the test writes
    another control: what is under way at a kill does not depend on who is faster.
    """

    def __init__(self, folder: Path, destination: Destination) -> None:
        self._folder, self._destination = folder, destination
        self.closed = False

    async def send(self, request: dict[str, Any]) -> Outcome:
        return await self._send(request)

    async def _send(self, request: dict[str, Any]) -> Outcome:
        control = read_control(self._folder)
        scripted = control.get("outcomes", {}).get(request["order"], [])
        kind = scripted[request["attempt"] - 1] if request["attempt"] <= len(scripted) else "delivered"
        await self._hold("before")
        line = json.dumps(request | {"kind": kind, "at": time.time(), "process": os.getpid()}) + "\n"
        with (self._folder / f"{self._destination.value}.jsonl").open("a") as ledger:
            ledger.write(line)
        await self._hold("delay")
        return Outcome(
            kind=OutcomeKind(kind), code="scripted", remote_ids=(("entryUUID", f"uuid-{request['id']}"),)
        )

    async def _hold(self, name: str) -> None:
        """Wait for the seconds that `control` gives; a shorter time written meanwhile ends the wait."""
        began = time.monotonic()
        while time.monotonic() - began < read_control(self._folder).get(name, 0.0):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        self.closed = True


class MarkingLineSender(LineSender):
    """The same as a `MarkingSender`: tells when the line is about to be written."""

    async def send(self, request: dict[str, Any], begun: Callable[[], None]) -> Outcome:  # type: ignore[override]
        await self._hold("handshake")
        begun()
        return await self._send(request)


def read_control(folder: Path) -> dict[str, Any]:
    path = folder / "control.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def world(data_dir: Path, **control: Any) -> Path:
    """The folder of the invented world, with its control file."""
    folder = data_dir / "world"
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / "control.new"
    fresh.write_text(json.dumps(control))
    fresh.replace(folder / "control.json")
    return folder


def ledger(data_dir: Path, destination: Destination) -> list[dict[str, Any]]:
    """What the invented peer got, in order."""
    path = data_dir / "world" / f"{destination.value}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def parts(settings: Settings) -> WorkerParts:
    """The WorkerFactory of the tests; orders named `kill…` end their worker, `broken…` cannot be produced."""
    folder = settings.data_dir / "world"

    def produce(version: ReportVersion, blobs: tuple[Blob, ...]) -> tuple[Document, ...]:
        order = version.report.report_set.value
        if order.startswith("kill") and settings.workers:
            os._exit(9)
        if order.startswith("broken"):
            raise ValueError("text of the report")
        time.sleep(read_control(folder).get("production", 0.0))
        data = f"<cda order='{order}' number='{version.identity.number}'/>".encode()
        return (document(data), document(b"%PDF " + data, DocumentKind.PDF))

    def prepare(job: DeliveryJob) -> dict[str, Any]:
        return {
            "id": job.delivery_id,
            "order": job.version.report.report_set.value,
            "number": job.version.identity.number,
            "attempt": job.attempt,
            "action": job.action.value,
            "recipient": job.recipient.address if job.recipient else "",
            "previous": dict(job.previous_remote_ids),
            "sha256": job.document(DocumentKind.CDA).sha256,
        }

    return WorkerParts(
        reader=StoreReader.open(settings.database, site),
        produce=produce,
        routes={
            DMP: Route(prepare, LineSender(folder, DMP)),
            FOLDER: Route(prepare, LineSender(folder, FOLDER)),
            MAIL: Route(prepare, MarkingLineSender(folder, MAIL)),
            Destination.MSSANTE_PATIENT: Route(prepare, LineSender(folder, Destination.MSSANTE_PATIENT)),
        },
    )


def large_parts(settings: Settings) -> WorkerParts:
    """The same with documents that are too large for a frame."""
    made = parts(settings)

    def produce(version: ReportVersion, blobs: tuple[Blob, ...]) -> tuple[Document, ...]:
        return tuple(document(one.data + b" " * LARGE, one.kind) for one in made.produce(version, blobs))

    return dataclasses.replace(made, produce=produce)


FACTORY = "tests.store_support:parts"
FAST_RETRY = RetrySettings(first=0.05, factor=2.0, longest=0.2, jitter=0.0, give_up_after=60.0)


async def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait for a condition; fail when it does not come. The time is one that no loaded machine needs."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "condition did not come true in time"
        await asyncio.sleep(0.02)
