"""DATA of the simulated operator: the same content, limits and replies as line by line (RFC 5321)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiosmtpd.smtp import Envelope

from conformance.simulators.smtp import Server, unstuffed

LIMIT = 3 * 1024 * 1024


class Keeper:
    def __init__(self) -> None:
        self.taken: list[bytes] = []

    async def handle_DATA(self, server: Server, session: object, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.taken.append(envelope.content)
        return "250 taken"


class Talk:
    """A sender that says what it is told, in the pieces it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, *pieces: bytes) -> bytes:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(0.02)
        return await self.reply()

    async def reply(self) -> bytes:
        async with asyncio.timeout(20):
            while (line := await self._reader.readline())[3:4] == b"-":
                pass
        return line[:3]

    async def envelope(self) -> None:
        await self.say(b"MAIL FROM:<a@x.fr>\r\n")
        await self.say(b"RCPT TO:<b@x.fr>\r\n")
        assert await self.say(b"DATA\r\n") == b"354"


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
async def talk(keeper: Keeper) -> AsyncIterator[Talk]:
    loop = asyncio.get_running_loop()
    made = await loop.create_server(lambda: Server(keeper, data_size_limit=LIMIT), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*made.sockets[0].getsockname()[:2])
    talk = Talk(reader, writer)
    assert await talk.reply() == b"220"
    assert await talk.say(b"EHLO me\r\n") == b"250"
    yield talk
    writer.close()
    made.close()


@pytest.mark.parametrize(
    ("pieces", "content"),
    [
        ([b"A: b\r\n\r\ntext\r\n.\r\n"], b"A: b\r\n\r\ntext\r\n"),
        ([b"A: b\r\n\r\ntext\r", b"\n.", b"\r\n"], b"A: b\r\n\r\ntext\r\n"),
        ([b"..dot\r\n..\r\n.\r\n"], b".dot\r\n.\r\n"),
        ([b"a\n.\nb\r\n.\r\n"], b"a\n.\nb\r\n"),
        ([b".\r\n"], b""),
    ],
    ids=["whole", "the end in pieces", "dots of the sender", "a bare LF ends nothing", "empty"],
)
async def test_content(talk: Talk, keeper: Keeper, pieces: list[bytes], content: bytes) -> None:
    await talk.envelope()
    assert await talk.say(*pieces) == b"250"
    assert keeper.taken == [content]


async def test_a_command_behind_the_end_is_not_lost(talk: Talk, keeper: Keeper) -> None:
    await talk.envelope()
    assert await talk.say(b"x\r\n.\r\nNOOP\r\n") == b"250"
    assert await talk.reply() == b"250"
    assert keeper.taken == [b"x\r\n"]


@pytest.mark.parametrize(
    ("content", "reply"),
    [(b"x" * 1100 + b"\r\n", b"500"), (b"x" * 900 + b"\r\n", b"250"), (b"x" * 78 + b"\r\n", b"552")],
    ids=["line too long", "a long line", "too much"],
)
async def test_limits(talk: Talk, keeper: Keeper, content: bytes, reply: bytes) -> None:
    await talk.envelope()
    whole = content * (LIMIT // len(content) + 1) if reply == b"552" else content
    assert await talk.say(whole, b".\r\n") == reply
    assert bool(keeper.taken) is (reply == b"250")
    assert await talk.say(b"NOOP\r\n") == b"250", "and the dialogue goes on"


async def test_data_needs_a_recipient(talk: Talk) -> None:
    assert await talk.say(b"DATA\r\n") == b"503"


def test_unstuffed() -> None:
    assert unstuffed(b"...\r\n.a\r\nb.\r\n") == b"..\r\na\r\nb.\r\n"
