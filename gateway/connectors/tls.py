"""The one place that makes TLS contexts, out and in (REQ-72, REQ-75: TLS ≥ 1.2, verified, mutual)."""

import ssl
from collections.abc import Callable
from pathlib import Path

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
"""TLS 1.2 suites: forward secrecy and AEAD only (ANSSI, recommandations TLS); TLS 1.3 has its own."""


class TlsSettingsError(ValueError):
    """Certificate files that cannot be used. The message names the file and what is wrong."""


def client_context(
    *, ca: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """A verifying client context. `ca` replaces the system's authorities (the peers of health care trust
    IGC-Santé only); `certificate` and `key` (PEM; `key` None: both in one file) make TLS mutual.

    Raises TlsSettingsError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    if ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load(ca, lambda: context.load_verify_locations(cafile=str(ca)))
    if certificate is not None:
        # A password prompt would hang a server: an encrypted key is refused.
        _load(key or certificate, lambda: context.load_cert_chain(certificate, key, password=lambda: b""))
    elif key is not None:
        raise TlsSettingsError(f"{key}: a client key without its certificate")
    return context


def server_context(
    certificate: Path, key: Path | None = None, client_ca: Path | None = None
) -> ssl.SSLContext:
    """A serving context; with `client_ca`, clients must present a certificate of that authority.

    Raises TlsSettingsError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    _load(key or certificate, lambda: context.load_cert_chain(certificate, key, password=lambda: b""))
    if client_ca is not None:
        _load(client_ca, lambda: context.load_verify_locations(cafile=str(client_ca)))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def changing(current: Callable[[], ssl.SSLContext | None]) -> ssl.SSLContext | None:
    """A serving context for a listener that lives on: each handshake goes by what `current` gives then."""
    first = current()

    def choose(connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        connection.context = current() or connection.context

    if first is not None:
        first.sni_callback = choose  # called for every hello, also for one without a name
    return first


_IN_WORDS = {
    "KEY_VALUES_MISMATCH": "this key does not belong to the certificate beside it",
    "NO_CERTIFICATE_OR_CRL_FOUND": "no certificate (PEM) in it",
    "NO_START_LINE": "no certificate (PEM) in it",
}


def _load(path: Path, load: Callable[[], None]) -> None:
    try:
        load()
    except FileNotFoundError:
        raise TlsSettingsError(f"{path}: no such file") from None
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror or "not readable"
        reason = _IN_WORDS.get(reason, reason)
        raise TlsSettingsError(f"{path}: {reason}") from None
