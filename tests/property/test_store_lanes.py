"""Under any order of events: lanes keep their order, nothing is under way twice, all ends delivered once.

The events are drawn: messages come, reports are withdrawn, tasks are claimed, outcomes of any class come back
in any order, workers die, operators retry and cancel, the store is closed and opened again, time passes.
"""

import asyncio
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import RetrySettings
from gateway.model.delivery import Destination, Outcome, OutcomeKind
from gateway.ports import Produced, Settlement, Task
from gateway.store import SqliteStore, StoreQueries, StoreReader
from tests.postgres_support import site
from tests.store_support import (
    DMP,
    DOCTOR,
    FOLDER,
    MAIL,
    OTHER,
    TickingClock,
    concluding,
    document,
    planned,
    withdrawing,
)
from tests.store_support import received as message

RETRY = RetrySettings(first=10.0, jitter=0.0, give_up_after=500.0)
LANES = ((DMP, None), (FOLDER, None), (MAIL, DOCTOR), (MAIL, OTHER))
Lane = tuple[str, str, str | None]

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("message"), st.sampled_from("AB"), st.sets(st.integers(0, 3), min_size=1)),
        st.tuples(st.just("withdraw"), st.sampled_from("AB"), st.none()),
        st.tuples(st.just("claim"), st.integers(1, 8), st.none()),
        st.tuples(st.just("outcome"), st.integers(0, 7), st.sampled_from(OutcomeKind)),
        st.tuples(st.just("outcome"), st.integers(0, 7), st.just(OutcomeKind.DELIVERED)),
        st.tuples(st.just("worker dies"), st.none(), st.none()),
        st.tuples(st.just("operator"), st.integers(1, 12), st.sampled_from(["retry", "cancel"])),
        st.tuples(st.just("restart"), st.none(), st.none()),
        st.tuples(st.just("time"), st.floats(1, 200), st.none()),
    ),
    min_size=20,
    max_size=80,
)


