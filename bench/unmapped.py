"""The gateway's own intake with mapping switched off: its MLLP server, its store, nothing in between.

What it lacks against `floor` is what transport and ledger cost. `python -m bench.unmapped PORT FOLDER`.
"""

import asyncio
import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from gateway import hl7v2
from gateway.config import MllpSettings
from gateway.connectors.mllp import MllpServer
from gateway.model.delivery import MessageState
from gateway.model.findings import Finding
from gateway.ports import Conclusion, Received
from gateway.store import SqliteStore


async def main(port: int, folder: Path) -> None:
    store = SqliteStore.open(folder / "unmapped.db")

    async def take(payload: bytes, peer: str) -> bytes:
        now = datetime.now(UTC)
        received = Received(
            raw=payload,
            protocol="hl7v2",
            peer=peer,
            site="",
            received_at=now,
            dedupe_key=hashlib.sha256(payload).hexdigest(),
        )
        answer = hl7v2.acknowledge(
            hl7v2.Reply(), hl7v2.AckCode.AA, now=now, control_id=uuid4().hex[:20]
        ).replace(b"MSA|AA", b"MSA|AA|")
        kept = Conclusion(state=MessageState.ACCEPTED, answer=answer)
        return (await store.commit(received, lambda _: kept)).answer

    def refuse(head: bytes, problem: Finding) -> bytes:
        return hl7v2.refuse(head, problem, now=datetime.now(UTC), control_id=uuid4().hex[:20])

    server = MllpServer(take, refuse, MllpSettings(port=port), limit=50 << 20)
    print(f"unmapped ready on {await server.start('127.0.0.1', port)}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
