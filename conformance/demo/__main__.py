"""`make demo`: send, wait for every delivery, print the table; exit 0 only if all came as expected."""

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from conformance.demo.scenario import MESSAGES, STEPS, Step
from conformance.demo.stage import Stage, settled
from conformance.postgres import Cluster, PostgresMissingError
from gateway.connectors.mllp import connect
from gateway.hl7v2 import read_ack

console = Console(highlight=False)
WAIT = 60.0
_COLUMNS = {
    "dmp": "DMP",
    "mssante-ps": "MSSanté PS",
    "mssante-patient": "MSSanté patient",
    "folder": "folder",
}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    arguments.add_argument("--dir", type=Path, default=Path("var/demo"))
    arguments.add_argument(
        "--store",
        choices=("sqlite", "postgres"),
        default="sqlite",
        help="postgres: a private one, in a temporary folder",
    )
    options = arguments.parse_args()
    started = time.perf_counter()

    def say(text: str) -> None:
        console.print(f"[dim]{time.perf_counter() - started:5.1f} s[/dim]  {text}", soft_wrap=True)

    cluster = _postgres(say) if options.store == "postgres" else None
    stage = Stage(options.dir, store=cluster.url() if cluster is not None else "", say=say)
    try:
        stage.start()
        results = [_play(stage, step, say) for step in STEPS]
        good = _report(stage, results)
        say("as expected" if good else "NOT as expected: see the table and the logs beside it")
        if options.keep and good:
            console.print(
                f"\nLeft running. API: {stage.http}/api/messages  token: {stage.token}\nCtrl-C ends it.",
                soft_wrap=True,
            )
            _until_interrupted()
        return 0 if good else 1
    finally:
        stage.stop()
        if cluster is not None:
            cluster.remove()


def _postgres(say: Any) -> Cluster:
    try:
        cluster = Cluster()
    except PostgresMissingError as missing:
        raise SystemExit(f"the demo cannot run on PostgreSQL: {missing}") from None
    cluster.start()
    say(f"private PostgreSQL under {cluster.folder}")
    return cluster


def _play(stage: Stage, step: Step, say: Any) -> tuple[Step, dict[str, Any]]:
    data = (MESSAGES / step.file).read_bytes()
    answer = _post(stage, data) if step.file.endswith(".json") else asyncio.run(_mllp(stage, data))
    stored = stage.api("/api/messages?limit=1")["items"]
    if not stored:
        raise SystemExit(f"{step.file}: answered {answer} and not stored; see {stage.folder / 'gateway.log'}")
    row = _wait(stage, stored[0]["id"])
    say(f"{step.what}: {answer}, {row['state']}")
    return step, row


async def _mllp(stage: Stage, data: bytes) -> str:
    host, port = stage.mllp
    async with connect(host, port) as client:
        return read_ack((await client.exchange(data)).answer).code


def _post(stage: Stage, data: bytes) -> str:
    headers = {"Authorization": f"Bearer {stage.token}", "Content-Type": "application/fhir+json"}
    return f"HTTP {httpx.post(stage.http + '/fhir', content=data, headers=headers, timeout=30).status_code}"


def _wait(stage: Stage, message: int) -> dict[str, Any]:
    """The message once all its deliveries are at rest."""
    deadline = time.monotonic() + WAIT
    while True:
        row: dict[str, Any] = stage.api(f"/api/messages/{message}")
        if settled(row["deliveries"]) or time.monotonic() > deadline:
            return row
        time.sleep(0.1)


def _report(stage: Stage, results: list[tuple[Step, dict[str, Any]]]) -> bool:
    rows = [("message", "state", "report", *_COLUMNS.values())]
    good = True
    for step, row in results:
        reached = {one["destination"]: one["state"] for one in row["deliveries"]}
        expected = row["state"] == step.state and reached == step.deliveries
        good = good and expected
        reports = ", ".join(str(one["set_key"]).split("^")[0][-16:] for one in row["reports"])
        cells = tuple(reached.get(name, "–") for name in _COLUMNS)
        rows.append((step.file, row["state"] + ("" if expected else " ✗"), reports, *cells))
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    console.print()
    for number, cells in enumerate(rows):
        line = "  ".join(text.ljust(width) for text, width in zip(cells, widths, strict=True))
        console.print(f"[bold]{line}[/bold]" if number == 0 else line, soft_wrap=True)
    console.print()
    return _peers_agree(stage) and good


def _peers_agree(stage: Stage) -> bool:
    """The simulators' own ledgers say the same as ours."""
    wanted = {
        "dmp": sum(step.deliveries.get("dmp") == "delivered" for step in STEPS),
        "mssante": sum(
            step.deliveries.get(name) == "delivered"
            for step in STEPS
            for name in ("mssante-ps", "mssante-patient")
        ),
    }
    agreed = True
    for kind, count in wanted.items():
        entries = stage.ledger(kind)
        refused = [one for one in entries if one.get("result") not in ("Success", "Deleted", "ok")]
        agreed = agreed and len(entries) == count and not refused
        said = f"simulated {kind}: {len(entries)} received, {len(refused)} refused"
        console.print(f"{said}; files: {stage.folder / kind}", soft_wrap=True)  # a path is copied whole
    console.print(f"artefacts: {stage.folder / 'gateway' / 'outbox'}", soft_wrap=True)
    return agreed


def _until_interrupted() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("ended")


if __name__ == "__main__":
    raise SystemExit(main())
