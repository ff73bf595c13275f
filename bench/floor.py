"""The floor under every durable MLLP server in Python: find the frame, insert the bytes, fsync, acknowledge.

No parsing, no mapping, no rules, no delivery (SQLite, WAL, synchronous=FULL).

    python -m bench.floor PORT FILE batched   what comes during a commit shares the next, as in the gateway
    python -m bench.floor PORT FILE single    one insert, one commit, one fsync a message
"""

import asyncio
import queue
import sqlite3
import sys
import threading
from pathlib import Path

ACK = b"\x0bMSH|^~\\&|||||||ACK|1|T|2.5\rMSA|AA|1\r\x1c\r"
Waiting = tuple[bytes, "asyncio.Future[None]"]


def write(
    path: Path, waiting: "queue.SimpleQueue[Waiting]", loop: asyncio.AbstractEventLoop, *, together: bool
) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, raw BLOB NOT NULL)")
    while True:
        group = [waiting.get()]
        while together and not waiting.empty():
            group.append(waiting.get())
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO message (raw) VALUES (?)", [(raw,) for raw, _ in group])
        connection.execute("COMMIT")
        loop.call_soon_threadsafe(release, group)


def release(group: list[Waiting]) -> None:
    for _, future in group:
        if not future.done():
            future.set_result(None)


async def main(port: int, path: Path, *, together: bool) -> None:
    loop = asyncio.get_running_loop()
    waiting: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
    arguments, how = (path, waiting, loop), {"together": together}
    threading.Thread(target=write, args=arguments, kwargs=how, daemon=True).start()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await reader.readuntil(b"\x1c\r")
                stored: asyncio.Future[None] = loop.create_future()
                waiting.put((frame, stored))
                await stored
                writer.write(ACK)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 22)
    print(f"floor ready on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), together=sys.argv[3] == "batched"))
