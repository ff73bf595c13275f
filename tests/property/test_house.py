"""Under any order of messages, identity events, commands, peer faults and deaths: nothing wrong arrives.

One house, from ER7 to what its peers hold, only the wires are left out. Messages of two exams come as drafts,
finals, corrections and withdrawals, new or late, again, under a qualified or a provisional identity; orders
come and go; the feed qualifies, merges and opposes; people announce, mask, withdraw, retry, cancel, release;
peers take, refuse, answer nothing; workers and gateways die. After each event the ledger adds up; what a peer
takes is for that person, validated, qualified, wanted there and not there yet; at the end the folder holds
the newest text.
"""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.hl7v2 import read_ack
from gateway.model.command import Command, Verb
from gateway.model.delivery import Destination, Outcome, OutcomeKind
from gateway.model.submission import Action
from gateway.model.version import DeliveryJob
from gateway.pipeline.intake import Intake
from gateway.ports import Produced, Settlement, Task
from tests.intake_house import House, fixture
from tests.rule_cases import ALL
from tests.store_support import document
from tests.unit.mapping_messages import with_field

K = OutcomeKind
HIDDEN = "OBX|90|CE|INVISIBLE_PATIENT^^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F\r"
HIDDEN += "OBX|91|CE|DESTMSSANTEPAT^^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F\r"
EXAMS = {"A": "2021-000042", "B": "2021-000052"}
MAIL = (Destination.MSSANTE_PS, Destination.MSSANTE_PATIENT)
Lane = tuple[str, str, str]

EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("report"),
            st.sampled_from("AB"),
            st.tuples(
                st.sampled_from("PFFFCDX"),
                st.sampled_from(["now", "now", "late"]),
                st.sampled_from(["VALI", "VALI", "PROV"]),
                st.booleans(),
            ),
        ),
        st.tuples(st.just("again"), st.integers(0, 30), st.none()),
        st.tuples(st.just("feed"), st.sampled_from(["qualified", "opposed", "agreed", "merged"]), st.none()),
        st.tuples(st.just("order"), st.sampled_from("AB"), st.sampled_from(["NW", "CA"])),
        st.tuples(st.just("command"), st.sampled_from("AB"), st.sampled_from(Verb)),
        st.tuples(st.just("claim"), st.integers(1, 8), st.none()),
        st.tuples(st.just("work"), st.integers(0, 3), st.none()),
        st.tuples(
            st.just("outcome"),
            st.integers(0, 7),
            st.sampled_from([K.DELIVERED, K.DELIVERED, K.DELIVERED, K.TRANSIENT, K.PERMANENT]),
        ),
        st.tuples(st.just("silence"), st.integers(0, 7), st.booleans()),
        st.tuples(st.just("worker dies"), st.none(), st.none()),
        st.tuples(st.just("operator"), st.integers(1, 16), st.sampled_from(["retry", "cancel", "release"])),
        st.tuples(st.just("restart"), st.none(), st.none()),
        st.tuples(st.just("time"), st.floats(1, 400), st.none()),
    ),
    min_size=20,
    max_size=60,
)


