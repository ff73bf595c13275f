"""The cachet: certificate and private key of the organisation, with which the VIHF is signed.

Spec dmp-mss.md §2.5 (IGC-Santé ORG, profile CACHET). The key stays inside: only signatures come out.
"""

import base64

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

_SMALLEST_KEY = 2048

_SHORT_NAMES = {NameOID.GIVEN_NAME: "GN", NameOID.SURNAME: "SN", NameOID.TITLE: "T"}
"""Attribute types that RFC 2253 does not name, as in the volet Transport synchrone §4.3.1.5.1.1."""


class CachetError(ValueError):
    """The PEM texts are not a certificate and its RSA key. The message never quotes them."""


class Cachet:
    """A certificate with its RSA private key, ready to sign.

    `issuer` is the subject DN as the VIHF states it: RFC 2253 order and escapes (CN first), which
    SAML 2.0 Core §8.3.3 and the volet Transport synchrone ask for.
    """

    __slots__ = ("_key", "certificate", "certificate_base64", "issuer")

    def __init__(self, certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> None:
        if certificate.public_key() != key.public_key():
            raise CachetError("the key does not belong to the certificate")
        self.certificate = certificate
        self._key = key
        self.issuer = certificate.subject.rfc4514_string(_SHORT_NAMES)
        self.certificate_base64 = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")

    @classmethod
    def load(cls, certificate: bytes, key: bytes, password: bytes | None = None) -> "Cachet":
        """From PEM. Of a certificate chain the first one counts. Raises CachetError."""
        try:
            loaded = x509.load_pem_x509_certificate(certificate)
        except ValueError as error:
            raise CachetError("the cachet certificate is not a PEM certificate") from error
        try:
            private = load_pem_private_key(key, password)
        except (ValueError, TypeError) as error:  # TypeError: a password is missing, or not needed
            raise CachetError("the cachet key is not a readable PEM private key") from error
        if not isinstance(private, rsa.RSAPrivateKey):
            raise CachetError("the cachet key is not an RSA key: the VIHF is signed with RSA-SHA256")
        if private.key_size < _SMALLEST_KEY:
            raise CachetError(
                f"the cachet key has {private.key_size} bits: {_SMALLEST_KEY} or more are needed"
            )
        return cls(loaded, private)

    def sign(self, data: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 (xmldsig-more#rsa-sha256)."""
        return self._key.sign(data, padding.PKCS1v15(), SHA256())

    def __repr__(self) -> str:
        return f"<Cachet of serial {self.certificate.serial_number:x}>"
