"""The cachet: what is loaded, what is refused, and that the key stays inside."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.security import Cachet, CachetError
from tests.unit.pki_files import cachet, pki

CERTIFICATE = pki().cachet.certificate.read_bytes()
KEY = pki().cachet.key.read_bytes()


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def test_the_issuer_is_the_subject_in_rfc_2253_order() -> None:
    assert cachet().issuer.startswith("CN=CACHET FICTIF,OU=1920008059,O=")
    assert cachet().issuer.endswith(",C=FR")


def test_a_signature_is_rsa_sha256_of_the_certificate_s_key() -> None:
    public = x509.load_pem_x509_certificate(CERTIFICATE).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(cachet().sign(b"lot"), b"lot", padding.PKCS1v15(), SHA256())


def test_the_first_certificate_of_a_chain_is_the_cachet() -> None:
    chain = CERTIFICATE + pki().ca.read_bytes()
    assert Cachet.load(chain, KEY).issuer == cachet().issuer


@pytest.mark.req("REQ-75")
def test_an_encrypted_key_is_read_with_its_password() -> None:
    private = load_pem_private_key(KEY, None)
    assert isinstance(private, rsa.RSAPrivateKey)
    locked = pem(private, b"sesame")
    assert Cachet.load(CERTIFICATE, locked, b"sesame").sign(b"x") == cachet().sign(b"x")
    for wrong in (None, b"other"):
        with pytest.raises(CachetError, match="not a readable PEM private key"):
            Cachet.load(CERTIFICATE, locked, wrong)


@pytest.mark.parametrize(
    ("certificate", "key", "reason"),
    [
        (b"", KEY, "not a PEM certificate"),
        (KEY, KEY, "not a PEM certificate"),
        (CERTIFICATE, b"-----BEGIN", "not a readable PEM private key"),
        (CERTIFICATE, pki().client.key.read_bytes(), "not an RSA key"),
        (CERTIFICATE, pki().other_cachet.key.read_bytes(), "does not belong"),
        (CERTIFICATE, pem(rsa.generate_private_key(65537, 1024)), "1024 bits"),
    ],
    ids=["empty", "key for certificate", "broken key", "elliptic", "of another", "short"],
)
def test_what_is_no_cachet_is_refused_with_the_reason(certificate: bytes, key: bytes, reason: str) -> None:
    with pytest.raises(CachetError, match=reason):
        Cachet.load(certificate, key)


@pytest.mark.req("REQ-75")
def test_neither_its_text_form_nor_an_error_shows_a_key() -> None:
    assert "PRIVATE" not in repr(cachet())
    assert "CACHET" not in repr(cachet())
    with pytest.raises(CachetError) as refused:
        Cachet.load(CERTIFICATE, KEY.replace(b"A", b"B"))
    assert "BEGIN" not in str(refused.value)
