"""CPU of the intake by step: where the milliseconds before an acknowledgement go.

CPU time of this process, not time on the clock: a busy neighbour disturbs it little, the disk not at all.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any, TypeVar

from bench.load import messages
from gateway import hl7v2
from gateway.mapping import hl7 as hl7_mapping
from gateway.mapping import sites
from gateway.model.delivery import Destination, MessageState
from gateway.pipeline.identity import identity, set_key
from gateway.pipeline.reading import Envelope, Reading, Readout, dedupe_key, pack, readout, unpack
from gateway.ports import Conclusion, Known, Received, Settled
from gateway.rules.decide import decide
from gateway.store import SqliteStore

T = TypeVar("T")

GROUP = 32
"""Messages of one commit, as 32 connections make them."""
_ENVIRONMENT = "test"
_ENABLED = frozenset({Destination.FOLDER})
_NUMBERS = count()


@dataclass
class Stages:
    """CPU seconds by step, of each round; a round is one group."""

    rounds: dict[str, list[float]] = field(default_factory=dict)

    def each(self, step: str, work: Callable[..., T], *rows: Iterable[Any]) -> list[T]:
        """`work` over `rows` in parallel, timed together."""
        start = time.process_time()
        done = [work(*row) for row in zip(*rows, strict=True)]
        self.rounds.setdefault(step, []).append((time.process_time() - start) / len(done))
        return done

    def milliseconds(self, step: str) -> float:
        """The best quarter of all rounds, in the mean: what the step costs when nobody disturbs it."""
        best = sorted(self.rounds[step])
        kept = best[: max(1, len(best) // 4)]
        return 1000 * sum(kept) / len(kept)


async def _round(stages: Stages, frames: list[bytes], keeper: SqliteStore, known: sites.Sites) -> None:
    read = stages.each("read", hl7v2.read, frames)
    profiles = stages.each("match", known.match, read)
    mapped = [one[0] for one in stages.each("map", hl7_mapping.reports, read, profiles)]
    readouts = stages.each("encode and hash", readout, mapped)
    keys = stages.each("dedupe key", dedupe_key, read)
    readings = [
        Reading(Envelope(dedupe_key=key, reply=hl7v2.reply_to(message)), reports=(one,))
        for key, message, one in zip(keys, read, readouts, strict=True)
    ]
    carried = [
        one.reports[0] for one in stages.each("carry to the intake", lambda one: unpack(pack(one)), readings)
    ]
    profile, now = profiles[0], datetime.now(UTC)

    def settle(readout: Readout) -> Settled:
        one, text = readout
        assert one.report is not None
        assert text is not None
        digest = text.content_hash
        key = set_key(one.report.report_set)
        decision = decide(
            one, None, site=profile.site, environment=_ENVIRONMENT, enabled=_ENABLED, content_hash=digest
        )
        assert decision.number == 1
        made = identity(
            one, environment=_ENVIRONMENT, site=profile.site, key=key, number=1, known=None, now=now
        )
        return Settled(
            mapped=one,
            decision=decision,
            set_key=key,
            content_hash=digest,
            identity=made,
            canonical=text,
        )

    settled = stages.each("decide and name", settle, carried)

    def answer(reading: Reading) -> bytes:
        return hl7v2.acknowledge(
            reading.envelope.reply, hl7v2.AckCode.AA, now=now, control_id=str(next(_NUMBERS))
        )

    answers = stages.each("acknowledge", answer, readings)
    received = [
        Received(
            raw=frame,
            protocol="hl7v2",
            peer="bench",
            site=profile.site.name,
            received_at=now,
            dedupe_key=key,
            control_id=message.control_id,
        )
        for frame, key, message in zip(frames, keys, read, strict=True)
    ]

    async def store() -> None:
        """Handed to the writer's thread, written, committed together."""
        jobs = []
        for came, answered, one in zip(received, answers, settled, strict=True):
            found = one.decision.findings
            done = Conclusion(state=MessageState.ACCEPTED, answer=answered, reports=(one,), findings=found)
            jobs.append(keeper.commit(came, partial(_conclude, done)))
        await asyncio.gather(*jobs)

    start = time.process_time()
    await store()
    stages.rounds.setdefault("store and commit", []).append((time.process_time() - start) / len(frames))


def _conclude(done: Conclusion, known: Known) -> Conclusion:
    for one in done.reports:
        known.report(one.mapped.context.site, one.set_key)
    return done


async def measure(*, seconds: float, folder: Path | None = None) -> Stages:
    """Rounds of 32 messages until `seconds` of CPU are spent."""
    stages, stream, known = Stages(), messages(f"stages-{time.time_ns()}"), sites.load()
    with tempfile.TemporaryDirectory(dir=folder, prefix="gateway-bench-") as name:
        keeper = SqliteStore.open(Path(name) / "store.db")
        end = time.process_time() + seconds
        while time.process_time() < end:
            frames = [frame[1:-2] for frame in islice(stream, GROUP)]
            await _round(stages, frames, keeper, known)
        await keeper.close()
    return stages


def run(*, seconds: float, folder: Path | None = None) -> None:
    stages = asyncio.run(measure(seconds=seconds, folder=folder))
    table("intake of a 2 kB ORU, by step", "in all, without network", stages)


def table(title: str, whole: str, stages: Stages) -> None:
    """A line a step, and their sum as what one core could do."""
    spent = {step: stages.milliseconds(step) for step in stages.rounds}
    total = sum(spent.values())
    print(f"{title:38}{'CPU ms':>8}{'share':>8}")
    for step, cost in spent.items():
        print(f"{step:38}{cost:8.3f}{cost / total:8.0%}")
    print(f"{whole:38}{total:8.3f}{1000 / total:8.0f} a second of one core")