class Life:
    """One drawn life of a house; what its peers hold, and what may not be."""

    def __init__(self, folder: Path) -> None:
        self.house = House(folder)
        self._frames: list[tuple[bytes, bytes]] = []
        """Frames with their answers."""
        self._minute = self._count = 0
        self._opposed = False
        self._under_way: list[tuple[Task, DeliveryJob]] = []
        self._held: dict[Lane, list[tuple[int, Action]]] = {}
        """Lane → (delivery, action) of what its peer took, in order."""
        self._words: dict[int, str] = {}
        """Delivery that arrived → its conclusion."""
        self._doubtful: set[Lane] = set()
        self._texts: dict[str, tuple[int, int, str]] = {}
        """Exam → (validated at, arrival, words) of the newest text that was taken."""
        self._withdrawn: set[str] = set()
        self._touched: set[int] = set()
        """Deliveries that a person gave up."""

    # --- events

    async def report(self, exam: str, what: tuple[str, str, str, bool]) -> None:
        code, when, identity, hidden = what
        self._minute += 1
        minute = self._minute if when == "now" else self._minute // 2
        words = f"Constat {len(self._frames)}."
        message = fixture(
            "oru_report",
            ("2021-000042", EXAMS[exam]),
            ("105234751", f"10523475{'AB'.index(exam)}"),
            ("Examen sans anomalie décelable.", words),
        )
        message = with_field("OBR", 25, code, message)
        message = with_field("OBR", 22, f"2031010811{minute:02}00+0100", message)
        message = with_field("PID", 32, identity, message)
        if code in "DX":
            message = with_field("ORC", 1, "CA", message)
        answer = await self._send(message + (HIDDEN if hidden else ""))
        if read_ack(answer).code != "AA":
            return
        if code in "DX":
            self._withdrawn.add(exam)
        elif code in "FC":
            self._texts[exam] = max(self._texts.get(exam, (-1, 0, "")), (minute, len(self._frames), words))

    async def _send(self, message: str) -> bytes:
        head, _, rest = message.partition("\r")
        fields = head.split("|")
        self._count += 1
        fields[9] = f"HOUSE-{self._count}"
        frame = f"{'|'.join(fields)}\r{rest}".encode()
        answer = await self.house.intake.take_hl7v2(frame, peer="127.0.0.1:1")
        self._frames.append((frame, answer))
        return answer

    async def again(self, which: int, _: object) -> None:
        if not self._frames:
            return
        frame, first = self._frames[which % len(self._frames)]
        before = self.house.queries.deliveries(limit=1000)
        answer = await self.house.intake.take_hl7v2(frame, peer="127.0.0.1:2")
        if read_ack(first).code == "AA":
            assert answer == first, "a resend is answered as before"
            assert self.house.queries.deliveries(limit=1000) == before, "a resend changes nothing"

    async def feed(self, what: str, _: object) -> None:
        name = {"qualified": "adt_a08_qualified", "merged": "adt_a40_merge"}.get(what, "adt_a31_opposed")
        self._minute += 1
        moment = f"2031010811{self._minute:02}00"
        message = fixture(name, ("20210108120000", moment), ("20210106094000", moment))
        if what == "agreed":
            message = message.replace(f"|IO|{moment}|IC|", f"|INO|{moment}|IC|")
        assert read_ack(await self._send(message)).code == "AA"
        if what != "merged":  # who is merged keeps what he said
            self._opposed = what == "opposed"

    async def order(self, exam: str, control: str) -> None:
        """It may fill what a report lacks, and changes nothing that was taken."""
        before = self.house.queries.deliveries(limit=1000)
        message = fixture("orm_zds", ("ORC|NW|", f"ORC|{control}|"), ("2021-000042", EXAMS[exam]))
        assert read_ack(await self._send(message)).code == "AA"
        assert self.house.queries.deliveries(limit=1000) == before

    async def command(self, exam: str, verb: Verb) -> None:
        number = "AB".index(exam) + 1
        row = self.house.queries.report(str(number))
        if row is None:
            return
        flag = "MASQUE_PS" if verb in (Verb.MASK, Verb.UNMASK) else ""
        answer = await self.house.intake.command(
            Command(
                verb=verb, report_id=number, site=row["site"], set_key=row["set_key"], actor="cli", flag=flag
            )
        )
        if verb is Verb.WITHDRAW and answer.status == 200:
            self._withdrawn |= {name for name in EXAMS if EXAMS[name] in row["set_key"]}

    async def claim(self, limit: int, _: object) -> None:
        """Up to `limit` deliveries are handed out; the documents that they need are made before."""
        while tasks := await self.house.store.claim(limit):
            reader = self.house.reader()
            for task in tasks:
                if task.kind == "produce":
                    await self.house.store.settle((Produced(version_id=task.id, documents=(document(),)),))
                    continue
                job = reader.job(task.id, task.attempt)
                if not (job.recalled or job.forbidden):
                    self._may_leave(job)
                self._under_way.append((task, job))
            reader.close()
            if all(task.kind == "deliver" for task in tasks):
                break

    async def work(self, left: int, _: object) -> None:
        """All but the last `left` that may go now arrive."""
        await self.claim(50, None)
        while len(self._under_way) > left:
            await self.outcome(0, K.DELIVERED)

    async def outcome(self, which: int, kind: OutcomeKind) -> None:
        """The peer answers, and what it says is so."""
        if self._under_way:
            task, job = self._under_way.pop(which % len(self._under_way))
            if job.recalled:
                kind = K.REFUSED  # as the worker does
            elif job.forbidden:
                kind = K.TRANSIENT  # as the worker does
            if kind is K.DELIVERED:
                self._arrives(job)
            await self._settle(task, kind)

    async def silence(self, which: int, arrived: bool) -> None:
        """The bytes left, no answer came; whether it `arrived` nobody here knows."""
        sending = [one for one in self._under_way if not (one[1].recalled or one[1].forbidden)]
        if sending:
            task, job = sending[which % len(sending)]
            self._under_way.remove((task, job))
            if arrived:
                self._arrives(job)
            self._doubtful.add(_lane(job))
            await self._settle(task, K.AMBIGUOUS)

    async def _settle(self, task: Task, kind: OutcomeKind) -> None:
        now = self.house.clock.now()
        await self.house.store.settle(
            (
                Settlement(
                    delivery_id=task.id,
                    outcome=Outcome(kind=kind),
                    attempt=task.attempt,
                    started_at=now,
                    ended_at=now,
                ),
            )
        )

    async def worker_dies(self, *_: object) -> None:
        await self.house.store.surrender(tuple(task for task, _ in self._under_way))
        self._under_way = []

    async def operator(self, number: int, verb: str) -> None:
        with suppress(LookupError, ValueError):
            await getattr(self.house.store, verb)(number)
            if verb == "cancel":
                self._touched.add(number)

    async def restart(self, *_: object) -> None:
        house = self.house
        await house.store.close()
        self._under_way = []
        house.store = house.engine.open(clock=house.clock)
        house.intake = Intake(house.store, house.profiles, house.clock, environment="test", enabled=ALL)

    async def time(self, seconds: float, _: object) -> None:
        self.house.clock.pass_seconds(seconds)

    # --- what may not be

    def _may_leave(self, job: DeliveryJob) -> None:
        """When it is handed out."""
        version = job.version
        if job.action is Action.DELETE:
            return
        patient = version.report.patient
        assert version.report.status.validated, "nobody answers for it"
        if job.destination is Destination.DMP:
            assert patient.qualified, "an unqualified identity went to the DMP"
            assert not self._opposed, "the patient is opposed"
        if job.destination is Destination.MSSANTE_PATIENT:
            assert patient.qualified, "an unqualified identity went to a patient"
            assert not version.context.flags.invisible_patient, "hidden from the patient, and mailed"
            assert job.recipient is not None
            assert patient.ins is not None
            assert patient.ins.value in job.recipient.address, "the mailbox of another person"

    def _arrives(self, job: DeliveryJob) -> None:
        held = self._held.setdefault(_lane(job), [])
        if job.delivery_id in [number for number, _ in held]:
            assert job.unanswered, f"twice: {job.delivery_id}"
            return  # it knows the document and its hash; a mail was asked for by a person
        if held and _lane(job) not in self._doubtful:
            there = held[-1][1] is not Action.DELETE
            assert held[-1][0] < job.delivery_id, "out of order"
            assert there is not (job.action is Action.CREATE), (job.action, held)
        elif _lane(job) not in self._doubtful:
            assert job.action is not Action.DELETE, "nothing was there"
        held.append((job.delivery_id, job.action))
        self._words[job.delivery_id] = job.version.report.sections[-1].text

    def check(self) -> None:
        assert self.house.queries.problems() == []
        lanes = [_lane(job) for _, job in self._under_way]
        assert len(set(lanes)) == len(lanes), "two of one lane under way"

    async def end(self) -> None:
        """All peers are well, people retry what stands: the folder holds the newest text, or its absence."""
        await self.worker_dies()
        for _ in range(60):
            self.house.clock.pass_seconds(5000)
            for row in self.house.queries.deliveries(limit=1000):
                if row["state"] in ("failed", "ambiguous"):
                    await self.house.store.retry(row["id"])
            await self.claim(50, None)
            if not self._under_way:
                break
            while self._under_way:
                await self.outcome(0, K.DELIVERED)
        self.check()
        left = {row["state"] for row in self.house.queries.deliveries(limit=1000)}
        assert not left & {"planned", "pending", "waiting", "in_flight", "failed", "ambiguous"}, left
        for exam in EXAMS:
            self._holds_the_newest(exam)

    def _holds_the_newest(self, exam: str) -> None:
        for number in (1, 2):
            row = self.house.queries.report(str(number))
            if row is None or EXAMS[exam] not in row["set_key"] or exam in self._withdrawn:
                continue
            mine = [one for one in row["deliveries"] if one["destination"] == "folder"]
            if not mine or self._touched & {one["id"] for one in mine}:
                continue
            held = self._held.get((row["set_key"], "folder", ""), [])
            assert held, f"{exam} never arrived: {mine}"
            last = self._words[held[-1][0]]
            assert last == self._texts[exam][2], f"{exam}: {last}, newest {self._texts[exam]}"


def _lane(job: DeliveryJob) -> Lane:
    recipient = job.recipient.address if job.recipient is not None and job.destination in MAIL else ""
    return job.version.identity.set_key, job.destination.value, recipient


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_nothing_wrong_arrives_whatever_happens(events: list[tuple[str, Any, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:

        async def run() -> None:
            life = Life(Path(folder))
            for name, first, second in events:
                step: Callable[[Any, Any], Any] = getattr(life, name.replace(" ", "_"))
                await step(first, second)
                life.check()
            await life.end()
            life.house.queries.close()
            await life.house.store.close()

        asyncio.run(run())
