"""The test PKI: what it writes, and that strict verifiers take it."""

import ipaddress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
from typer.testing import CliRunner

from conformance.cli import app
from conformance.pki import make
from tests.unit.pki_files import pki


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.mark.req("REQ-75")
def test_keys_are_readable_by_their_owner_only() -> None:
    keys = [path for path in pki().files if path.suffix == ".key"]
    assert len(keys) == 4
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    assert pki().ca.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_the_server_certificate_is_for_loopback_by_name_and_address(name: str) -> None:
    store = Store([certificate(pki().ca)])
    subject = x509.DNSName(name) if name == "localhost" else x509.IPAddress(ipaddress.ip_address(name))
    verifier = PolicyBuilder().store(store).time(datetime.now(UTC)).build_server_verifier(subject)
    assert len(verifier.verify(certificate(pki().server.certificate), [])) == 2


def test_the_client_certificate_is_one_for_clients() -> None:
    usage = certificate(pki().client.certificate).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert [purpose.dotted_string for purpose in usage.value] == ["1.3.6.1.5.5.7.3.2"]
    certificate(pki().client.certificate).verify_directly_issued_by(certificate(pki().ca))


def test_only_the_other_cachet_is_of_another_authority() -> None:
    authority = certificate(pki().ca)
    certificate(pki().cachet.certificate).verify_directly_issued_by(authority)
    with pytest.raises(ValueError, match=r"[Ii]ssuer"):
        certificate(pki().other_cachet.certificate).verify_directly_issued_by(authority)


def test_every_name_says_that_it_is_fictive() -> None:
    for path in pki().files:
        if path.suffix == ".pem":
            assert "FICTI" in certificate(path).subject.rfc4514_string()


def test_the_command_prints_what_it_wrote(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["pki", str(tmp_path / "pki")])
    assert done.exit_code == 0
    printed = [Path(line) for line in done.output.splitlines()]
    assert len(printed) == 9
    assert all(path.is_file() for path in printed)
    assert CliRunner().invoke(app, ["pki"]).exit_code == 2


def test_peers_in_containers_are_named_beside_the_loopback(tmp_path: Path) -> None:
    """The command line of docker/compose.yaml."""
    line = ["pki", str(tmp_path), "--host", "dmp", "--host", "10.1.2.3"]
    assert CliRunner().invoke(app, line).exit_code == 0
    server = certificate(tmp_path / "server.pem")
    store = Store([certificate(tmp_path / "ca.pem")])
    for name in (
        x509.DNSName("dmp"),
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("10.1.2.3")),
    ):
        verifier = PolicyBuilder().store(store).time(datetime.now(UTC)).build_server_verifier(name)
        assert len(verifier.verify(server, [])) == 2


def test_a_second_pki_in_the_same_place_replaces_the_first(tmp_path: Path) -> None:
    first = make(tmp_path).ca.read_bytes()
    assert make(tmp_path).ca.read_bytes() != first
