"""Business acknowledgements over MLLP to a creator: what arrives, what each answer means (REQ-41)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from gateway import hl7v2
from gateway.config import MllpSettings, ZamSettings, load
from gateway.connectors import tls
from gateway.connectors.mllp import MllpServer
from gateway.connectors.zam import ANSWERS, ZamSender
from gateway.hl7v2 import AckCode
from gateway.hl7v2.zam import Zam, ZamEvent, ZamRequest, ZamRoute, zam
from gateway.model.delivery import Outcome, OutcomeKind
from tests.mllp_support import Taken, acknowledged, refuse, report
from tests.unit.pki_files import pki

NOW = datetime(2021, 1, 8, 12, tzinfo=UTC)
ROUTE = ZamRoute(
    sending_application="PASSERELLE",
    sending_facility="AMBROISE",
    receiving_application="RIS",
    receiving_facility="AMBROISE",
)
ABOUT = Zam(event=ZamEvent.DMP_RECEPTION, route=ROUTE, about="RIS-2021-000042-1", occurred_at=NOW)
REQUEST = ZamRequest(
    application="RIS", facility="AMBROISE", control_id="Z7", data=zam(ABOUT, now=NOW, control_id="Z7")
)

Handler = Callable[[bytes, str], Awaitable[bytes]]


def to(port: int, **more: object) -> ZamSettings:
    row = {"application": "RIS", "host": "localhost", "port": port, **more}
    return load(zam={"creators": [row], "timeout": 0.5}).zam


async def sent(settings: ZamSettings) -> Outcome:
    sender = ZamSender(settings)
    outcome = await sender.send(REQUEST)
    await sender.close()
    return outcome


@asynccontextmanager
async def listening(handler: Handler, *, secured: bool = False) -> AsyncIterator[int]:
    files = pki()
    context = tls.server_context(files.server.certificate, files.server.key, files.ca) if secured else None
    server = MllpServer(handler, refuse, MllpSettings(), limit=100_000, tls=context)
    yield await server.start("localhost", 0)
    await server.stop(0)


@pytest.mark.req("REQ-41")
async def test_the_creator_gets_the_acknowledgement_that_names_its_message() -> None:
    creator = Taken()
    async with listening(creator) as port:
        outcome = await sent(to(port))
    assert (outcome.kind, outcome.code) == (OutcomeKind.DELIVERED, "AA")
    assert outcome.remote_ids == (("control-id", "Z7"),)
    (arrived,) = (hl7v2.read(payload) for payload in creator.payloads)
    assert arrived.trigger_event == "Z01"
    assert arrived.value("OBX", 4) == "RIS-2021-000042-1"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (AckCode.AA, OutcomeKind.DELIVERED),
        (AckCode.CA, OutcomeKind.DELIVERED),
        (AckCode.AE, OutcomeKind.PERMANENT),
        (AckCode.CE, OutcomeKind.PERMANENT),
        (AckCode.AR, OutcomeKind.TRANSIENT),
        (AckCode.CR, OutcomeKind.TRANSIENT),
    ],
)
async def test_what_each_answer_means(code: AckCode, kind: OutcomeKind) -> None:
    async with listening(Taken(code)) as port:
        outcome = await sent(to(port))
    assert (outcome.kind, outcome.code) == (kind, code)


def test_every_code_of_table_0008_has_a_meaning() -> None:
    assert set(ANSWERS) == set(AckCode)


async def _breaks(payload: bytes, _: str) -> bytes:
    raise RuntimeError("the listener dies")


async def _sleeps(payload: bytes, _: str) -> bytes:
    await asyncio.sleep(2)
    return acknowledged(payload)


async def _babbles(_: bytes, __: str) -> bytes:
    return b"not HL7"


async def _answers_another(_: bytes, __: str) -> bytes:
    return acknowledged(report("99"))


@pytest.mark.parametrize("listener", [_breaks, _sleeps, _babbles, _answers_another])
async def test_what_left_without_a_readable_answer_of_its_own_is_ambiguous(listener: Handler) -> None:
    async with listening(listener) as port:
        assert (await sent(to(port))).kind is OutcomeKind.AMBIGUOUS


async def test_nobody_there_is_transient() -> None:
    async with listening(Taken()) as port:
        pass
    assert (await sent(to(port))).kind is OutcomeKind.TRANSIENT


@pytest.mark.req("REQ-72")
async def test_mutual_tls_with_the_creator() -> None:
    files, creator = pki(), Taken()
    ours = {"client_certificate": files.client.certificate, "client_key": files.client.key}
    async with listening(creator, secured=True) as port:
        assert (await sent(to(port, tls=True, ca=files.ca, **ours))).kind is OutcomeKind.DELIVERED
        assert (await sent(to(port, tls=True, **ours))).kind is OutcomeKind.TRANSIENT  # unknown authority
        missing = await sent(to(port, tls=True, ca=files.ca.with_name("absent.pem")))
        assert (missing.kind, missing.code) == (OutcomeKind.TRANSIENT, "TlsSettingsError")
    assert len(creator.payloads) == 1


@pytest.mark.req("REQ-72")
def test_a_creator_outside_loopback_is_reached_by_tls_only() -> None:
    row = {"application": "RIS", "host": "ris.ambroise.example", "port": 2576}
    with pytest.raises(ValueError, match=r"zam\.creators RIS"):
        load(zam={"creators": [row]})
    assert load(zam={"creators": [{**row, "tls": True}]}).zam.creators[0].tls
    assert load(zam={"creators": [row]}, allow_plain=True).zam.creators


async def test_an_address_that_is_not_configured_any_more_is_permanent() -> None:
    outcome = await sent(ZamSettings())
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "ZAM-CREATOR-UNKNOWN")
