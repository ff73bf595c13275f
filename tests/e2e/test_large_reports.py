"""Reports of 25 MB pass in every form in which they come, and neither intake nor worker grows with them.

Peaks are read from the kernel (`VmHWM`), per process. Before the copies were taken out of the way they
stood at 415 to 760 MB. `make faults` adds the FHIR form.
"""

import asyncio
import base64
import io
import json
import random
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pytest

from conformance.demo.stage import Stage, settled
from gateway.connectors.mllp_client import connect
from gateway.hl7v2 import read_ack
from gateway.model.findings import CATALOGUE
from tests.faults.support import LONG

SIZE = 25_000_000
MOST = 300
"""Megabytes, of each process."""
MESSAGES = Path(__file__).parents[2] / "conformance" / "demo" / "messages"
_BASE64 = re.compile(rb"JVBERi[A-Za-z0-9+/=]+")


@pytest.fixture(scope="module")
def page() -> bytes:
    """A PDF of SIZE, most of it noise that cannot be compressed away."""
    made, out = pikepdf.new(), io.BytesIO()
    made.add_blank_page()
    made.Root.Noise = made.make_stream(random.Random(1).randbytes(SIZE))
    made.save(out, compress_streams=False)
    return out.getvalue()


def oru(page: bytes) -> bytes:
    """The PDF as ED in an observation."""
    message = (MESSAGES / "oru_pdf.er7").read_bytes()
    return _BASE64.sub(base64.b64encode(page), message, count=1)


def mdm(page: bytes) -> bytes:
    """The PDF in a CDA, which is itself Base64 in the message."""
    head, mark, rest = (MESSAGES / "mdm_cda.er7").read_bytes().partition(b"^Base64^")
    end = re.search(rb"[|\r]", rest)
    assert end is not None
    document = base64.b64decode(rest[: end.start()])
    document = _BASE64.sub(base64.b64encode(page), document, count=1)
    return head + mark + base64.b64encode(document) + rest[end.start() :]


def bundle(page: bytes) -> bytes:
    """The PDF as presentedForm of a DiagnosticReport."""
    tree = json.loads((MESSAGES / "fhir_report.json").read_bytes())
    (report,) = (
        one["resource"] for one in tree["entry"] if one["resource"]["resourceType"] == "DiagnosticReport"
    )
    report["presentedForm"] = [{"contentType": "application/pdf", "data": base64.b64encode(page).decode()}]
    return json.dumps(tree).encode()


def peak(process: int) -> int:
    """Megabytes that the process ever had."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1024


def workers(gateway: int) -> list[int]:
    task = Path(f"/proc/{gateway}/task/{gateway}/children")
    return [int(one) for one in task.read_text().split()]


async def over_mllp(stage: Stage, data: bytes) -> str:
    async with connect(*stage.mllp, timeout=100) as client:
        return read_ack((await client.exchange(data)).answer).code


def over_http(stage: Stage, data: bytes) -> int:
    headers = {"Authorization": f"Bearer {stage.token}", "Content-Type": "application/fhir+json"}
    return httpx.post(f"{stage.http}/fhir", content=data, headers=headers, timeout=100).status_code


def outcome(stage: Stage, message: int) -> dict[str, tuple[str, str]]:
    """destination → (state, reason) once nothing more happens by itself."""
    end = time.monotonic() + 100
    while True:
        row: dict[str, Any] = stage.api(f"/api/messages/{message}")
        if settled(row["deliveries"]):
            return {one["destination"]: (one["state"], one["reason"]) for one in row["deliveries"]}
        assert time.monotonic() < end, row["deliveries"]
        time.sleep(0.2)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from Linux's /proc")
@pytest.mark.timeout(400)
def test_reports_of_25_mb_pass_and_no_process_needs_300_mb(stage: Stage, page: bytes) -> None:
    assert stage.gateway is not None
    gateway = stage.gateway.pid
    assert asyncio.run(over_mllp(stage, oru(page))) == "AA"
    assert asyncio.run(over_mllp(stage, mdm(page))) == "AA"
    sent = 2
    if LONG:
        assert over_http(stage, bundle(page)) == 200
        sent = 3
    for message in range(1, sent + 1):
        reached = outcome(stage, message)
        assert reached.pop("folder") == ("delivered", "")
        assert reached.pop("dmp") == ("delivered", "")
        # What no mailbox takes is refused with its reason, before anything of that size is built or sent.
        assert all(state == "failed" for state, _ in reached.values())
        assert reached.get("mssante-patient", ("", "DOCUMENT-TOO-LARGE"))[1] in CATALOGUE
    assert [len(entry["documents"]) for entry in stage.ledger("dmp")] == [1] * sent
    kept = stage.folder / "gateway" / "outbox"
    assert [path.read_bytes() == page for path in kept.rglob("report.pdf")] == [True] * sent
    peaks = {"intake": peak(gateway)} | {f"worker {one}": peak(one) for one in workers(gateway)}
    assert max(peaks.values()) < MOST, peaks
    assert not list((stage.folder / "gateway" / "journal").glob("*.spool/*")), (
        "documents are handed over once"
    )
