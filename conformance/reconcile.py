"""Three accounts compared: what senders were told, what the store holds, what the peers got.

Nothing lost: every message that was acknowledged AA is in the store, every delivery that the store calls
delivered is at its peer. Nothing twice (a message taken, a document delivered), nothing in the wrong order,
nothing at a peer that the store does not answer for; what was withdrawn is deleted. Messages are known by
their control id, which a sender must not use twice for this; documents by the SHA-256 of their CDA, which all
three hold.
"""

import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gateway.ports import StoreUnavailableError
from gateway.store import SchemaError, StoreQueries

PAGE = 500
MAIL = frozenset({"mssante-ps", "mssante-patient"})
TAKEN = frozenset({"accepted", "held", "blocked"})
ANSWERED_FOR = frozenset({"delivered", "ambiguous", "in_flight", "pending", "waiting", "failed"})
"""States of a row whose document may be at the peer: delivered, or nobody knows yet."""


class Problem(NamedTuple):
    """`kind`: lost, missing, twice, unknown, order, ledger."""

    kind: str
    text: str


class Reconciled(NamedTuple):
    figures: dict[str, int]
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {number}" for name, number in self.figures.items())
        found = [f"{one.kind}: {one.text}" for one in self.problems] or ["everything adds up"]
        return "\n".join((figures, *found))


GONE = " (deleted)"
"""Of a place: not the document, but its deletion."""


class Row(NamedTuple):
    """One delivery of the store, with what is sent: place = (destination or mailbox, SHA-256 of the CDA); of
    a deletion the mark `GONE` stands behind the place."""

    id: int
    destination: str
    place: tuple[str, str]
    lane: tuple[str, str]
    version: int
    state: str
    reason: str


def reconcile(
    told: Mapping[str, str],
    database: str | Path,
    *,
    dmp: Iterable[Mapping[str, Any]] | None = None,
    mssante: Iterable[Mapping[str, Any]] | None = None,
    folder: Path | None = None,
) -> Reconciled:
    """`told`: control id → acknowledgement code; `dmp`, `mssante`: entries of the simulators' ledgers;
    `folder`: the outbox of the folder destination. A peer whose account is None is not looked at.

    Raises StoreUnavailableError for a store that is not there, SchemaError for one of another version,
    OSError and ValueError for ledgers that cannot be read.
    """
    queries = StoreQueries.open(database)
    try:
        messages = list(_messages(queries))
        rows = list(_rows(queries, {one for message in messages for one in message["report_ids"]}))
        ledger = [Problem("ledger", text) for text in queries.problems()]
    finally:
        queries.close()
    arrived = [
        *_documents(dmp or ()),
        *_mails(mssante or ()),
        *(_folders(folder) if folder is not None else ()),
    ]
    looked_at = {
        *(("dmp",) if dmp is not None else ()),
        *(MAIL if mssante is not None else ()),
        *(("folder",) if folder is not None else ()),
    }
    known = {message["control_id"] for message in messages}
    kept = Counter(message["control_id"] for message in messages if message["state"] in TAKEN)
    taken = [control_id for control_id, code in told.items() if code in ("AA", "CA")]
    problems = [
        *(
            Problem("lost", f"message {one} was acknowledged and is not stored")
            for one in taken
            if one not in known
        ),
        *(Problem("twice", f"message {one} was taken {kept[one]} times") for one in told if kept[one] > 1),
        *ledger,
        *_compare(rows, arrived, looked_at),
        *_order(rows, arrived),
    ]
    figures = {
        "acknowledged": len(taken),
        "stored": len(messages),
        "deliveries": len(rows),
        "delivered": sum(row.state == "delivered" for row in rows),
        "unsettled": sum(row.state in ANSWERED_FOR - {"delivered"} for row in rows),
        "at the peers": len(arrived),
    }
    return Reconciled(figures, tuple(problems))


def run(
    store: str | Path, told: Path | None, dmp: Path | None, mssante: Path | None, folder: Path | None
) -> int:
    """`conformance reconcile`: print the report; 0: everything adds up, 1: it does not, 2: cannot be read."""
    try:
        result = reconcile(
            _told(told) if told is not None else {},
            store,
            dmp=load(dmp / "ledger.jsonl") if dmp is not None else None,
            mssante=load(mssante / "ledger.jsonl") if mssante is not None else None,
            folder=folder,
        )
    except (OSError, ValueError, KeyError, SchemaError, StoreUnavailableError) as wrong:
        print(f"cannot be compared: {wrong}", file=sys.stderr)
        return 2
    print(result)
    return 1 if result.problems else 0


def _told(sent: Path) -> dict[str, str]:
    """The lines of `gateway send --json`; of several tries of a message the best answer counts."""
    told: dict[str, str] = {}
    for line in sent.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        control_id = str(one.get("control_id", ""))
        if control_id and told.get(control_id) != "AA":
            told[control_id] = str(one["code"])
    return told


