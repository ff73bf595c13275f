"""Load, peers that misbehave on command, and the comparison of the three accounts."""

import asyncio
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from conformance.demo.stage import Stage, settled
from conformance.reconcile import Reconciled, load, reconcile
from gateway import hl7v2
from gateway.connectors.mllp import connect
from tests.faults.points import Point, environment, fired
from tests.support import FIXTURES, PATIENCE

LONG = bool(os.environ.get("FAULTS_LONG"))
"""Set by `make faults`; without it every test here is a short form of itself."""
TEMPLATE = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes()


def message(number: int, version: int = 1) -> tuple[str, bytes]:
    """(control id, frame) of an exam of its own; further versions correct its text."""
    control_id = f"FAULT-{number}-{version}"
    data = (
        TEMPLATE.replace(b"RIS-2021-000042-1", control_id.encode())
        .replace(b"CR-2021-000042", b"CR-FAULT-%06d" % number)
        .replace(b"105234751", b"6%08d" % number)
    )
    if version > 1:
        data = data.replace(b"|Examen sans", b"|Version %d. Examen sans" % version)
    return control_id, data


@dataclass
class Account:
    """What senders were told: control id → code; "" was sent and not answered."""

    told: dict[str, str] = field(default_factory=dict)

    def codes(self) -> set[str]:
        return set(self.told.values())


async def send(stage: Stage, account: Account, messages: Iterable[tuple[str, bytes]]) -> None:
    """One connection, one message after the other, until the server dies."""
    with suppress(OSError, TimeoutError, ConnectionError):
        async with connect(*stage.mllp, timeout=15) as client:
            for control_id, data in messages:
                account.told.setdefault(control_id, "")
                answer = await client.exchange(data)
                account.told[control_id] = hl7v2.read_ack(answer.answer).code


def control(stage: Stage, kind: str, mode: str, count: int = 0) -> None:
    """Put a simulated peer into a mode, for `count` submissions or until changed."""
    stage.tell(kind, "/control", {"mode": mode, "count": count})


def rows(stage: Stage) -> list[dict[str, Any]]:
    """All deliveries."""
    found: list[dict[str, Any]] = []
    cursor = 0
    while True:
        page = stage.api(f"/api/deliveries?limit=500&cursor={cursor}")
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = page["next_cursor"]


def taken(stage: Stage) -> list[dict[str, Any]]:
    """All messages."""
    found: list[dict[str, Any]] = []
    cursor = 0
    while cursor is not None:
        page = stage.api(f"/api/messages?limit=500&cursor={cursor}")
        found += page["items"]
        cursor = page["next_cursor"]
    return found


def drained(stage: Stage, seconds: float = 2 * PATIENCE) -> list[dict[str, Any]]:
    """The deliveries once nothing more happens by itself.

    A mail of which nobody knows whether it left waits for a person, and what is behind it in its lane too.
    """
    end = time.monotonic() + seconds
    while True:
        found = rows(stage)
        held = {lane(row) for row in found if row["state"] == "ambiguous" and not row["next_try"]}
        under_way = [
            row for row in found if (row["next_try"] or not settled([row])) and lane(row) not in held
        ]
        if found and not under_way:
            return found
        assert time.monotonic() < end, under_way[:5]
        time.sleep(0.2)


def struck(stage: Stage, account: Account, point: Point, control_id: str) -> None:
    """Wait until somebody has died at the point; the sender of `control_id` was told what the point says."""
    end = time.monotonic() + PATIENCE
    while not fired(stage.folder).exists():
        assert time.monotonic() < end, f"{point.name}: nobody came by"
        time.sleep(0.05)
    fired(stage.folder).unlink()
    if point.told is not None:
        assert account.told[control_id] == point.told, point.name


def served_again(stage: Stage) -> None:
    """The gateway dies, too, and comes back with the points still wrapped."""
    assert stage.gateway is not None
    stage.gateway.kill()
    stage.serve(**environment(stage.folder))


def sent_until_taken(stage: Stage, account: Account, point: Point, one: tuple[str, bytes]) -> None:
    """A sender repeats what was not answered with AA."""
    if account.told.get(one[0]) != "AA":
        asyncio.run(send(stage, account, [one]))
    assert account.told[one[0]] == "AA", point.name


def lane(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["report_id"], row["destination"], str(row["recipient"])


def compare(stage: Stage, account: Account) -> Reconciled:
    stage.judge()
    return reconcile(
        account.told,
        stage.folder / "gateway" / "gateway.db",
        dmp=load(stage.folder / "dmp" / "ledger.jsonl"),
        mssante=load(stage.folder / "mssante" / "ledger.jsonl"),
        folder=stage.folder / "gateway" / "outbox",
    )


def run(*work: Any) -> None:
    async def together() -> None:
        await asyncio.gather(*work)

    asyncio.run(together())
