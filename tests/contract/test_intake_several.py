"""Several messages in one frame, and batches (hl7v2.md §4.5; HL7 2.5 §2.10.3): each taken and answered."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway import hl7v2
from gateway.config import MllpPeerSettings, MllpSettings
from gateway.connectors.mllp import MllpServer, connect
from gateway.pipeline import intake
from tests.intake_house import House
from tests.mllp_support import refuse
from tests.unit.mapping_messages import changed

PEER = "127.0.0.1:1"


def report(number: int) -> bytes:
    """A report of its own exam, with control id `M-<number>`."""
    control = ("RIS-2021-000042-1", f"M-{number}")
    return changed(control, ("CR-2021-000042", f"CR-2021-0001{number:02}")).encode()


def broken(number: int) -> bytes:
    return b"\r".join(line for line in report(number).split(b"\r") if not line.startswith(b"PID|"))


def said(answer: bytes) -> list[str]:
    return [line for line in answer.decode().split("\r") if line[:3] in ("MSA", "BHS", "BTS")]


@pytest.mark.req("REQ-02")
async def test_each_message_of_a_frame_is_taken_and_its_bytes_kept(house: House) -> None:
    first, second = report(1), report(2)
    answer = await house.intake.take_hl7v2(first + second, peer=PEER)
    assert said(answer) == ["MSA|AA|M-1", "MSA|AA|M-2"]
    rows = house.queries.messages(limit=5)
    assert [row["state"] for row in rows] == ["accepted", "accepted"]
    assert [house.queries.raw(row["id"]) for row in reversed(rows)] == [
        first.rstrip(b"\r"),
        second.rstrip(b"\r"),
    ]
    assert "HL7-SEVERAL-MESSAGES" in house.codes(), "a tolerance is never silent"


@pytest.mark.req("REQ-02")
async def test_a_refused_message_takes_no_other_with_it(house: House) -> None:
    answer = await house.intake.take_hl7v2(report(1) + broken(2) + b"\r" + report(3), peer=PEER)
    assert said(answer) == ["MSA|AE|M-2", "MSA|AA|M-1", "MSA|AA|M-3"]
    states = [row["state"] for row in house.queries.messages(limit=5)]
    assert states == ["accepted", "rejected", "accepted"]


async def test_the_same_frame_again_is_answered_alike(house: House) -> None:
    frame = b"BHS|^~\\&|RIS\r" + report(1) + report(2) + b"BTS|2\r"
    first = await house.intake.take_hl7v2(frame, peer=PEER)
    again = await house.intake.take_hl7v2(frame, peer=PEER)
    assert said(again)[1:] == said(first)[1:] == ["MSA|AA|M-1", "MSA|AA|M-2", "BTS|2"]
    assert [row["state"] for row in house.queries.messages(limit=2)] == ["duplicate", "duplicate"]


async def test_a_batch_of_one_is_a_batch(house: House) -> None:
    answer = await house.intake.take_hl7v2(b"BHS|^~\\&|RIS\r" + report(1) + b"BTS|1\r", peer=PEER)
    assert [line[:3] for line in said(answer)] == ["BHS", "MSA", "BTS"]


async def test_an_empty_batch_and_too_many_messages_are_refused(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty = await house.intake.take_hl7v2(b"BHS|^~\\&|RIS\rBTS|0\r", peer=PEER)
    assert hl7v2.read_ack(empty).code == "AR"
    monkeypatch.setattr(intake, "MOST_MESSAGES", 2)
    many = await house.intake.take_hl7v2(report(1) + report(2) + report(3), peer=PEER)
    assert hl7v2.read_ack(many).code == "AE" and "HL7-TOO-LARGE" in many.decode()
    assert len(house.queries.messages(limit=5)) == 1, "none of them was taken"


@pytest.fixture
async def port(house: House) -> AsyncIterator[int]:
    async def take(payload: bytes, peer: str) -> bytes:
        return await house.intake.take_hl7v2(payload, peer=peer)

    peer = MllpPeerSettings(name="r2", networks=("127.0.0.0/8",), commit_bytes=True, enhanced_mode=True)
    settings = MllpSettings(peers=(peer,))
    server = MllpServer(handler=take, refuse=refuse, settings=settings, limit=50_000_000)
    yield await server.start("127.0.0.1", 0)
    await server.stop()


async def test_one_frame_gets_one_answer_behind_one_commit_block(house: House, port: int) -> None:
    """Enhanced mode and commit bytes, too: what was stored is committed, whatever the verdicts."""
    async with connect("127.0.0.1", port) as client:
        exchanged = await client.exchange(report(1) + broken(2))  # raises for 0x15, passes over 0x06
        assert said(exchanged.answer) == ["MSA|AE|M-2", "MSA|AA|M-1"]


async def test_a_batch_of_one_that_says_it_holds_more_is_noticed(house: House) -> None:
    batch = b"BHS|^~\\&|RIS\r" + report(1) + b"BTS|2\r"
    answer = said(await house.intake.take_hl7v2(batch, peer=PEER))
    assert answer[1:] == ["MSA|AA|M-1", "BTS|1"]
    assert house.codes() & {"HL7-BATCH-COUNT", "HL7-SEVERAL-MESSAGES"} == {"HL7-BATCH-COUNT"}


async def test_who_waits_for_an_answer_is_counted_until_it_is_there_whatever_it_says(house: House) -> None:
    async def bundle() -> None:
        await house.intake.take_fhir(b"{", "application/fhir+json", peer=PEER)

    frames = (report(1), broken(2), b"no message at all")
    asked = [asyncio.ensure_future(house.intake.take_hl7v2(frame, peer=PEER)) for frame in frames]
    asked.append(asyncio.ensure_future(bundle()))
    await asyncio.sleep(0)
    assert house.intake.waiting == len(asked)
    await asyncio.gather(*asked)
    assert house.intake.waiting == 0
