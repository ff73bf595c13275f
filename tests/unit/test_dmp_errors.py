"""The table from the faults of a request to classes: right about what had left."""

import ssl
from pathlib import Path

import pytest

from gateway.connectors.dmp import ERRORS, _retry_after, classify
from gateway.connectors.http import CODES, Answer, HttpError
from gateway.connectors.tls import TlsSettingsError
from gateway.model.delivery import OutcomeKind

T, P, A = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS


def example(kind: type[Exception] | str) -> Exception:
    return HttpError(kind) if isinstance(kind, str) else kind("said")


@pytest.mark.parametrize("code", CODES)
def test_every_fault_of_a_request_has_a_row(code: str) -> None:
    assert code in ERRORS
    assert classify(HttpError(code), left=True).kind is ERRORS[code]


@pytest.mark.req("REQ-43")
@pytest.mark.parametrize(
    ("kind", "left", "expected"),
    [
        ("ConnectError", False, T),
        ("ConnectTimeout", False, T),
        ("WriteError", False, T),
        ("WriteTimeout", False, T),
        ("ReadTimeout", True, A),
        ("ReadError", True, A),
        ("ReadError", False, T),
        ("RemoteProtocolError", True, A),
        ("RemoteProtocolError", False, T),
        (TimeoutError, True, A),
        (TimeoutError, False, T),
        (ConnectionResetError, True, A),
        (FileNotFoundError, False, T),
        ("UnsupportedProtocol", False, P),
        ("InvalidURL", False, P),
        (TlsSettingsError, False, T),
    ],
)
def test_only_a_request_that_left_can_have_arrived(
    kind: type[Exception] | str, left: bool, expected: OutcomeKind
) -> None:
    outcome = classify(example(kind), left=left)
    assert (outcome.kind, outcome.code) == (expected, kind if isinstance(kind, str) else kind.__name__)
    assert outcome.detail


def chained(cause: Exception) -> HttpError:
    try:
        try:
            raise cause
        except ssl.SSLError as error:
            raise HttpError("ReadError") from error
    except HttpError as error:
        return error


def test_a_refused_certificate_is_no_arrival_even_when_it_shows_after_the_request() -> None:
    alert = ssl.SSLError(1, "alert")
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    outcome = classify(chained(alert), left=True)
    assert (outcome.kind, outcome.detail) == (T, "TLS: a certificate was refused")
    other = ssl.SSLError(1, "alert")
    other.reason = "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    assert classify(chained(other), left=True).kind is A


@pytest.mark.req("REQ-75")
def test_a_detail_names_the_unusable_file() -> None:
    assert (
        "client.pem" in classify(TlsSettingsError(f"{Path('client.pem')}: no such file"), left=False).detail
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("", 0.0),
        ("-1", 0.0),
        ("Fri, 08 Jan 2021 10:00:00 GMT", 0.0),
        ("9" * 40, 0.0),
    ],
)
def test_retry_after_is_read_in_seconds(text: str, seconds: float) -> None:
    assert _retry_after(Answer(503, {"retry-after": text}, b"")) == seconds
