"""The worklist of unvalidated reports over sockets, and who is told when they wait too long (REQ-30)."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Gateway
from tests.support import FIXTURES, PATIENCE
from tests.unit.mapping_messages import with_field

REPORT = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes().decode()


class Listener:
    """Whom the webhook tells."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Nothing on the test's output."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"

    def hears(self, kind: str) -> dict[str, Any]:
        """The first alert of this kind that opened."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for one in (one for digest in self.told for one in digest["opened"]):
                if one["kind"] == kind:
                    found: dict[str, Any] = one
                    return found
            time.sleep(0.1)
        raise AssertionError(f"no alert {kind}: {self.told}")


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.mark.req("REQ-30")
def test_a_preliminary_report_is_listed_told_and_never_sent(tmp_path: Path, listener: Listener) -> None:
    gateway = Gateway(tmp_path)
    gateway.serve(
        GATEWAY_ALERTS__WEBHOOK=listener.address,
        GATEWAY_ALERTS__INTERVAL="0.2",
        GATEWAY_ALERTS__UNVALIDATED_HOURS="0.00001",
    )
    try:
        preliminary = tmp_path / "preliminary.er7"
        preliminary.write_text(with_field("OBR", 25, "P", REPORT), newline="")
        assert gateway.run("send", preliminary, "--to", gateway.mllp).returncode == 0

        (row,) = gateway.rows("worklist", "--radiologist", "01234560801")
        assert (row["report_id"], row["status"]) == ("1", "preliminary")
        assert gateway.rows("worklist", "--to", "2021-01-01") == []
        assert gateway.run("worklist", "--from", "yesterday").returncode == 2
        assert "801234560801" in gateway.run("worklist").stdout

        token = (tmp_path / "var" / "admin-token").read_text().strip()
        path = f"{gateway.http}/api/worklist/unvalidated"
        head = {"Authorization": f"Bearer {token}"}
        assert httpx.get(path).status_code == 401
        said = httpx.get(path, params={"from": "2021-01-01", "radiologist": "801234560801"}, headers=head)
        assert [one["report_id"] for one in said.json()["items"]] == ["1"]
        assert httpx.get(path, params={"from": "9998-01-01"}, headers=head).json()["items"] == []
        assert httpx.get(path, params={"from": "soon"}, headers=head).status_code == 422

        alert = listener.hears("unvalidated")
        assert alert["subject"] == "801234560801"
        assert alert["text"].startswith("reports that wait for validation: 1,")
        assert "801234560801" not in (tmp_path / "log").read_text()
        assert gateway.rows("deliveries") == []
    finally:
        assert gateway.process is not None
        gateway.process.stop()
