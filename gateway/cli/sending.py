"""`gateway send`: an MLLP or FHIR client that prints what the other side answered."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from gateway import hl7v2
from gateway.cli.common import FAILED, WRONG_USE, emit, fail, read_file, settings
from gateway.connectors.mllp import connect
from gateway.pipeline.offline import InputKind, recognise, unframed


def send(files: list[Path], to: str, token: str, timeout: float, as_json: bool, config: Path | None) -> None:
    """Send every file in order; exit 1 when one was not accepted."""
    target = urlsplit(to)
    if target.scheme not in ("mllp", "http", "https") or not target.hostname:
        fail(f"--to {to}: expected mllp://HOST:PORT or http(s)://HOST:PORT/fhir", WRONG_USE)
    current = settings(config)
    payloads = [(file, read_file(file, current.limits.max_bytes)) for file in files]
    if target.scheme == "mllp":
        port = target.port or 2575
        answers = asyncio.run(_over_mllp(payloads, target.hostname, port, timeout, as_json))
    else:
        if not token:
            token = _stored_token(current.data_dir)
        answers = _over_http(payloads, to, token, timeout, as_json)
    if not all(answers):
        raise SystemExit(FAILED)


async def _over_mllp(
    payloads: list[tuple[Path, bytes]], host: str, port: int, timeout: float, as_json: bool
) -> list[bool]:
    taken: list[bool] = []
    try:
        async with connect(host, port, timeout=timeout) as client:
            for file, data in payloads:
                if recognise(data) is InputKind.FHIR:
                    fail(f"{file}: FHIR goes to http(s)://HOST:PORT/fhir", WRONG_USE)
                for payload in hl7v2.split_batch(unframed(data)) or (unframed(data),):
                    exchange = await client.exchange(payload)
                    taken.append(_show_ack(file, exchange.answer, exchange.seconds, as_json))
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as fault:
        fail(f"mllp://{host}:{port}: {fault or type(fault).__name__}")
    return taken


def _show_ack(file: Path, answer: bytes, seconds: float, as_json: bool) -> bool:
    ack = hl7v2.read_ack(answer)
    if as_json:
        emit(
            [
                {
                    "file": str(file),
                    "code": ack.code,
                    "control_id": ack.control_id,
                    "errors": list(ack.errors),
                    "seconds": round(seconds, 4),
                }
            ]
        )
    else:
        print(f"{file.name}: {ack.code} {ack.control_id} ({seconds * 1000:.0f} ms)")
        for error in ack.errors:
            print(f"  {error}")
    return ack.code in ("AA", "CA")


def _over_http(
    payloads: list[tuple[Path, bytes]], to: str, token: str, timeout: float, as_json: bool
) -> list[bool]:
    import httpx

    headers = {"Content-Type": "application/fhir+json"} | (
        {"Authorization": f"Bearer {token}"} if token else {}
    )
    taken: list[bool] = []
    with httpx.Client(timeout=timeout, headers=headers) as client:
        for file, data in payloads:
            try:
                answer = client.post(to, content=data)
            except httpx.HTTPError as fault:
                fail(f"{to}: {fault or type(fault).__name__}")
            taken.append(answer.is_success)
            if as_json:
                emit([{"file": str(file), "status": answer.status_code, "body": answer.text}])
            else:
                print(f"{file.name}: HTTP {answer.status_code}")
                print(f"  {answer.text}")
    return taken


def _stored_token(data_dir: Path) -> str:
    """The token of a gateway on this machine, when its data folder is readable."""
    path = data_dir / "admin-token"
    return path.read_text().strip() if path.is_file() else ""
