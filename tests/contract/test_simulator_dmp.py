"""The DMP simulator as a process: what it takes, what it refuses and how, what it remembers."""

import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from lxml import etree

from conformance import pki
from tests.conformance.iti41 import CDA, PATIENT, Wish, assertion, request, sign
from tests.support import XDS_SCHEMAS

RS = "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}"
EBXML = XDS_SCHEMAS / "ebxml"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> pki.Pki:
    return pki.make(tmp_path_factory.mktemp("pki"))


class Simulator:
    """A running simulator; `post` sends a wish and returns (HTTP status, error codes, fault subcode)."""

    def __init__(self, folder: Path, keys: pki.Pki, *options: str) -> None:
        self.folder, self.keys = folder, keys
        command = [
            sys.executable,
            "-m",
            "conformance",
            "simulate",
            "dmp",
            "--port",
            "0",
            "--dir",
            str(folder),
        ]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready_line = self.process.stdout.readline()
        self.url = next(word for word in self.ready_line.split() if "://" in word)
        self.base = self.url.removesuffix("/repository")

    def send(self, wish: Wish, credential: pki.Credential | None = None, **tls: Any) -> httpx.Response:
        cachet = credential or self.keys.cachet
        certificate = x509.load_pem_x509_certificate(cachet.certificate.read_bytes())
        vihf = sign(assertion(certificate.subject.rfc4514_string()), cachet.certificate, cachet.key)
        kind, body = request(wish, vihf)
        return httpx.post(self.url, content=body, headers={"Content-Type": kind}, timeout=20, **tls)

    def post(self, wish: Wish, credential: pki.Credential | None = None) -> tuple[int, list[str]]:
        response = self.send(wish, credential)
        body = response.content
        root = etree.fromstring(body[body.index(b"<env:Envelope") : body.index(b"</env:Envelope>") + 15])
        codes = [error.get("errorCode", "") for error in root.iter(f"{RS}RegistryError")]
        codes += [str(value.text) for value in root.iterfind(".//{*}Subcode/{*}Value")]
        return response.status_code, codes

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "ledger.jsonl").read_text().splitlines()]

    def stop(self) -> float:
        """Seconds that the end took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0
        return time.monotonic() - started


@pytest.fixture
def simulator(tmp_path: Path, keys: pki.Pki) -> Iterator[Simulator]:
    schemas = ("--schemas", str(EBXML)) if EBXML.is_dir() else ()
    running = Simulator(tmp_path / "dmp", keys, "--ca", str(keys.ca), *schemas)
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.mark.req("REQ-36", "REQ-80")
def test_a_faultless_submission_is_registered_and_kept(simulator: Simulator) -> None:
    assert simulator.post(Wish()) == (200, [])
    (line,) = simulator.ledger()
    assert (line["result"], line["uniqueId"], line["patient"]) == ("Success", "1.2.3.1", PATIENT)
    assert line["entryUUID"].startswith("urn:uuid:")
    assert (simulator.folder / "documents" / "1.2.3.1.xml").read_bytes() == CDA
    assert httpx.get(f"{simulator.base}/ledger").json() == [line]
    assert httpx.get(f"{simulator.base}/health").json()["status"] == "ok"


@pytest.mark.req("REQ-36")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (('nodeRepresentation="31"', 'nodeRepresentation="10"'), "XDSRegistryMetadataError"),
        (('id="Document01" mimeType', 'id="Document02" mimeType'), "XDSMissingDocument"),
    ],
)
def test_one_wrong_value_in_the_metadata_is_refused(
    simulator: Simulator, change: tuple[str, str], code: str
) -> None:
    status, codes = simulator.post(Wish(edits=[change]))
    assert status == 200
    assert code in codes
    assert simulator.ledger()[0]["result"] == "Failure"
    assert not (simulator.folder / "documents").exists()


@pytest.mark.req("REQ-36")
def test_hash_and_size_are_those_of_the_bytes_received(simulator: Simulator) -> None:
    wrong_size = [(f"<rim:Value>{len(CDA)}</rim:Value>", "<rim:Value>7</rim:Value>")]
    assert simulator.post(Wish(edits=wrong_size)) == (200, ["XDSRepositoryMetadataError"])


def test_a_submission_set_comes_once_and_a_document_with_the_same_bytes_only(simulator: Simulator) -> None:
    assert simulator.post(Wish()) == (200, [])
    assert simulator.post(Wish()) == (200, ["XDSDuplicateUniqueIdInRegistry"])
    assert simulator.post(Wish(set_id="1.2.3.3")) == (200, [])
    other = Wish(set_id="1.2.3.4", document=CDA + b" ")
    assert simulator.post(other) == (200, ["XDSNonIdenticalHash"])
    assert [line["documents"][0]["duplicate"] for line in simulator.ledger() if line["documents"]] == [
        False,
        True,
    ]


def test_a_replacement_needs_a_known_approved_entry(simulator: Simulator) -> None:
    unknown = "urn:uuid:00000000-0000-4000-8000-000000000000"
    assert simulator.post(Wish(replaces=unknown)) == (200, ["XDSReplaceFailed"])
    assert simulator.post(Wish()) == (200, [])
    first = simulator.ledger()[-1]["entryUUID"]
    second = Wish(unique_id="1.2.3.11", set_id="1.2.3.12", replaces=first)
    assert simulator.post(second) == (200, [])
    third = Wish(unique_id="1.2.3.21", set_id="1.2.3.22", replaces=first)
    assert simulator.post(third) == (200, ["XDSRegistryDeprecatedDocumentError"])


def test_an_entry_uuid_of_the_sender_is_kept(simulator: Simulator) -> None:
    own = "urn:uuid:5f0c5a0e-8a3f-4a8e-9a6a-1f1f6a0d7c11"
    assert simulator.post(Wish(entry_id=own)) == (200, [])
    assert simulator.ledger()[0]["entryUUID"] == own


@pytest.mark.parametrize(
    ("wish", "subcode"),
    [
        (Wish(assertion=False), "wsse:InvalidSecurity"),
        (Wish(assertion_edits=[("<saml:NameID>801", "<saml:NameID>802")]), "wsse:FailedCheck"),
        (Wish(edits=[("279035121518989", "279035121518988")]), "wsse:FailedAuthentication"),
    ],
)
def test_without_a_true_vihf_nothing_is_read(simulator: Simulator, wish: Wish, subcode: str) -> None:
    assert simulator.post(wish) == (500, [subcode])
    assert simulator.ledger()[0]["result"] == "Fault"


def test_a_cachet_of_another_authority_is_refused(simulator: Simulator, keys: pki.Pki) -> None:
    assert simulator.post(Wish(), keys.other_cachet) == (500, ["wsse:InvalidSecurityToken"])


def test_another_soap_action_is_refused(simulator: Simulator) -> None:
    assert simulator.post(Wish(action="urn:ihe:iti:2007:RegistryStoredQuery")) == (500, [])


def test_a_restarted_simulator_remembers(tmp_path: Path, keys: pki.Pki) -> None:
    first = Simulator(tmp_path, keys)
    assert first.post(Wish()) == (200, [])
    assert first.stop() < 3
    second = Simulator(tmp_path, keys)
    try:
        assert second.post(Wish()) == (200, ["XDSDuplicateUniqueIdInRegistry"])
        uuid = second.ledger()[0]["entryUUID"]
        assert second.post(Wish(unique_id="1.2.3.11", set_id="1.2.3.12", replaces=uuid)) == (200, [])
    finally:
        second.stop()


def test_it_misbehaves_on_demand(simulator: Simulator) -> None:
    def control(**state: Any) -> None:
        assert httpx.post(f"{simulator.base}/control", json=state).status_code == 200

    control(mode="500", count=1)
    assert simulator.send(Wish()).status_code == 500
    control(mode="lost", count=1)
    with pytest.raises(httpx.TransportError):
        simulator.send(Wish())
    assert not simulator.ledger()
    control(mode="closed", count=1)
    assert simulator.post(Wish()) == (200, ["DMPClosed"])
    control(mode="busy", count=1)
    assert simulator.post(Wish()) == (200, ["XDSRegistryBusy"])
    control(mode="drop", count=1)
    with pytest.raises(httpx.TransportError):
        simulator.send(Wish())
    assert simulator.ledger()[-1]["result"] == "Success", "taken, though no answer came"
    assert simulator.post(Wish()) == (200, ["XDSDuplicateUniqueIdInRegistry"])
    assert httpx.post(f"{simulator.base}/control", json={"mode": "nonsense"}).status_code == 400


def test_mutual_tls_refuses_a_client_without_certificate(tmp_path: Path, keys: pki.Pki) -> None:
    options = ("--cert", str(keys.server.certificate), "--key", str(keys.server.key))
    running = Simulator(tmp_path, keys, *options, "--client-ca", str(keys.ca))
    try:
        context = ssl.create_default_context(cafile=str(keys.ca))
        with pytest.raises((httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError)):
            running.send(Wish(), verify=context)
        context.load_cert_chain(keys.client.certificate, keys.client.key)
        assert running.send(Wish(), verify=context).status_code == 200
    finally:
        running.stop()
