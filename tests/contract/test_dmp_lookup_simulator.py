"""Asking before sending, against the independent simulator over mutual TLS (TD3.1b, then TD2.1)."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from gateway.dmp import resolve
from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.version import DeliveryJob
from gateway.pipeline.destinations.dmp import prepare, question
from tests.contract.test_dmp_simulator import Way, way
from tests.unit.dmp_jobs import job, replacement
from tests.unit.pki_files import cachet, pki

T, P, A, D = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS, OutcomeKind.DELIVERED


async def deliver(dmp: Way, made: DeliveryJob, mode: str = "") -> Outcome:
    """One attempt as the worker makes it; the simulator is put into `mode` after the question."""
    registry = dmp.url.replace("/repository", "/registry")
    query = question(made, cachet=cachet(), url=registry, now=datetime.now(UTC), ids=uuid4)
    known: DeliveryJob | Outcome = made
    if query is not None:
        answer = await dmp.sender.ask(query)
        known = answer if isinstance(answer, Outcome) else resolve(made, query, answer)
    if isinstance(known, Outcome):
        return known
    request = prepare(
        known, cachet=cachet(), url=dmp.url, registry=registry, now=datetime.now(UTC), ids=uuid4
    )
    if mode:
        dmp.simulator.switch.set(mode, 1)
    return await dmp.sender.send(request)


async def change_metadata(dmp: Way, unique_id: str) -> str:
    """Somebody else changes the entry's metadata; its new entryUUID."""
    client = pki().client
    tls = ssl.create_default_context(cafile=pki().ca)
    tls.load_cert_chain(client.certificate, client.key)
    async with httpx.AsyncClient(verify=tls) as http:
        answer = await http.post(dmp.url.replace("/repository", "/metadata"), content=unique_id)
    assert answer.status_code == 200
    return answer.text


@pytest.mark.req("REQ-42")
async def test_after_a_restart_and_a_change_of_metadata_the_right_entry_is_replaced(tmp_path: Path) -> None:
    async with way(tmp_path) as dmp:
        first = await deliver(dmp, job())
        new_uuid = await change_metadata(dmp, dict(first.remote_ids)["uniqueId"])
    async with way(tmp_path) as dmp:  # both sides anew: the simulator reads its ledger
        second = await deliver(dmp, replacement(*first.remote_ids))
        assert second.kind is D, second
        replaced = dmp.simulator.ledger.entries[-1]["documents"][0]["replaces"]
    assert replaced == [new_uuid]
    assert new_uuid != dict(first.remote_ids)["entryUUID"]


@pytest.mark.req("REQ-42")
async def test_a_replacement_goes_without_any_entry_uuid_kept(tmp_path: Path) -> None:
    async with way(tmp_path) as dmp:
        await deliver(dmp, job())
        assert (await deliver(dmp, replacement())).kind is D


async def test_a_replacement_of_what_the_dmp_never_saw_is_not_sent(tmp_path: Path) -> None:
    async with way(tmp_path) as dmp:
        outcome = await deliver(dmp, replacement())
        assert (outcome.kind, outcome.code) == (P, "DMP-ENTRY-UNKNOWN")
        assert dmp.simulator.ledger.entries == []


@pytest.mark.req("REQ-43", "REQ-78")
@pytest.mark.parametrize(("mode", "submissions"), [("drop", 1), ("lost", 1), ("500", 1)])
async def test_after_silence_the_dmp_is_asked_and_nothing_is_sent_twice(
    tmp_path: Path, mode: str, submissions: int
) -> None:
    """drop: it had arrived; lost, 500: it had not. Either way the ledger ends with one submission."""
    async with way(tmp_path) as dmp:
        dmp.simulator.switch.set(mode, 1)
        first = await deliver(dmp, job())
        again = await deliver(dmp, job(attempt=2))
        assert (first.kind in (T, A), again.kind) == (True, D)
        assert again.remote_ids
        assert len(dmp.simulator.ledger.entries) == submissions
        assert dmp.simulator.questions == 1


async def test_a_registry_that_is_down_holds_the_repeat_back(tmp_path: Path) -> None:
    async with way(tmp_path) as dmp:
        dmp.simulator.switch.set("drop")
        await deliver(dmp, job())
        assert (await deliver(dmp, job(attempt=2))).kind is T
        assert len(dmp.simulator.ledger.entries) == 1


async def test_the_record_of_another_patient_is_not_seen(tmp_path: Path) -> None:
    """The simulator answers for the patient of the VIHF only; so the replacement finds nothing."""
    async with way(tmp_path) as dmp:
        await deliver(dmp, job())
        held = next(iter(dmp.simulator.registry.by_uuid.values()))
        held.patient = "another"
        assert (await deliver(dmp, replace(replacement(), attempt=2))).code == "DMP-ENTRY-UNKNOWN"
