"""Deleting in the DMP against the independent simulator over mutual TLS: ask (TD3.1b), delete (TD3.3c)."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from conformance.simulators.http import Request
from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.people import Organization
from gateway.model.submission import Action
from gateway.model.version import DeliveryJob
from gateway.pipeline.destinations.dmp import prepare
from tests.contract.test_dmp_lookup_simulator import change_metadata, deliver
from tests.contract.test_dmp_simulator import Way, way
from tests.support import XDS_SCHEMAS
from tests.unit.dmp_jobs import job, replacement
from tests.unit.pki_files import cachet

T, P, A, D = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS, OutcomeKind.DELIVERED
SCHEMAS = XDS_SCHEMAS / "ebxml" if (XDS_SCHEMAS / "ebxml").is_dir() else None


def deletion(sent: Outcome, **changes: object) -> DeliveryJob:
    """Of the first version, under ids of its own."""
    made = job(action=Action.DELETE, previous_remote_ids=sent.remote_ids, **changes)
    identity = replace(made.version.identity, number=3)
    return replace(made, version=replace(made.version, identity=identity))


async def documents(dmp: Way) -> dict[str, str]:
    """entryUUID → status, as `/documents` shows them."""
    answer = await dmp.simulator.answer(Request("GET", "/documents", {}, b""))
    assert answer is not None
    return {one["entry_uuid"]: one["status"] for one in json.loads(answer.body)}


@pytest.mark.req("REQ-40", "REQ-42")
async def test_the_present_entry_is_deleted_and_stays_so(tmp_path: Path) -> None:
    """After a restart of both sides and a change of the metadata meanwhile."""
    async with way(tmp_path, schemas=SCHEMAS) as dmp:
        first = await deliver(dmp, job())
        present = await change_metadata(dmp, dict(first.remote_ids)["uniqueId"])
    async with way(tmp_path, schemas=SCHEMAS) as dmp:
        gone = await deliver(dmp, deletion(first))
        assert (gone.kind, dict(gone.remote_ids)["entryUUID"]) == (D, present), gone
    async with way(tmp_path) as dmp:
        assert await documents(dmp) == {dict(first.remote_ids)["entryUUID"]: "Deprecated", present: "Deleted"}
        (line,) = [one for one in dmp.simulator.ledger.entries if one["result"] == "Deleted"]
        assert line["errors"] == []


@pytest.mark.req("REQ-40")
async def test_a_replaced_report_is_deleted_by_its_last_version(tmp_path: Path) -> None:
    async with way(tmp_path) as dmp:
        first = await deliver(dmp, job())
        second = await deliver(dmp, replacement(*first.remote_ids))
        last = replace(replacement(*second.remote_ids), action=Action.DELETE)
        identity = replace(last.version.identity, number=3)
        assert (await deliver(dmp, replace(last, version=replace(last.version, identity=identity)))).kind is D
        assert sorted((await documents(dmp)).values()) == ["Deleted", "Deprecated"]


@pytest.mark.req("REQ-40", "REQ-43", "REQ-78")
@pytest.mark.parametrize(("mode", "kind"), [("drop", A), ("half", A), ("lost", A), ("500", T)])
async def test_after_silence_the_deletion_happens_once(tmp_path: Path, mode: str, kind: OutcomeKind) -> None:
    """drop, half: it was carried out; lost, 500: it was not."""
    async with way(tmp_path) as dmp:
        first = await deliver(dmp, job())
        silent = deletion(first)
        assert (await deliver(dmp, silent, mode)).kind is kind
        again = await deliver(dmp, replace(silent, attempt=2, unanswered=kind is A))
        assert (again.kind, again.code) == (D, "found" if mode in ("drop", "half") else "Success")
        assert list((await documents(dmp)).values()) == ["Deleted"]
        assert [one["result"] for one in dmp.simulator.ledger.entries] == ["Success", "Deleted"]


@pytest.mark.req("REQ-40")
async def test_only_the_structure_that_fed_a_document_may_delete_it(tmp_path: Path) -> None:
    async with way(tmp_path) as dmp:
        first = await deliver(dmp, job())
        made = deletion(first)
        stranger = replace(
            made.version.context, sender=None, sender_organization=Organization(id="1750000001", name="X")
        )
        outcome = await deliver(dmp, replace(made, version=replace(made.version, context=stranger)))
        assert (outcome.kind, outcome.code) == (P, "XDSMetadataUpdateError")
        assert list((await documents(dmp)).values()) == ["Approved"]


async def test_a_deletion_is_not_taken_with_a_stale_status(tmp_path: Path) -> None:
    """The simulator does not believe the sender: it compares OriginalStatus."""
    async with way(tmp_path) as dmp:
        first = await deliver(dmp, job())
        await deliver(dmp, deletion(first))
        late = replace(
            deletion(first), previous_remote_ids=(*first.remote_ids, ("status", "Approved")), attempt=1
        )
        registry = dmp.url.replace("/repository", "/registry")
        identity = replace(late.version.identity, number=4)
        late = replace(late, version=replace(late.version, identity=identity))
        request = prepare(
            late, cachet=cachet(), url=dmp.url, registry=registry, now=datetime.now(UTC), ids=uuid4
        )
        assert (await dmp.sender.send(request)).code == "XDSMetadataUpdateError"


@pytest.mark.req("REQ-40", "REQ-43")
async def test_a_feed_of_unknown_end_is_not_made_up_for_after_the_withdrawal(tmp_path: Path) -> None:
    """Neither arrived nor sent again: the deletion behind it finds nothing, and that is enough."""
    async with way(tmp_path) as dmp:
        assert (await deliver(dmp, job(), "lost")).kind is A
        outcome = await deliver(dmp, job(attempt=2, unanswered=True, recalled=True))
        assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "REPORT-RECALLED")
        nothing = Outcome(kind=A)
        assert (await deliver(dmp, deletion(nothing))).kind is D
        assert dmp.simulator.ledger.entries == []


async def test_after_a_deletion_a_new_document_is_a_creation(tmp_path: Path) -> None:
    """Its CDA names the one that is gone; there is nothing to be replaced in the DMP."""
    async with way(tmp_path) as dmp:
        first = await deliver(dmp, job())
        await deliver(dmp, deletion(first))
        assert (await deliver(dmp, replacement(*first.remote_ids))).kind is D
        assert sorted((await documents(dmp)).values()) == ["Approved", "Deleted"]
