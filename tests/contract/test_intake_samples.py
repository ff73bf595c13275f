"""All public samples through a live socket: each answered as the table says, none lost (T2, T4, T9)."""

import csv
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import hl7v2
from gateway.config import MllpSettings
from gateway.connectors.mllp import MllpServer, connect
from gateway.pipeline.offline import unframed
from tests.intake_house import House
from tests.mllp_support import refuse
from tests.support import FIXTURES, SAMPLES, needs_samples
from tests.unit.mapping_messages import ORU, changed

FOLDER = SAMPLES / "hl7v2"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.name != "INDEX.tsv")
TABLE = FIXTURES / "hl7v2" / "samples_expected.csv"
"""file, part (a file may hold several messages), code of the acknowledgement, state, codes of the errors."""
KEPT = ("PRT", "ZDS", "ZBE", "ZFA", "ZFD", "ZFM", "EVN", "OBX")
KEPT_BYTES = frozenset(name.encode() for name in KEPT)
PROBE = ORU.encode()

pytestmark = [pytest.mark.samples, needs_samples]


class Running:
    """A listener with the real intake on an embedded store."""

    def __init__(self, house: House, port: int) -> None:
        self.house, self.port = house, port

    async def send(self, *payloads: bytes) -> list[bytes]:
        """The answers, over one connection."""
        async with connect("127.0.0.1", self.port) as client:
            return [(await client.exchange(one)).answer for one in payloads]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    house = House(tmp_path)

    async def take(payload: bytes, peer: str) -> bytes:
        return await house.intake.take_hl7v2(payload, peer=peer)

    server = MllpServer(handler=take, refuse=refuse, settings=MllpSettings(), limit=50_000_000)
    port = await server.start("127.0.0.1", 0)
    yield Running(house, port)
    await server.stop()
    await house.store.close()


def expected() -> dict[tuple[str, int], tuple[str, str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as table:
        return {
            (row["file"], int(row["part"])): (row["code"], row["state"], row["errors"])
            for row in csv.DictReader(table)
        }


def parts(path: Path) -> list[bytes]:
    return list(hl7v2.split_batch(unframed(path.read_bytes())))


@pytest.mark.req("REQ-01", "REQ-02")
async def test_each_sample_is_answered_as_documented_and_the_listener_lives(running: Running) -> None:
    table = expected()
    told: dict[tuple[str, int], tuple[str, str, str]] = {}
    for path in FILES:
        name = path.relative_to(FOLDER).as_posix()
        for number, payload in enumerate(parts(path)):
            answer, probe = await running.send(payload, PROBE)
            acknowledgement = hl7v2.read_ack(answer)
            assert hl7v2.read_ack(probe).code == "AA", f"after {name}"
            newest, sample = running.house.queries.messages(limit=2)
            assert newest["state"] in ("accepted", "duplicate")
            row = running.house.queries.message(sample["id"])
            assert row is not None and running.house.queries.raw(sample["id"]) == payload, name
            assert acknowledgement.accepted or acknowledgement.errors, f"{name}: a refusal has its reason"
            errors = {found["code"] for found in row["findings"] if found["severity"] == "error"}
            told[name, number] = (acknowledgement.code, row["state"], " ".join(sorted(errors)))
    assert len({name for name, _ in told}) == len(FILES) == 102
    differing = {key: (told.get(key), table.get(key)) for key in told | table}
    assert {key: pair for key, pair in differing.items() if pair[0] != pair[1]} == {}


@pytest.mark.req("REQ-01")
async def test_no_segment_of_a_volet_is_lost_on_the_way_to_the_store(running: Running) -> None:
    """Counted in the files by their first letters, and in what the store gives back by the reader."""
    sent: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for path in FILES:
        for payload in parts(path) if "ansforge" in str(path) else ():
            await running.send(payload)
            lines = payload.replace(b"\r", b"\n").split(b"\n")
            sent.update(
                line[:3].decode() for line in lines if line[3:4] == b"|" and line[:3].decode() in KEPT
            )
            raw = running.house.queries.raw(running.house.queries.messages(limit=1)[0]["id"])
            assert raw is not None
            kept.update(one.name for one in hl7v2.read(raw).segments if one.name in KEPT)
    assert kept == sent
    assert (sent["PRT"], sent["ZFA"] > 0, sent["ZBE"] > 0, sent["ZFD"] > 0) == (100, True, True, True)


@pytest.mark.req("REQ-03")
async def test_one_control_id_three_times_is_three_messages_and_a_resend_is_one(running: Running) -> None:
    """Official initial, replacing and deleting messages share MSH-10 `015` (T4)."""
    first = changed(("RIS-2021-000042-1", "015")).encode()
    second = changed(("RIS-2021-000042-1", "015"), ("anomalie", "lésion")).encode()
    third = changed(("RIS-2021-000042-1", "015"), ("anomalie", "fracture")).encode()
    answers = await running.send(first, second, third, first)
    assert answers[3] == answers[0], "the stored answer, byte for byte"
    rows = running.house.queries.messages(limit=4)
    assert [row["state"] for row in reversed(rows)] == ["accepted", "accepted", "accepted", "duplicate"]
