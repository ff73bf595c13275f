"""What the real `openssl s_client` may speak with a gateway (REQ-72, C17)."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Gateway
from tests.support import PATIENCE
from tests.unit.pki_files import pki

OPENSSL = shutil.which("openssl")
OWN_REFUSAL = re.compile("no protocols available|no ciphers? (match|available)|unsupported protocol")
"""What `s_client` says when its own library does not offer what was asked."""
pytestmark = [
    pytest.mark.req("REQ-72"),
    pytest.mark.skipif(OPENSSL is None, reason="no openssl command on this machine"),
]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("tls"))
    files = pki().server
    gateway.serve(
        **{
            f"GATEWAY_{part}__TLS_{name}": str(path)
            for part in ("MLLP", "HTTP")
            for name, path in (("CERTIFICATE", files.certificate), ("KEY", files.key))
        }
    )
    yield gateway
    assert gateway.process is not None
    gateway.process.stop()


def client(address: str, *options: str) -> subprocess.CompletedProcess[str]:
    assert OPENSSL is not None
    return subprocess.run(
        [
            *(OPENSSL, "s_client", "-connect", address.rpartition("//")[2], "-CAfile", str(pki().ca)),
            *("-verify_return_error", "-servername", "localhost", *options),
        ],
        input="",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def shakes_hands(address: str, *options: str) -> str:
    """The protocol that the two agreed on, "" for none."""
    done = client(address, *options)
    agreed = re.search(r"^New, (TLSv[\d.]+), Cipher is (?!\(NONE\))", done.stdout, re.MULTILINE)
    protocol = re.search(r"Protocol\s*: (TLSv[\d.]+)", done.stdout)
    return (protocol or agreed)[1] if agreed and done.returncode == 0 else ""


@pytest.mark.parametrize("port", ["mllp", "http"])
def test_tls_1_2_and_1_3_are_spoken(secured: Gateway, port: str) -> None:
    address = getattr(secured, port)
    assert shakes_hands(address, "-tls1_2") == "TLSv1.2"
    assert shakes_hands(address, "-tls1_3") == "TLSv1.3"


@pytest.mark.parametrize("port", ["mllp", "http"])
@pytest.mark.parametrize("old", ["-tls1", "-tls1_1"])
def test_nothing_older_is(secured: Gateway, port: str, old: str) -> None:
    said = client(getattr(secured, port), old, "-cipher", "ALL:@SECLEVEL=0")
    assert said.returncode != 0
    assert OWN_REFUSAL.search(said.stderr) is None, "the gateway refuses, not the client"


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-RSA-AES128-SHA", "AES256-GCM-SHA384"])
def test_no_suite_without_forward_secrecy_or_aead(secured: Gateway, cipher: str) -> None:
    offered = ("-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert shakes_hands(secured.mllp, *offered) == ""
    assert OWN_REFUSAL.search(client(secured.mllp, *offered).stderr) is None


@pytest.mark.parametrize("variable", ["GATEWAY_MLLP__HOST", "GATEWAY_HTTP__HOST"])
def test_plain_text_is_served_on_loopback_alone(
    tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "0.0.0.0")
    refused = Gateway(tmp_path).run("serve")
    assert refused.returncode == 2
    assert "is not loopback" in refused.stderr
