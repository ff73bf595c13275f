"""An intake on an embedded store for the tests of `tests/contract/`: what is sent, and what became of it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.hl7v2 import read_ack
from gateway.mapping import sites
from gateway.model.report import ImagingReport
from gateway.pipeline.intake import Intake
from gateway.ports import Task
from gateway.store import StoreReader
from tests.postgres_support import Engine
from tests.rule_cases import ALL
from tests.store_support import TickingClock
from tests.support import FIXTURES
from tests.unit.mapping_messages import changed

HL7 = FIXTURES / "hl7v2"
IPP = "000003^^^RIS-AMBROISE&1.2.250.1.925.994044785528.1&ISO^PI"
INS = "279035121518989^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS~"
RIS = "1.2.250.1.925.994044785528.1"


def fixture(name: str, *pairs: tuple[str, str]) -> str:
    return changed(*pairs, message=(HL7 / f"{name}.er7").read_bytes().decode())


class House:
    """An intake on a store, without workers."""

    def __init__(self, folder: Path, *, acknowledging: bool = False, engine: Engine | None = None) -> None:
        """`acknowledging`: creators who ask are told ends (ZAM); `engine` None: embedded."""
        self.path = folder / "gateway.db"
        self.engine = engine or Engine(self.path, folder)
        self.clock = TickingClock(datetime(2021, 1, 8, 11, 0, tzinfo=UTC))
        self.store = self.engine.open(clock=self.clock, acknowledging=acknowledging)
        self.profiles = sites.load()
        self.intake = Intake(self.store, self.profiles, self.clock, environment="test", enabled=ALL)
        self.queries = self.engine.queries()
        self._count = 0

    async def take(self, message: str) -> str:
        """One more message under a control id of its own; its acknowledgement code."""
        self._count += 1
        head, _, rest = message.partition("\r")
        fields = head.split("|")
        fields[9] = f"{fields[9]}-{self._count}"
        answer = await self.intake.take_hl7v2(f"{'|'.join(fields)}\r{rest}".encode(), peer="127.0.0.1:1")
        return read_ack(answer).code

    def last(self) -> dict[str, Any]:
        row = self.queries.message(self.queries.messages(limit=1)[0]["id"])
        assert row is not None
        return row

    def codes(self) -> set[str]:
        """Findings of the last message."""
        return {found["code"] for found in self.last()["findings"]}

    def report(self, version: int = 1) -> ImagingReport:
        """The version that was made as the n-th of the store."""
        found, _ = self.reader().version(version)
        return found.report

    def reader(self) -> StoreReader:
        """What a worker reads."""
        return StoreReader.open(self.engine.where, lambda name: self.profiles.named(name).site)

    def action(self, task: Task) -> str:
        """Of the delivery that was handed out."""
        row = self.queries.delivery(task.id)
        assert row is not None
        return str(row["action"])

    def deliveries(self) -> dict[str, tuple[str, str, str]]:
        """Destination → (action, state, reason) of its newest delivery."""
        rows = self.queries.deliveries(state="", destination="", cursor=0, limit=100)
        newest = sorted(rows, key=lambda row: row["id"])
        return {row["destination"]: (row["action"], row["state"], row["reason"]) for row in newest}
