"""The socket of the HTTP side."""

import asyncio
import socket

from gateway.service.http import _bind


async def test_an_answer_on_a_kept_connection_does_not_wait_for_the_one_before() -> None:
    """Without TCP_NODELAY the body of each answer waits 40 ms for the client's delayed acknowledgement."""
    taken: asyncio.Queue[int] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        taken.put_nowait(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = _bind("127.0.0.1", 0)
    async with await asyncio.start_server(accept, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        assert await taken.get()
        writer.close()
