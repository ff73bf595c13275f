"""What became of the reports of a run: when the store had settled their last delivery, and whether the peers,
asked to judge afterwards what they took, have each of them once and without a fault."""

import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conformance.demo.stage import Stage
from conformance.reconcile import load, reconcile
from gateway.model.delivery import DeliveryState, Destination

LOOK = 0.2
"""Seconds between two looks: the times are the store's, so that few are enough."""
_MOVING = (DeliveryState.PLANNED, DeliveryState.PENDING, DeliveryState.IN_FLIGHT, DeliveryState.WAITING)
_SOME = "SELECT EXISTS (SELECT 1 FROM delivery WHERE destination IN ({}) AND state IN ({}))".format(
    *(", ".join(f"'{one}'" for one in names) for names in (Destination, _MOVING))
)
_REPORTS = """SELECT m.received_at, max(d.updated_at), count(*) FROM message m
    JOIN report_version v ON v.message_id = m.id JOIN delivery d ON d.version_id = v.id
    WHERE d.state = 'delivered' AND m.received_at >= ? GROUP BY m.id"""


class Settled(NamedTuple):
    """Of the messages since a moment: how many deliveries were settled, when the last one was (seconds since
    1970), and what lay between each message and its last delivery (seconds, sorted)."""

    deliveries: int
    last: float
    lengths: tuple[float, ...]

    def percentile(self, share: float) -> float:
        return self.lengths[min(len(self.lengths) - 1, int(share * len(self.lengths)))]


def drained(stage: Stage, seconds: float = 3600.0) -> None:
    """Nothing is on its way any more. Raises TimeoutError when that takes longer."""
    store, end = _open(stage), time.monotonic() + seconds
    try:
        while store.execute(_SOME).fetchone()[0]:
            if time.monotonic() > end:
                raise TimeoutError(f"something is on its way after {seconds:.0f} s")
            time.sleep(LOOK)
    finally:
        store.close()


def settled(stage: Stage, since: float) -> Settled:
    """Of the messages received since then, in seconds since 1970."""
    store = _open(stage)
    rows = store.execute(_REPORTS, (int(since * 1e6),)).fetchall()
    store.close()
    last = max(ended for _, ended, _ in rows)
    return Settled(
        sum(number for _, _, number in rows),
        last / 1e6,
        tuple(sorted((ended - received) / 1e6 for received, ended, _ in rows)),
    )


def judged(stage: Stage, *, reports: int, mails: int) -> str:
    """One line that says what arrived. Raises SystemExit with all that is wrong."""
    stage.judge()
    gateway = stage.folder / "gateway"
    ledgers = {kind: load(stage.folder / kind / "ledger.jsonl") for kind in ("dmp", "mssante")}
    told = reconcile(
        {},
        gateway / "gateway.db",
        dmp=ledgers["dmp"],
        mssante=ledgers["mssante"],
        folder=gateway / "outbox",
    )
    folders = tuple(one.name for one in (gateway / "outbox").glob("[!.]*/"))
    found = [
        *wrong(ledgers["dmp"], ledgers["mssante"], folders, reports=reports, mails=mails),
        *(str(problem) for problem in told.problems),
    ]
    if found:
        raise SystemExit("\n".join(("not what it should be:", *found[:50])))
    return f"judged: {reports} submissions, {reports * mails} mails, each once and without a fault"


def wrong(
    dmp: Sequence[Mapping[str, Any]],
    mssante: Sequence[Mapping[str, Any]],
    folders: tuple[str, ...],
    *,
    reports: int,
    mails: int,
) -> tuple[str, ...]:
    """What the peers' ledgers and the outbox have too much, too few, twice, or with a fault."""
    came = (
        ("dmp", [one["uniqueId"] for one in dmp], reports),
        ("mssante", [one["message_id"] for one in mssante], reports * mails),
        ("folder", folders, reports),
    )
    faults = Counter(
        f"{kind}: {one['result']} {one[key]}"
        for kind, ledger, good, key in (
            ("dmp", dmp, "Success", "errors"),
            ("mssante", mssante, "ok", "checks"),
        )
        for one in ledger
        if one["result"] != good
    )
    return (
        *(
            f"{kind}: {len(set(ids))} of {wanted} arrived, {len(ids)} times"
            for kind, ids, wanted in came
            if not len(ids) == len(set(ids)) == wanted
        ),
        *(f"{number} x {fault}" for fault, number in faults.items()),
    )


def _open(stage: Stage) -> sqlite3.Connection:
    path: Path = stage.folder / "gateway" / "gateway.db"
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
