"""Hostile and broken documents at the doors of a running gateway: refused, said; nothing grows or stops."""

import asyncio
import base64
import json
import re
import time
from pathlib import Path

import httpx
import pytest

from gateway.connectors.mllp_client import connect
from tests.e2e.conftest import Gateway
from tests.hostile import HOSTILE
from tests.support import FIXTURES

MESSAGE = (FIXTURES / "hl7v2" / "mdm_cda.er7").read_bytes()
BUNDLE = json.loads((FIXTURES / "fhir" / "report.json").read_bytes())
DOCUMENT = base64.b64decode(re.findall(rb"\^Base64\^([^|\r]+)", MESSAGE)[0])
MOST = 300
"""Megabytes that the intake may ever have had."""


def message(document: bytes, number: int) -> bytes:
    """The MDM around this document, under a control id of its own."""
    made = re.sub(rb"(\^Base64\^)[^|\r]+", rb"\g<1>" + base64.b64encode(document), MESSAGE, count=1)
    head, rest = made.split(b"\r", 1)
    fields = head.split(b"|")
    fields[9] = b"HOSTILE-%d" % number
    return b"|".join(fields) + b"\r" + rest


async def answers(gateway: Gateway, messages: list[bytes]) -> list[str]:
    host, _, port = gateway.mllp.removeprefix("mllp://").partition(":")
    async with connect(host, int(port), timeout=60) as client:
        return [(await client.exchange(one)).answer.decode() for one in messages]


def peak(process: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.timeout(180)
def test_hostile_documents_are_refused_by_name_and_the_next_report_is_taken(gateway: Gateway) -> None:
    began = time.process_time()
    huge = DOCUMENT.replace(b"</title>", b"x" * 100_000_000 + b"</title>", 1)
    sent = [message(make(DOCUMENT), number) for number, (make, _) in enumerate(HOSTILE.values())]
    told = asyncio.run(answers(gateway, [*sent, message(DOCUMENT, 98)]))
    for (name, (_, code)), answer in zip(HOSTILE.items(), told, strict=False):
        assert "|AE|" in answer, name
        assert code in answer, name
    assert "|AA|" in told[-1]
    # 100 MB: the frame is cut off at limits.max_bytes and answered, the connection of others goes on.
    (cut,) = asyncio.run(answers(gateway, [message(huge, 99)]))
    assert "HL7-TOO-LARGE" in cut
    token = (gateway.folder / "var" / "admin-token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
    for status, body, kind in (
        (413, b"{" + b" " * 100_000_000 + b"}", "application/fhir+json"),
        (400, b'{"a":' * 100_000, "application/fhir+json"),
        (415, HOSTILE["billion laughs"][0](DOCUMENT), "application/fhir+xml"),
        (422, attached("@@@"), "application/fhir+json"),
        (422, attached(base64.b64encode(b"hello").decode()), "application/fhir+json"),
    ):
        answer = httpx.post(
            f"{gateway.http}/fhir", content=body, headers={**headers, "Content-Type": kind}, timeout=60
        )
        assert answer.status_code == status, answer.text[:300]
        assert answer.json()["resourceType"] == "OperationOutcome"
    assert asyncio.run(answers(gateway, [message(DOCUMENT, 97)]))[0].count("|AA|") == 1
    assert gateway.process is not None
    assert peak(gateway.process.pid) < MOST
    assert time.process_time() - began < 60


def attached(data: str) -> bytes:
    tree = json.loads(json.dumps(BUNDLE))
    report = next(
        one["resource"] for one in tree["entry"] if one["resource"]["resourceType"] == "DiagnosticReport"
    )
    report["presentedForm"] = [{"contentType": "application/pdf", "data": data}]
    tree["identifier"]["value"] = f"hostile-{len(data)}"
    return json.dumps(tree).encode()