def load(ledger: Path) -> list[dict[str, Any]]:
    """The entries of a simulator's `ledger.jsonl`, none when it does not exist."""
    if not ledger.is_file():
        return []
    return [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]


def _messages(queries: StoreQueries) -> Iterator[dict[str, Any]]:
    cursor = 0
    while page := queries.messages(cursor=cursor, limit=PAGE):
        yield from page
        cursor = page[-1]["id"]


def _rows(queries: StoreQueries, reports: Iterable[str]) -> Iterator[Row]:
    for report_id in reports:
        report = queries.report(report_id)
        if report is None:
            continue
        hashes = {
            version["number"]: next(
                (one["sha256"] for one in version["documents"] if one["kind"] == "cda"), ""
            )
            for version in report["versions"]
        }
        last: dict[str, str] = {}
        for one in sorted(report["deliveries"], key=lambda one: int(one["id"])):
            if one["destination"] == "zam":
                continue
            where = one["recipient"] if one["destination"] in MAIL else one["destination"]
            place = where, hashes[one["version"]]
            if one["action"] == "delete":
                place = where + GONE, last.get(where, "")
            elif _there(one):
                last[where] = place[1]
            yield Row(
                id=one["id"],
                destination=one["destination"],
                place=place,
                lane=(report_id, where),
                version=one["version"],
                state=one["state"],
                reason=one["reason"],
            )


def _there(row: Mapping[str, Any]) -> bool:
    """It arrived, or may have."""
    return row["state"] in ("delivered", "ambiguous") or row["reason"] == "DELIVERY-LEFT"


def _documents(entries: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    known: dict[str, str] = {}
    for entry in entries:
        if entry["result"] == "Success":
            known |= {one.get("uniqueId", ""): one["sha256"] for one in entry["documents"]}
            yield from (("dmp", one["sha256"]) for one in entry["documents"] if not one["duplicate"])
        elif entry["result"] == "Deleted":
            yield from (("dmp" + GONE, known.get(one["uniqueId"], "")) for one in entry["documents"])


def _mails(entries: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        mark = GONE if entry.get("action") == "D" else ""
        yield from ((mailbox + mark, entry["sha256"]) for mailbox in entry["to"])


def _folders(outbox: Path) -> Iterator[tuple[str, str]]:
    """What lies in the outbox; the hash is that of the file, whatever its summary says. A withdrawn report
    has a summary alone, which names the document that another folder holds."""
    known: dict[str, str] = {}
    gone: list[str] = []
    for folder in sorted(outbox.glob("[!.]*/")):
        document, summary = folder / "cda.xml", folder / "summary.json"
        named = str(json.loads(summary.read_text())["document_id"]) if summary.is_file() else ""
        if document.is_file():
            known[named] = hashlib.sha256(document.read_bytes()).hexdigest()
            yield "folder", known[named]
        else:
            gone.append(named)
    yield from (("folder" + GONE, known.get(named, "")) for named in gone)


def _compare(rows: list[Row], arrived: list[tuple[str, str]], looked_at: set[str]) -> Iterator[Problem]:
    times: dict[tuple[str, str], int] = defaultdict(int)
    for place in arrived:
        times[place] += 1
    answered: set[tuple[str, str]] = set()
    for row in rows:
        if row.state in ANSWERED_FOR or row.reason == "DELIVERY-LEFT":
            answered.add(row.place)
        if row.state == "delivered" and row.destination in looked_at and row.place not in times:
            if (row.place[0].removesuffix(GONE), row.place[1]) not in times and row.place[0].endswith(GONE):
                continue  # it had never arrived after all: nothing was there to be deleted
            yield Problem("missing", f"delivery {row.id} is delivered here and unknown at the peer")
    for place, number in times.items():
        if number > 1:
            yield Problem("twice", f"{place[0]} got document {place[1][:12]} {number} times")
        if place not in answered:
            yield Problem("unknown", f"{place[0]} has document {place[1][:12]} that no delivery answers for")


def _order(rows: list[Row], arrived: list[tuple[str, str]]) -> Iterator[Problem]:
    """In a lane the peer never gets an older version after a newer one. An outbox tells no order."""
    by_place = {row.place: row for row in rows if row.place[1]}
    newest: dict[tuple[str, str], int] = {}
    for place in arrived:
        row = by_place.get(place)
        if row is None or place[0].removesuffix(GONE) == "folder":
            continue
        if row.version < newest.get(row.lane, 0):
            yield Problem("order", f"delivery {row.id}: version {row.version} came after a newer one")
        newest[row.lane] = max(row.version, newest.get(row.lane, 0))
