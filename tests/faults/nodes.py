"""Several gateways on one PostgreSQL, and senders that go to another node when theirs is gone."""

import asyncio
import shutil
import signal
from collections.abc import Iterable
from contextlib import suppress
from os import kill
from pathlib import Path

from conformance.demo.processes import Process
from conformance.reconcile import Reconciled, load, reconcile
from gateway import hl7v2
from gateway.connectors.mllp import connect
from tests.faults.conftest import ImpatientStage
from tests.faults.support import Account

LEASE = 2.0
"""Seconds until a node that was killed counts as dead."""
NAMES = ("a", "b", "c")


class NodesStage(ImpatientStage):
    """The peers once, a gateway for each of NAMES; all share the store and the token."""

    def __init__(self, folder: Path, store: str) -> None:
        super().__init__(folder, store=store)
        self.url = store
        self.nodes: dict[str, Process] = {}
        self.doors: dict[str, tuple[str, int]] = {}
        self.addresses: dict[str, str] = {}
        """Of their HTTP side."""

    def serve(self, **environment: str) -> None:
        """Called once by `start`: all nodes, one after the other."""
        for name in NAMES:
            self.node(name)

    def node(self, name: str) -> None:
        """Start, or start again, one of them."""
        own = self.folder / name
        first = self.folder / NAMES[0]
        if own != first and not own.is_dir():
            own.mkdir()
            for key in ("audit-key", "admin-token"):
                shutil.copy(first / key, own)
        super().serve(
            GATEWAY_DATA_DIR=str(own),
            GATEWAY_STORE__LEASE=str(LEASE),
            GATEWAY_FOLDER__PATH=str(self.folder / "outbox"),
        )
        assert self.gateway is not None
        self.nodes[name], self.doors[name] = self.gateway, self.mllp
        self.addresses[name] = self.http

    @property
    def token(self) -> str:
        return (self.folder / NAMES[0] / "admin-token").read_text().strip()

    def kill(self, name: str, *, workers_too: bool) -> None:
        """kill -9; `workers_too`: as when the machine lost its power."""
        process = self.nodes[name]
        workers = _children(process.pid) if workers_too else ()
        process.kill()
        for pid in workers:
            with suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)

    def compare(self, account: Account) -> Reconciled:
        return reconcile(
            account.told,
            self.url,
            dmp=load(self.folder / "dmp" / "ledger.jsonl"),
            mssante=load(self.folder / "mssante" / "ledger.jsonl"),
        )


def _children(pid: int) -> tuple[int, ...]:
    """Processes that this one started (Linux)."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return tuple(int(one) for one in found.read_text().split()) if found.exists() else ()


async def send_somewhere(
    stage: NodesStage, account: Account, messages: Iterable[tuple[str, bytes]], first: int
) -> None:
    """One after the other, as a load balancer would: to the next node when this one does not answer, again
    until it is taken. Only then comes the next message."""
    at = first
    for control_id, data in messages:
        while account.told.get(control_id) != "AA":
            account.told.setdefault(control_id, "")
            name = NAMES[at % len(NAMES)]
            try:
                async with connect(*stage.doors[name], timeout=15) as client:
                    answer = await client.exchange(data)
                account.told[control_id] = hl7v2.read_ack(answer.answer).code
            except (OSError, TimeoutError, ConnectionError):
                at += 1
                await asyncio.sleep(0.05)
            else:
                if account.told[control_id] != "AA":
                    await asyncio.sleep(0.2)
