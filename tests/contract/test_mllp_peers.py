"""What a sender may be, and what it may differ in: allow list, certificates, modes, caps of its own."""

import asyncio
import hashlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pydantic import ValidationError

from gateway import hl7v2
from gateway.config import MllpSettings, Settings, load
from gateway.connectors import tls
from gateway.connectors.mllp import MllpServer, connect
from gateway.connectors.mllp_peers import ANYONE, Certificate, Peers, address_of
from gateway.hl7v2 import AckCode
from gateway.pipeline.wire import dump
from tests.mllp_support import CR, FS, VT, Taken, framed, refuse, report
from tests.unit.pki_files import pki

LOOPBACK = ["127.0.0.0/8"]


def fingerprint_of(pem: bytes) -> str:
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    return hashlib.sha256(der).hexdigest()


@asynccontextmanager
async def serving(
    taken: Taken, *, limit: int = 100_000, context: ssl.SSLContext | None = None, **settings: object
) -> AsyncIterator[int]:
    server = MllpServer(taken, refuse, MllpSettings(**settings), limit=limit, tls=context)  # type: ignore[arg-type]
    port = await server.start("127.0.0.1", 0)
    yield port
    await server.stop(1)


async def answers(
    port: int, data: bytes, count: int = 1, *, end: bool = False, seconds: float = 2.0
) -> list[bytes]:
    """Payloads of the next `count` frames after `data` was sent; fewer when the server ends or is silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    if end:
        writer.write_eof()
    found: list[bytes] = []
    try:
        async with asyncio.timeout(seconds):
            while len(found) < count:
                found.append((await reader.readuntil(FS + CR))[1:-2])
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()
    return found


async def codes(port: int, data: bytes, count: int = 1, **more: float) -> list[AckCode]:
    return [hl7v2.read_ack(one).code for one in await answers(port, data, count, **more)]  # type: ignore[arg-type]


# --- who


def peers(*rows: dict[str, object], **more: object) -> Peers:
    settings = load(mllp={"peers": rows, "tls_certificate": "s.pem", "tls_client_ca": "ca.pem", **more}).mllp
    return Peers(settings.peers, settings.open_to_all)


A, B = "aa" * 32, "bb" * 32
CN = {"common_name": "ris.ambroise.example"}
NAMED = Certificate(A, {"commonName": ("ris.ambroise.example",), "organizationName": ("AMBROISE",)})


@pytest.mark.req("REQ-72")
@pytest.mark.parametrize(
    ("row", "address", "certificate", "fits"),
    [
        ({"networks": ["10.1.0.0/16"]}, "10.1.2.3", Certificate(), True),
        ({"networks": ["10.1.0.0/16"]}, "10.2.2.3", Certificate(), False),
        ({"networks": ["10.1.0.0/16"]}, "::ffff:10.1.2.3", Certificate(), True),
        ({"networks": ["10.1.0.0/16", "fe80::/10"]}, "fe80::1%eth0", Certificate(), True),
        ({"fingerprint": A}, "192.0.2.1", NAMED, True),
        ({"fingerprint": "AA:" * 31 + "AA"}, "192.0.2.1", NAMED, True),
        ({"fingerprint": B}, "192.0.2.1", NAMED, False),
        ({"fingerprint": A}, "192.0.2.1", Certificate(), False),
        ({"subject": CN}, "192.0.2.1", NAMED, True),
        ({"subject": {**CN, "organization": "OTHER"}}, "192.0.2.1", NAMED, False),
        ({"networks": ["10.1.0.0/16"], "fingerprint": A}, "10.2.2.3", NAMED, False),
        ({"networks": ["10.1.0.0/16"], "fingerprint": A}, "10.1.2.3", NAMED, True),
    ],
)
def test_a_peer_fits_when_all_that_is_stated_fits(
    row: dict[str, object], address: str, certificate: Certificate, fits: bool
) -> None:
    found = peers({"name": "RIS", **row}).find(address_of(address), certificate)
    assert (found is not None) is fits


def test_the_first_peer_that_fits_counts() -> None:
    both = peers({"name": "one", "networks": ["10.0.0.1"]}, {"name": "all", "networks": ["10.0.0.0/8"]})
    names = [
        found.name
        for place in ("10.0.0.1", "10.0.0.2")
        if (found := both.find(address_of(place), NAMED)) is not None
    ]
    assert names == ["one", "all"]


LISTED = ({"name": "X", "networks": ["10.0.0.1"]},)


@pytest.mark.parametrize(
    ("rows", "accept_unknown", "served"),
    [((), None, True), ((), False, False), (LISTED, None, False), (LISTED, True, True)],
)
def test_others_are_served_only_while_no_peer_is_listed_or_when_it_is_said(
    rows: tuple[dict[str, object], ...], accept_unknown: bool | None, served: bool
) -> None:
    asked = peers(*rows, accept_unknown=accept_unknown)
    found = asked.find(address_of("192.0.2.1"), Certificate())
    assert found is (ANYONE if served else None)
    assert asked.may_connect(address_of("192.0.2.1")) is served


@pytest.mark.parametrize(
    "wrong",
    [
        {"peers": [{"name": "RIS"}]},
        {"peers": [{"name": "", "networks": ["10.0.0.1"]}]},
        {"peers": [{"name": "RIS", "networks": ["10.0.0.1/40"]}]},
        {"peers": [{"name": "RIS", "fingerprint": "aa"}]},
        {"peers": [{"name": "RIS", "fingerprint": A}]},  # without tls_client_ca nobody shows a certificate
        {"peers": [{"name": "RIS", "networks": ["10.0.0.1"]}] * 2},
        {"tls_client_ca": "ca.pem"},
    ],
)
def test_settings_that_could_not_hold_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        load(mllp=wrong)


def test_peers_and_creators_reach_the_workers_unchanged() -> None:
    """Settings cross to the worker processes as plain values."""
    current = load(
        mllp=secured(peers=[{"name": "RIS", "networks": ["10.0.0.0/8"], "fingerprint": A, "subject": CN}]),
        zam={"creators": [{"application": "RIS", "host": "127.0.0.1", "port": 2576}]},
    )
    assert Settings(**dump(current)) == current


async def test_an_unknown_address_is_refused_before_it_can_say_anything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    taken = Taken()
    async with serving(taken, peers=[{"name": "RIS", "networks": ["192.0.2.0/24"]}]) as port:
        assert await answers(port, framed(report("7"))) == []
    assert taken.payloads == []
    assert "connection refused" in caplog.text


async def test_a_named_peer_is_named_to_the_handler() -> None:
    taken = Taken()
    async with serving(taken, peers=[{"name": "RIS", "networks": LOOPBACK}]) as port:
        assert await codes(port, framed(report("7"))) == [AckCode.AA]
    assert taken.peers[0].startswith("RIS 127.0.0.1:")


# --- TLS


def mutual() -> ssl.SSLContext:
    return tls.server_context(pki().server.certificate, pki().server.key, pki().ca)


def secured(**settings: object) -> dict[str, object]:
    files = pki()
    return {
        "tls_certificate": files.server.certificate,
        "tls_key": files.server.key,
        "tls_client_ca": files.ca,
        **settings,
    }


def client() -> ssl.SSLContext:
    files = pki()
    return tls.client_context(ca=files.ca, certificate=files.client.certificate, key=files.client.key)


async def exchange(port: int, context: ssl.SSLContext) -> AckCode:
    async with connect("localhost", port, timeout=5, tls=context) as line:
        return hl7v2.read_ack((await line.exchange(report("7"))).answer).code


@pytest.mark.req("REQ-72")
@pytest.mark.parametrize(
    ("who", "served"),
    [
        (lambda: {"fingerprint": fingerprint_of(pki().client.certificate.read_bytes())}, True),
        (lambda: {"fingerprint": A}, False),
        (lambda: {"subject": {"common_name": "AUTH CLI FICTIF"}}, True),
        (lambda: {"subject": {"common_name": "AUTRE"}}, False),
    ],
)
async def test_a_peer_is_known_by_its_certificate(
    who: Callable[[], dict[str, object]], served: bool, caplog: pytest.LogCaptureFixture
) -> None:
    taken = Taken()
    row = {"name": "RIS", **who()}
    async with serving(taken, context=mutual(), **secured(peers=[row])) as port:
        if served:
            assert await exchange(port, client()) is AckCode.AA
            assert taken.peers[0].startswith("RIS ")
        else:
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await exchange(port, client())
            assert taken.payloads == []
            assert "the certificate is none of mllp.peers" in caplog.text


@pytest.mark.req("REQ-72")
async def test_without_client_certificate_nobody_is_heard() -> None:
    taken = Taken()
    async with serving(taken, context=mutual(), **secured()) as port:
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await exchange(port, tls.client_context(ca=pki().ca))
        assert await exchange(port, client()) is AckCode.AA
    assert len(taken.payloads) == 1


@pytest.mark.req("REQ-72")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_tls_1_1_is_refused_by_the_server(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    old = client()
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with serving(Taken(), context=mutual(), **secured()) as port:
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await exchange(port, old)
        assert await exchange(port, client()) is AckCode.AA
    faults = [vars(record).get("fault") for record in caplog.records]
    assert "UNSUPPORTED_PROTOCOL" in faults  # so it was the server, not this client, that refused


async def test_plain_text_on_the_tls_port_is_closed_and_tls_on_the_plain_port_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(Taken(), context=mutual(), **secured()) as port:
        assert await answers(port, framed(report("7"))) == []
        assert await exchange(port, client()) is AckCode.AA
    async with serving(Taken()) as port:
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await exchange(port, client())
        assert "TLS on the plain port" in caplog.text
        assert await codes(port, framed(report("7"))) == [AckCode.AA]


# --- modes


def peer(**more: object) -> list[dict[str, object]]:
    return [{"name": "RIS", "networks": LOOPBACK, **more}]


@pytest.mark.parametrize("omits", [True, False])
async def test_the_start_byte_may_be_missing_only_where_it_is_allowed(omits: bool) -> None:
    async with serving(Taken(), peers=peer(missing_start=omits)) as port:
        got = await codes(port, b"noise" + report("7") + FS + CR, seconds=0.5)
    assert got == ([AckCode.AA] if omits else [])


async def test_enhanced_mode_sends_the_commit_and_then_the_answer() -> None:
    asked = framed(report("7", accept="AL|AL"))
    async with serving(Taken(), peers=peer(enhanced_mode=True)) as port:
        assert await codes(port, asked, 2) == [AckCode.CA, AckCode.AA]
    async with serving(Taken(), peers=peer()) as port:
        assert await codes(port, asked, 2, seconds=0.5) == [AckCode.AA]


async def test_in_enhanced_mode_the_confirmation_of_our_answer_is_no_message() -> None:
    taken = Taken()
    confirmation = framed(report("8").replace(b"ORU^R01^ORU_R01", b"ACK^R01^ACK"))
    async with serving(taken, peers=peer(enhanced_mode=True)) as port:
        assert await codes(port, confirmation + framed(report("9")), 2, seconds=0.5) == [AckCode.AA]
    assert taken.payloads == [report("9")]


async def test_release_2_commits_before_it_answers() -> None:
    taken = Taken()
    async with serving(taken, peers=peer(commit_bytes=True)) as port:
        first, second, third = await answers(
            port, framed(report("7")) + framed(b"\x06") + framed(b"\x15"), 3, seconds=1
        )
    assert first == b"\x06"
    assert hl7v2.read_ack(second).control_id == "7"
    assert third == second  # asked for again
    assert taken.payloads == [report("7")]


async def test_release_2_says_no_to_what_was_not_stored() -> None:
    taken = Taken(AckCode.AR, "STORE-UNAVAILABLE")
    async with serving(taken, peers=peer(commit_bytes=True), limit=1000) as port:
        assert await answers(port, framed(report("7")), 2, seconds=0.5) == [b"\x15"]
        assert await answers(port, framed(b"M" * 2000), 2, seconds=0.5) == [b"\x15"]


@pytest.mark.req("REQ-02")
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("end", [True, False])
async def test_a_partial_frame_is_refused_by_name_only_where_it_is_asked(told: bool, end: bool) -> None:
    taken = Taken()
    async with serving(taken, peers=peer(answer_partial=told), frame_timeout=0.2) as port:
        got = await answers(port, VT + report("7"), end=end)
    acks = [hl7v2.read_ack(one) for one in got]
    assert [(ack.code, ack.control_id) for ack in acks] == ([(AckCode.AR, "7")] if told else [])
    assert taken.payloads == []


@pytest.mark.req("REQ-08")
async def test_a_peer_may_have_a_smaller_cap_and_is_refused_by_name() -> None:
    large = report("7", text="x" * 3000)
    async with serving(Taken(), peers=peer(max_bytes=2000)) as port:
        (refusal,) = await answers(port, framed(large))
        ack = hl7v2.read_ack(refusal)
        assert (ack.code, ack.control_id) == (AckCode.AE, "7")
        assert "HL7-TOO-LARGE" in ack.errors[0]
        assert "limit 2000" in ack.errors[0]
        assert await codes(port, framed(report("8"))) == [AckCode.AA]


def test_addresses_in_brackets_and_zones() -> None:
    assert str(address_of("fe80::1%2")) == "fe80::1"
    assert str(address_of("::ffff:192.0.2.1")) == "192.0.2.1"