class Run:
    """One drawn life of a store; `check` what must hold after every event."""

    def __init__(self, path: Path) -> None:
        self._path, self._clock = path, TickingClock()
        self._messages = 0
        self._under_way: list[Task] = []
        self._delivered: dict[Lane, list[int]] = defaultdict(list)
        self._times: dict[int, int] = defaultdict(int)
        self._given_up: set[int] = set()
        self._ambiguous: set[int] = set()
        self._recalled: set[int] = set()
        self._store = self._open()

    def _open(self) -> SqliteStore:
        return SqliteStore.open(self._path, retry=RETRY, clock=self._clock, draw=lambda: 0.5)

    async def live(self, events: list[tuple[str, object, object]]) -> None:
        for name, first, second in events:
            await getattr(self, "_" + name.replace(" ", "_"))(first, second)
            self._check()
        await self._finish()
        await self._store.close()

    async def _message(self, order: str, lanes: set[int]) -> None:
        self._messages += 1
        plan = [planned(*LANES[number]) for number in sorted(lanes)]
        await self._store.commit(message(str(self._messages)), concluding(*plan, order=order))

    async def _withdraw(self, order: str, _: object) -> None:
        self._messages += 1
        known = await self._store.commit(message(str(self._messages)), withdrawing(order))
        assert known.message_id

    async def _claim(self, limit: int, _: object) -> None:
        tasks = await self._store.claim(limit)
        assert len(tasks) <= limit
        reader = StoreReader.open(self._path, site)
        for task in tasks:
            if task.kind == "deliver":
                job = reader.job(task.id, task.attempt)  # whatever is handed out can be made
                (self._recalled.add if job.recalled else self._recalled.discard)(task.id)
        reader.close()
        self._under_way += tasks

    async def _outcome(self, which: int, kind: OutcomeKind) -> None:
        if not self._under_way:
            return
        task = self._under_way.pop(which % len(self._under_way))
        if task.kind == "produce":
            made = kind is not OutcomeKind.PERMANENT
            documents = (document(),) if made else ()
            await self._store.settle(
                (Produced(version_id=task.id, documents=documents, problem="" if made else "X"),)
            )
            return
        if task.id in self._recalled:
            kind = OutcomeKind.REFUSED  # as the worker does
        now = self._clock.now()
        settlement = Settlement(
            delivery_id=task.id,
            outcome=Outcome(kind=kind),
            attempt=task.attempt,
            started_at=now,
            ended_at=now,
        )
        await self._store.settle((settlement,))
        if kind is OutcomeKind.AMBIGUOUS:
            self._ambiguous.add(task.id)
        if kind is OutcomeKind.DELIVERED:
            self._times[task.id] += 1
            self._delivered[self._lane(task.id)].append(task.id)

    async def _worker_dies(self, *_: object) -> None:
        await self._store.surrender(tuple(self._under_way))
        self._under_way = []

    async def _operator(self, delivery_id: int, action: str) -> None:
        # No such delivery, or its state takes no such event:
        with suppress(LookupError, ValueError):
            await getattr(self._store, action)(delivery_id)
            if action == "cancel":
                self._given_up.add(delivery_id)

    async def _restart(self, *_: object) -> None:
        await self._store.close()
        self._under_way = []
        self._store = self._open()

    async def _time(self, seconds: float, _: object) -> None:
        self._clock.pass_seconds(seconds)

    async def _finish(self) -> None:
        """The peer is well again, somebody retries what stands: all that was not cancelled arrives."""
        await self._worker_dies()
        for _ in range(20 + 2 * self._messages * len(LANES)):
            self._clock.pass_seconds(1000)
            for row in self._rows():
                if row["state"] in ("failed", "ambiguous"):
                    await self._store.retry(row["id"])
            await self._claim(50, None)
            if not self._under_way:
                break
            while self._under_way:
                await self._outcome(0, OutcomeKind.DELIVERED)
            self._check()
        states = {row["state"] for row in self._rows()}
        assert states <= {"delivered", "cancelled", "refused"}
        self._nothing_withdrawn_stays()
        newest = {self._lane_of(row): row for row in sorted(self._rows(), key=lambda row: row["id"])}  # type: ignore[arg-type,return-value]
        for lane, row in newest.items():
            assert row["reason"] != "SUPERSEDED"
            if row["reason"] == "REPORT-RECALLED":
                continue
            if row["id"] not in self._given_up and row["state"] != "refused":
                assert self._delivered[lane][-1] == row["id"], "the peer does not hold the newest version"

    def _nothing_withdrawn_stays(self) -> None:
        """Where a report was withdrawn last, the last that arrived is its deletion, but where a person or the
        peer refused it; and no deletion arrives at a place that had nothing."""
        rows = {int(str(row["id"])): row for row in self._rows()}
        stood = {
            self._lane_of(row)
            for number, row in rows.items()
            if number in self._given_up or row["state"] == "refused"
        }
        queries = StoreQueries.open(self._path)
        for lane, order in self._delivered.items():
            report = queries.report(lane[0])
            assert report is not None
            last = rows[order[-1]]
            if report["status"] == "entered-in-error" and lane not in stood:
                assert last["action"] == "delete", f"still there: {lane}"
            if rows[order[0]]["action"] == "delete":
                assert self._may_have_left(lane, order[0]), f"nothing was there: {lane}"
        queries.close()

    def _may_have_left(self, lane: Lane, before: int) -> bool:
        return any(self._lane(number) == lane for number in self._ambiguous if number < before)

    def _rows(self) -> list[dict[str, object]]:
        queries = StoreQueries.open(self._path)
        try:
            return queries.deliveries(limit=1000)
        finally:
            queries.close()

    def _lane(self, delivery_id: int) -> Lane:
        (row,) = (row for row in self._rows() if row["id"] == delivery_id)
        return self._lane_of(row)

    def _lane_of(self, row: dict[str, object]) -> Lane:
        return str(row["report_id"]), str(row["destination"]), row["recipient"]  # type: ignore[return-value]

    def _check(self) -> None:
        ids = [task.id for task in self._under_way if task.kind == "deliver"]
        lanes = [self._lane(number) for number in ids]
        assert len(set(lanes)) == len(lanes), "two of one lane under way"
        assert all(times == 1 for times in self._times.values()), "delivered twice"
        for lane, order in self._delivered.items():
            assert order == sorted(order), f"out of order in {lane}"
        queries = StoreQueries.open(self._path)
        assert queries.balance()["balanced"]
        queries.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_lanes_keep_order_and_nothing_is_delivered_twice(events: list[tuple[str, object, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:

        async def run() -> None:
            await Run(Path(folder) / "gateway.db").live(events)

        asyncio.run(run())


def test_every_destination_kind_has_a_lane_rule() -> None:
    """Mails wait recipient by recipient; every other destination has one lane a report."""
    from gateway.model.decision import PER_RECIPIENT

    assert {Destination.MSSANTE_PS, Destination.MSSANTE_PATIENT} == PER_RECIPIENT
