"""Messages of different patients, cut anywhere and interleaved over many connections, are never mixed.

Hypothesis chooses how many senders there are, what each sends, where it is cut and in which order the pieces
go on the wire. Each piece is a packet of its own.
"""

import asyncio
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import hl7v2
from gateway.config import MllpSettings
from gateway.connectors.mllp import MllpServer
from tests.mllp_support import acknowledged, framed, refuse, report

TEXT = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="|^~\\&\x7f"), max_size=30
)


def stream(sender: int, texts: list[str]) -> tuple[list[bytes], bytes]:
    """The messages of a sender, all about one patient of its own, and their bytes on the wire."""
    messages = [
        report(f"{sender}-{number}", text=text, patient=f"IPP{sender:03d}")
        for number, text in enumerate(texts)
    ]
    return messages, b"\r\n".join(framed(message) for message in messages)


def pieces(data: bytes, cuts: list[float]) -> list[bytes]:
    places = sorted({0, len(data), *(int(cut * len(data)) for cut in cuts)})
    return [data[start:stop] for start, stop in pairwise(places)]


CUTS = st.lists(st.floats(0, 1), max_size=12)


@st.composite
def feeds(draw: st.DrawFn) -> tuple[list[list[bytes]], list[tuple[int, bytes]]]:
    """Messages of each sender, and the packets (sender, bytes) in the order in which they are sent."""
    sent, queues = [], []
    for sender in range(draw(st.integers(2, 6))):
        messages, data = stream(sender, draw(st.lists(TEXT, min_size=1, max_size=4)))
        sent.append(messages)
        queues.append(
            [bytes([byte]) for byte in data] if draw(st.integers(0, 9)) == 0 else pieces(data, draw(CUTS))
        )
    order = draw(st.permutations([sender for sender, queue in enumerate(queues) for _ in queue]))
    rest = [iter(queue) for queue in queues]
    return sent, [(sender, next(rest[sender])) for sender in order]


async def converse(
    sent: list[list[bytes]], packets: list[tuple[int, bytes]]
) -> tuple[dict[str, list[bytes]], list[tuple[str, list[str]]]]:
    """What the handler was given, by peer; for each sender its name there and the ids acknowledged to it."""
    taken: dict[str, list[bytes]] = {}

    async def handler(payload: bytes, peer: str) -> bytes:
        taken.setdefault(peer, []).append(payload)
        await asyncio.sleep(0)  # others may come in between
        return acknowledged(payload)

    server = MllpServer(handler, refuse, MllpSettings(), limit=100_000)
    port = await server.start("127.0.0.1", 0)
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in sent]
    for sender, data in packets:
        lines[sender][1].write(data)
        await asyncio.sleep(0)
    heard = []
    for (reader, writer), messages in zip(lines, sent, strict=True):
        name = "{}:{}".format(*writer.get_extra_info("sockname"))
        ids = []
        for _ in messages:
            answer = await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 5)
            ids.append(hl7v2.read_ack(answer[1:-2]).control_id)
        writer.close()
        heard.append((name, ids))
    await server.stop(1)
    return taken, heard


@settings(max_examples=60, deadline=None)
@given(feeds())
def test_every_sender_is_answered_for_its_own_messages_and_nothing_is_mixed(
    feed: tuple[list[list[bytes]], list[tuple[int, bytes]]],
) -> None:
    sent, packets = feed
    taken, heard = asyncio.run(converse(sent, packets))
    for sender, (messages, (peer, ids)) in enumerate(zip(sent, heard, strict=True)):
        assert taken[peer] == messages  # byte for byte, in order, on its own connection
        assert ids == [f"{sender}-{number}" for number in range(len(messages))]
        patients = {hl7v2.read(payload).value("PID", 3) for payload in taken[peer]}
        assert patients == {f"IPP{sender:03d}"}
    assert sum(map(len, taken.values())) == sum(map(len, sent))
