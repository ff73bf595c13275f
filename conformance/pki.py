"""A test PKI: authority, cachet, AUTH_CLI client and loopback server certificates, all clearly fictive.

Used by the demo, the simulators and the tests; `conformance pki DIR` writes the files and prints them. The
subjects have the shape of IGC-Santé organisation certificates (OU = Struct_IdNat), nothing more.
"""

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

ORGANISATION = "CENTRE DE RADIOLOGIE AMBROISE (FICTIF)"
STRUCTURE = "1920008059"
LIFETIME = timedelta(days=825)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Credential:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Pki:
    """What `make` wrote. `other_cachet` is of an authority that nobody trusts, to be refused."""

    ca: Path
    server: Credential
    client: Credential
    cachet: Credential
    other_cachet: Credential

    @property
    def files(self) -> tuple[Path, ...]:
        credentials = (self.server, self.client, self.cachet, self.other_cachet)
        return (self.ca, *(path for one in credentials for path in (one.certificate, one.key)))


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: Key


def make(folder: Path, *, hosts: Iterable[str] = (), now: datetime | None = None) -> Pki:
    """Write a fresh PKI into `folder` (created; mode 0700), keys with mode 0600.

    `hosts` are names or addresses that the server certificate is valid for, beside those of the loopback.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    today = now or datetime.now(UTC)
    authority = _authority("AC DE TEST FICTIVE", today)
    stranger = _authority("AC INCONNUE FICTIVE", today)
    ca = folder / "ca.pem"
    ca.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    server = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), _names(hosts))
    client = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),)
    return Pki(
        ca=ca,
        server=_write(folder, "server", authority, "localhost", _elliptic(), server, today),
        client=_write(folder, "client", authority, "AUTH CLI FICTIF", _elliptic(), client, today),
        cachet=_write(folder, "cachet", authority, "CACHET FICTIF", _rsa(), (), today),
        other_cachet=_write(folder, "other-cachet", stranger, "CACHET INCONNU FICTIF", _rsa(), (), today),
    )


def _write(
    folder: Path,
    name: str,
    authority: Authority,
    common_name: str,
    key: Key,
    extensions: Iterable[x509.ExtensionType],
    now: datetime,
) -> Credential:
    certificate = _certificate(_subject(common_name), key, authority, extensions, now)
    credential = Credential(folder / f"{name}.pem", folder / f"{name}.key")
    credential.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(credential.key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(private)
    return credential


def _authority(common_name: str, now: datetime) -> Authority:
    key = _elliptic()
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    basic = x509.BasicConstraints(ca=True, path_length=0)
    usage = _usage(key_cert_sign=True, crl_sign=True)
    certificate = (
        _builder(subject, subject, key, key, now)
        .add_extension(basic, critical=True)
        .add_extension(usage, critical=True)
        .sign(key, SHA256())
    )
    return Authority(certificate, key)


def _certificate(
    subject: x509.Name,
    key: Key,
    authority: Authority,
    extensions: Iterable[x509.ExtensionType],
    now: datetime,
) -> x509.Certificate:
    builder = _builder(subject, authority.certificate.subject, key, authority.key, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(digital_signature=True, content_commitment=True), critical=True)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(authority.key, SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, issuer_key: Key, now: datetime
) -> x509.CertificateBuilder:
    """With the key identifiers that strict verification (RFC 5280) asks for."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Paris (75)"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, STRUCTURE),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})


def _names(hosts: Iterable[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_name(host) for host in dict.fromkeys((*_LOOPBACK, *hosts))])


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _elliptic() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
