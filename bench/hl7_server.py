"""The MLLP server of python-hl7 as a peer: it parses and acknowledges; nothing is stored or mapped.

`python -m bench.hl7_server PORT` (needs `pip install hl7`).
"""

import asyncio
import sys
from importlib import import_module
from typing import Any


async def main(port: int) -> None:
    mllp: Any = import_module("hl7.mllp")

    async def serve(reader: Any, writer: Any) -> None:
        try:
            while not reader.at_eof():
                message = await reader.readmessage()
                writer.writemessage(message.create_ack())
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    server = await mllp.start_hl7_server(serve, "127.0.0.1", port, encoding="utf-8", limit=1 << 22)
    print(f"python-hl7 ready on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
