"""The table from httpx's errors to classes: complete, and right about what had left."""

import ssl
from pathlib import Path

import httpx
import pytest

from gateway.connectors.dmp import ERRORS, FAULTS, _retry_after, classify
from gateway.connectors.tls import TlsSettingsError
from gateway.model.delivery import OutcomeKind

T, P, A = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS

HTTPX_ERRORS = [
    value
    for name in httpx.__all__
    if isinstance(value := getattr(httpx, name), type) and issubclass(value, Exception)
]


def example(kind: type[Exception]) -> Exception:
    if issubclass(kind, httpx.HTTPStatusError):
        request = httpx.Request("POST", "https://localhost")
        return kind("status", request=request, response=httpx.Response(500, request=request))
    if issubclass(kind, httpx.StreamError) and kind is not httpx.StreamError:
        return kind()
    return kind("said")


@pytest.mark.parametrize("kind", HTTPX_ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_class_of_httpx_has_a_row_and_is_caught(kind: type[Exception]) -> None:
    assert kind in ERRORS
    assert issubclass(kind, FAULTS)
    assert classify(example(kind), left=True).kind is ERRORS[kind]


def test_there_are_errors_to_check() -> None:
    assert len(HTTPX_ERRORS) > 20


@pytest.mark.req("REQ-43")
@pytest.mark.parametrize(
    ("kind", "left", "expected"),
    [
        (httpx.ConnectError, False, T),
        (httpx.ConnectTimeout, False, T),
        (httpx.WriteTimeout, False, T),
        (httpx.ReadTimeout, True, A),
        (httpx.ReadError, True, A),
        (httpx.ReadError, False, T),
        (httpx.RemoteProtocolError, True, A),
        (httpx.RemoteProtocolError, False, T),
        (TimeoutError, True, A),
        (TimeoutError, False, T),
        (ConnectionResetError, True, A),
        (FileNotFoundError, False, T),
        (httpx.UnsupportedProtocol, False, P),
        (httpx.InvalidURL, False, P),
        (TlsSettingsError, False, T),
    ],
)
def test_only_a_request_that_left_can_have_arrived(
    kind: type[Exception], left: bool, expected: OutcomeKind
) -> None:
    outcome = classify(example(kind), left=left)
    assert (outcome.kind, outcome.code) == (expected, kind.__name__)
    assert outcome.detail


def chained(cause: Exception) -> httpx.ReadError:
    try:
        try:
            raise cause
        except ssl.SSLError as error:
            raise httpx.ReadError("tls") from error
    except httpx.ReadError as error:
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
    assert _retry_after(text) == seconds
