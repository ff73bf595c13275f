"""SIGHUP: another configuration without a lost connection; a faulty one is refused, and told."""

import json
import os
import shutil
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.pki import Pki, make
from tests.e2e.conftest import Gateway
from tests.mllp_support import framed
from tests.support import FIXTURES

MESSAGE = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes().rstrip(b"\n")


class Reloaded(Gateway):
    """A gateway on a settings file, with TLS on both listeners."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.config = folder / "gateway.toml"
        self.pki: Pki = make(folder / "pki")
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        self.install(self.pki)
        self.write("one")

    def install(self, pki: Pki) -> None:
        shutil.copy(pki.server.certificate, self.certificate)
        shutil.copy(pki.server.key, self.key)

    def write(self, outbox: str, more: str = "") -> None:
        tls = f'tls_certificate = "{self.certificate}"\ntls_key = "{self.key}"\n'
        self.config.write_text(
            f'folder.path = "{self.folder / outbox}"\n{more}\n[mllp]\n{tls}[http]\n{tls}', encoding="utf-8"
        )

    def reload(self) -> dict[str, Any]:
        """SIGHUP; what readiness says of the configuration once it was looked at."""
        before = self.configuration()
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGHUP)

        def told() -> dict[str, Any] | None:
            now = self.configuration()
            return now if now != before else None

        return until(told)

    def configuration(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.http}/readyz", verify=False)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["configuration"]
        return found

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]


@pytest.fixture
def reloaded(tmp_path: Path) -> Iterator[Reloaded]:
    one = Reloaded(tmp_path)
    one.serve("--config", one.config)
    yield one
    assert one.process is not None
    one.process.stop()


def until(look: Callable[[], Any], seconds: float = 30.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


class Sender:
    """A RIS that keeps its connection; `fingerprint` of the certificate that it was shown."""

    def __init__(self, gateway: Gateway) -> None:
        host, port = gateway.mllp.removeprefix("mllp://").rsplit(":", 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._socket = context.wrap_socket(socket.create_connection((host, int(port)), timeout=30))
        self.certificate = self._socket.getpeercert(binary_form=True)

    def send(self, control_id: str) -> bytes:
        self._socket.sendall(framed(MESSAGE.replace(b"RIS-2021-000042", control_id.encode())))
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            answer += self._socket.recv(65536)
        return answer

    def close(self) -> None:
        self._socket.close()


def shown_by_http(gateway: Gateway) -> str:
    host, port = gateway.http.removeprefix("https://").rsplit(":", 1)
    return ssl.get_server_certificate((host, int(port)))


@pytest.mark.req("REQ-75")
def test_certificates_and_destinations_change_while_a_sender_stays_connected(reloaded: Reloaded) -> None:
    sender = Sender(reloaded)
    assert b"MSA|AA|A1" in sender.send("A1")
    until(lambda: list((reloaded.folder / "one").rglob("cda.xml")))
    fresh = make(reloaded.folder / "fresh")
    reloaded.install(fresh)
    reloaded.write("two")
    assert reloaded.reload()["needs_restart"] == []

    later = Sender(reloaded)
    assert later.certificate == ssl.PEM_cert_to_DER_cert(fresh.server.certificate.read_text())
    assert shown_by_http(reloaded).strip() == fresh.server.certificate.read_text().strip()
    assert later.certificate != sender.certificate
    assert b"MSA|AA|A2" in sender.send("A2"), "the connection of before still serves"
    later.close()
    sender.close()


def test_the_next_report_goes_by_the_new_settings(reloaded: Reloaded) -> None:
    reloaded.write("two")
    reloaded.reload()
    sender = Sender(reloaded)
    sender.send("B1")
    sender.close()
    until(lambda: list((reloaded.folder / "two").rglob("cda.xml")))
    assert not (reloaded.folder / "one").exists()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ('sites_dir = "{folder}/sites"', "broken.toml"),
        ("this is no TOML", "gateway.toml"),
        ("[retry]\nfirst = 'soon'", "retry.first"),
    ],
    ids=["profile", "syntax", "value"],
)
def test_a_faulty_configuration_is_refused_and_the_old_one_stays(
    reloaded: Reloaded, fault: str, reason: str
) -> None:
    (reloaded.folder / "sites").mkdir()
    (reloaded.folder / "sites" / "broken.toml").write_text("name = 7\n")
    reloaded.write("two", fault.format(folder=reloaded.folder))
    assert reloaded.reload()["refused_at"]
    line = next(one for one in reloaded.log() if "refused" in one["event"])
    assert reason in line["reason"]
    sender = Sender(reloaded)
    assert b"MSA|AA" in sender.send("C1")
    sender.close()
    until(lambda: list((reloaded.folder / "one").rglob("cda.xml")))

    reloaded.write("one")
    told = reloaded.run("doctor", "--config", reloaded.config)
    assert (told.returncode, "was refused" in told.stdout) == (1, True), told.stdout
    assert reloaded.reload()["refused_at"] is None
    assert reloaded.run("doctor", "--config", reloaded.config).returncode == 0


def test_what_needs_a_restart_is_named(reloaded: Reloaded) -> None:
    reloaded.write("one", "workers = 3")
    assert reloaded.reload()["needs_restart"] == ["workers"]
    line = next(one for one in reloaded.log() if "restart" in one["event"])
    assert line["settings"] == ["workers"]
