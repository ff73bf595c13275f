"""The stage of demo and end-to-end tests: certificates, simulated peers, the gateway, on loopback."""

import json
import re
import shutil
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from conformance import pki
from conformance.demo.processes import Process, module
from conformance.simulators.hold import Judge

JUDGING = 900.0
"""Seconds that a simulator may need for all that it holds."""


class Stage:
    """Processes under one folder. `start` them, use `mllp`, `api`, the ledgers; `stop` ends them all."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        store: str = "",
        say: Callable[[str], None] = lambda _: None,
        environment: Mapping[str, str] = MappingProxyType({}),
        judge: Judge = Judge.AT_ONCE,
    ) -> None:
        """`store`: address of a PostgreSQL, "" for SQLite; `environment`: settings that differ; `judge`: when
        the simulated peers do."""
        self.folder, self.workers, self._store, self._say = folder.resolve(), workers, store, say
        self._given, self._judge = environment, judge
        self.processes: list[Process] = []
        self.mllp = ("", 0)
        self.http = ""
        self._environment: dict[str, str] = {}
        self._peers: dict[str, tuple[Process, tuple[str, ...]]] = {}
        self.gateway: Process | None = None

    def start(self) -> None:
        """Everything, in order. Raises NotReadyError with the end of the log of what did not start."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        keys = pki.make(self.folder / "pki")
        self._say("test certificates made (fictive authority, cachet, client, server)")
        dmp = self._peer(
            "dmp",
            *("--cert", str(keys.server.certificate), "--key", str(keys.server.key)),
            *("--client-ca", str(keys.ca), "--ca", str(keys.ca)),
        )
        self._say(f"simulated DMP listens on {dmp} (mutual TLS)")
        mail = self._peer("mssante", "--cert", str(keys.server.certificate), "--key", str(keys.server.key))
        self._say(f"simulated MSSanté operator listens on {mail} (STARTTLS)")
        host, port = mail.removeprefix("smtp://").split(":")
        self._environment = {
            "GATEWAY_DATA_DIR": str(self.folder / "gateway"),
            "GATEWAY_MLLP__PORT": "0",
            "GATEWAY_HTTP__PORT": "0",
            "GATEWAY_WORKERS": str(self.workers),
            "GATEWAY_FOLDER__ENABLED": "true",
            "GATEWAY_DMP__URL": f"{dmp}/repository",
            "GATEWAY_DMP__CA": str(keys.ca),
            "GATEWAY_DMP__CLIENT_CERTIFICATE": str(keys.client.certificate),
            "GATEWAY_DMP__CLIENT_KEY": str(keys.client.key),
            "GATEWAY_DMP__CACHET_CERTIFICATE": str(keys.cachet.certificate),
            "GATEWAY_DMP__CACHET_KEY": str(keys.cachet.key),
            "GATEWAY_MSSANTE__HOST": host,
            "GATEWAY_MSSANTE__PORT": port,
            "GATEWAY_MSSANTE__CA": str(keys.ca),
            "GATEWAY_RETRY__FIRST": "0.3",
            "GATEWAY_STORE__URL": self._store,
            **self._given,
        }
        self.serve()

    def serve(self, **environment: str) -> None:
        """Start (or start again) the gateway on the same data folder."""
        self.gateway = Process(
            "gateway",
            module("gateway", "serve"),
            self.folder / "gateway.log",
            {**self._environment, **environment},
        )
        self.processes.append(self.gateway)
        line = self.gateway.ready()
        found = re.search(r"mllp://([\d.]+):(\d+) (https?://\S+)", line)
        assert found is not None, line
        self.mllp, self.http = (found[1], int(found[2])), found[3]
        self._say(line)

    def down(self, kind: str) -> None:
        """A simulated peer is gone, without a word; its ledger stays."""
        self._peers[kind][0].kill()

    def up(self, kind: str) -> None:
        """It is back at the same address."""
        gone, options = self._peers[kind]
        self._peer(kind, *options, port=_address(gone).rpartition(":")[2])

    def _peer(self, kind: str, *options: str, port: str = "0") -> str:
        process = Process(
            f"simulated {kind}",
            module(
                *("conformance", "simulate", kind, "--port", port, "--dir", str(self.folder / kind)),
                *("--judge", self._judge, *options),
            ),
            self.folder / f"{kind}.log",
        )
        self.processes.append(process)
        process.ready()
        self._peers[kind] = process, options
        return _address(process)

    @property
    def token(self) -> str:
        return (self.folder / "gateway" / "admin-token").read_text().strip()

    def api(self, path: str) -> Any:
        """GET on the operator API."""
        answer = httpx.get(
            f"{self.http}{path}", headers={"Authorization": f"Bearer {self.token}"}, timeout=10
        )
        answer.raise_for_status()
        return answer.json()

    def tell(self, kind: str, path: str, body: Any = None) -> Any:
        """POST on the side channel of a simulated peer."""
        process, _ = self._peers[kind]
        keys, context = self.folder / "pki", ssl.create_default_context()
        if kind == "dmp":
            context = ssl.create_default_context(cafile=str(keys / "ca.pem"))
            context.load_cert_chain(keys / "client.pem", keys / "client.key")
        found = re.search(r"https?://[\d.:]+", process.ready_line)
        assert found is not None, process.ready_line
        answer = httpx.post(f"{found[0]}{path}", json=body, verify=context, timeout=JUDGING)
        answer.raise_for_status()
        return answer.json()

    def judge(self) -> None:
        """The ledgers are complete: what the simulated peers hold is judged."""
        if self._judge is Judge.LATER:
            for kind in self._peers:
                self.tell(kind, "/judge")

    def ledger(self, kind: str) -> list[dict[str, Any]]:
        """What a simulated peer recorded, in order."""
        path = self.folder / kind / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()


def _address(peer: Process) -> str:
    found = re.search(r"(https?|smtp)://[\d.]+:\d+", peer.ready_line)
    assert found is not None, peer.ready_line
    return found[0]


def settled(deliveries: Iterable[dict[str, Any]]) -> bool:
    """Nothing more happens by itself."""
    return all(
        row["state"] in ("delivered", "failed", "refused", "blocked", "withheld", "cancelled", "ambiguous")
        for row in deliveries
    )
