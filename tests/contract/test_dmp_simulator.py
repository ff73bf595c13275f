"""The whole DMP way against the independent simulator, over mutual TLS: prepare, send, settle, send again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from conformance.simulators import http
from conformance.simulators.dmp import DmpSimulator, Options
from conformance.simulators.http import tls_context
from conformance.simulators.run import authorities
from gateway.config import DmpSettings
from gateway.connectors.dmp import DmpSender
from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.version import DeliveryJob
from gateway.pipeline.destinations.dmp import CachetFiles, prepare
from gateway.security import Cachet
from tests.support import PATIENCE, XDS_SCHEMAS
from tests.unit.dmp_jobs import SENDER, job, replacement, with_context
from tests.unit.pki_files import cachet, pki

T, P, D, R = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.DELIVERED, OutcomeKind.REFUSED


class Way:
    """Simulator and sender, joined."""

    def __init__(self, simulator: DmpSimulator, sender: DmpSender, url: str) -> None:
        self.simulator, self.sender, self.url = simulator, sender, url

    async def deliver(self, made: DeliveryJob, key: Cachet | None = None) -> Outcome:
        request = prepare(
            made, cachet=key or cachet(), url=self.url, registry="", now=datetime.now(UTC), ids=uuid4
        )
        return await self.sender.send(request)


@asynccontextmanager
async def way(folder: Path, *, schemas: Path | None = None, timeout: float = PATIENCE) -> AsyncIterator[Way]:
    options = Options(folder=folder, schemas=schemas, authorities=authorities(pki().ca), delay=5.0)
    simulator = DmpSimulator(options)
    tls = tls_context(pki().server.certificate, pki().server.key, pki().ca)
    server = await http.serve(simulator.answer, "127.0.0.1", 0, tls)
    url = f"https://127.0.0.1:{server.port}/repository"
    client = pki().client
    settings = DmpSettings(
        url=url, ca=pki().ca, client_certificate=client.certificate, client_key=client.key, timeout=timeout
    )
    sender = DmpSender(settings)
    try:
        yield Way(simulator, sender, url)
    finally:
        await sender.close()
        server.close()
        simulator.ledger.close()


@pytest.mark.req("REQ-35", "REQ-36", "REQ-44", "REQ-72")
async def test_a_report_is_taken_by_a_dmp_that_checks_everything(tmp_path: Path) -> None:
    schemas = XDS_SCHEMAS / "ebxml"
    async with way(tmp_path, schemas=schemas if schemas.is_dir() else None) as dmp:
        outcome = await dmp.deliver(job())
    assert (outcome.kind, outcome.code) == (D, "Success"), outcome


async def test_a_radiologist_as_sender_is_taken_too(tmp_path: Path) -> None:
    async with way(tmp_path) as dmp:
        outcome = await dmp.deliver(with_context(sender=SENDER))
    assert outcome.kind is D, outcome


@pytest.mark.req("REQ-29")
async def test_a_replacement_is_taken_with_what_the_first_delivery_named(tmp_path: Path) -> None:
    async with way(tmp_path) as dmp:
        first = await dmp.deliver(job())
        second = await dmp.deliver(replacement(*first.remote_ids))
    assert (first.kind, second.kind) == (D, D), second


@pytest.mark.req("REQ-43", "REQ-78")
async def test_sending_again_what_had_arrived_is_delivered_and_makes_no_second_document(
    tmp_path: Path,
) -> None:
    async with way(tmp_path) as dmp:
        first = await dmp.deliver(job())
        again = await dmp.deliver(job())
        second = await dmp.deliver(replacement(*first.remote_ids))
        second_again = await dmp.deliver(replacement(*first.remote_ids))
        assert len(dmp.simulator.registry.by_uuid) == 2
    assert [outcome.kind for outcome in (again, second, second_again)] == [D, D, D]
    assert again.remote_ids == first.remote_ids


async def test_a_replacement_of_something_that_the_dmp_does_not_know_is_shown(tmp_path: Path) -> None:
    unknown = ("entryUUID", "urn:uuid:00000000-0000-4000-8000-000000000000")
    async with way(tmp_path) as dmp:
        outcome = await dmp.deliver(replacement(unknown))
    assert (outcome.kind, outcome.code) == (P, "XDSReplaceFailed")


@pytest.mark.req("REQ-44")
async def test_a_cachet_that_the_dmp_does_not_trust_is_refused(tmp_path: Path) -> None:
    files = pki().other_cachet
    stranger = Cachet.load(files.certificate.read_bytes(), files.key.read_bytes())
    async with way(tmp_path) as dmp:
        outcome = await dmp.deliver(job(), stranger)
    assert (outcome.kind, outcome.code) == (P, "InvalidSecurityToken")


@pytest.mark.req("REQ-37")
async def test_a_closed_record_is_refused_for_good(tmp_path: Path) -> None:
    async with way(tmp_path) as dmp:
        dmp.simulator.switch.set("closed", 1)
        assert (await dmp.deliver(job())).kind is R


@pytest.mark.req("REQ-43")
@pytest.mark.parametrize("mode", ["500", "drop", "slow"])
async def test_after_a_fault_of_the_dmp_the_next_attempt_delivers_once(tmp_path: Path, mode: str) -> None:
    async with way(tmp_path, timeout=3.0 if mode == "slow" else PATIENCE) as dmp:
        dmp.simulator.switch.set(mode, 1)
        first = await dmp.deliver(job())
        assert first.kind in (T, OutcomeKind.AMBIGUOUS)
        assert (await dmp.deliver(replace(job(), attempt=2))).kind is D
        assert len(dmp.simulator.registry.by_uuid) == 1


@pytest.mark.req("REQ-75")
def test_an_exchanged_cachet_counts_from_the_next_delivery(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "c.key"
    certificate.write_bytes(pki().cachet.certificate.read_bytes())
    key.write_bytes(pki().cachet.key.read_bytes())
    files = CachetFiles(certificate, key)
    assert files.current() is files.current()
    certificate.write_bytes(pki().other_cachet.certificate.read_bytes())
    assert files.current().issuer == cachet().issuer, "half an exchange changes nothing"
    key.write_bytes(pki().other_cachet.key.read_bytes())
    assert files.current().issuer.startswith("CN=CACHET INCONNU")
    key.unlink()
    assert files.current().issuer.startswith("CN=CACHET INCONNU")
