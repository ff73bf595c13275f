"""A creator who asks for it is told by ZAM what became of each delivery, over MLLP, once."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from conformance.demo.stage import Stage, settled
from gateway import hl7v2
from gateway.connectors.mllp import connect
from tests.support import FIXTURES, PATIENCE


class Creator:
    """The RIS that listens for ZAM: plain sockets, its own few lines of MLLP."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        data = b""
        with connection:
            while chunk := connection.recv(65536):
                data += chunk
                while b"\x1c\r" in data:
                    frame, _, data = data.partition(b"\x1c\r")
                    text = frame.lstrip(b"\x0b").decode()
                    self.received.append(text)
                    control_id = text.split("|")[9]
                    header = f"MSH|^~\\&|RIS|R|G|G|20210108||ACK^Z01^ACK|A{control_id}|P|2.6"
                    connection.sendall(f"\x0b{header}\rMSA|AA|{control_id}\r\x1c\r".encode())

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def creator() -> Iterator[Creator]:
    one = Creator()
    yield one
    one.close()


@pytest.mark.req("REQ-41")
def test_dmp_and_mail_are_acknowledged_to_the_creator(stage: Stage, creator: Creator) -> None:
    asking = (FIXTURES / "hl7v2" / "mdm_cda.er7").read_bytes()
    assert re.search(rb"\|ACK_RECEPTION\^[^|]*\|\|Y", asking)
    header = hl7v2.read(asking)
    assert stage.gateway is not None
    stage.gateway.stop()
    row = {"application": header.sending_application, "host": "127.0.0.1", "port": creator.port}
    stage.serve(GATEWAY_ZAM__CREATORS=json.dumps([row]))

    async def send() -> None:
        async with connect(*stage.mllp) as client:
            answer = hl7v2.read_ack((await client.exchange(asking)).answer)
            assert answer.code == "AA", answer

    asyncio.run(send())
    deadline = time.monotonic() + PATIENCE
    rows: list[dict[str, object]] = []
    while time.monotonic() < deadline:
        rows = stage.api("/api/deliveries")["items"]
        if sum(row["destination"] == "zam" for row in rows) == 2 and settled(rows):
            break
        time.sleep(0.1)
    told = {text.split("|")[8]: text for text in creator.received}
    assert sorted(told) == ["ZAM^Z01^ZAM_Z01", "ZAM^Z02^ZAM_Z01"]
    for text in told.values():
        assert f"|{header.control_id}|Y^" in text
    assert "@" in told["ZAM^Z02^ZAM_Z01"]

    assert {row["state"] for row in rows} == {"delivered"}
    assert sum(row["destination"] == "zam" for row in rows) == 2
