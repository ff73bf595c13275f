"""REQ-70: every row of the audit trail says who, what, when, whose report, whereto, with what result."""

import os
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from gateway.config import RetentionSettings
from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.terms import Identifier
from gateway.ports import Conclusion, Known, Produced, Settlement
from gateway.store import Store
from gateway.store.audit import hash_of
from tests.postgres_support import Engine
from tests.store_support import DMP, NOW, TickingClock, concluding, document, planned, received, rejected

INS = Identifier(value="279035121518989", system="1.2.250.1.213.1.4.10")
PATIENT = f"{INS.value}^{INS.system}"


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    store = engine.open(clock=TickingClock())
    yield store
    await store.close()


def of_the_patient(conclude: Callable[[Known], Conclusion]) -> Callable[[Known], Conclusion]:
    """The same about the person with the matricule INS."""

    def concluding_so(known: Known) -> Conclusion:
        made = conclude(known)
        (one,) = made.reports
        assert one.mapped.report is not None
        report = replace(one.mapped.report, patient=replace(one.mapped.report.patient, ins=INS))
        return replace(made, reports=(replace(one, mapped=replace(one.mapped, report=report)),))

    return concluding_so


async def attempted(store: Store, kind: OutcomeKind) -> None:
    """A report is taken, produced, and one delivery of it tried."""
    await store.commit(received("1", received_at=NOW), of_the_patient(concluding(planned(DMP))))
    (version,) = await store.claim(1)
    await store.settle((Produced(version_id=version.id, documents=(document(),)),))
    (task,) = await store.claim(1)
    outcome = Outcome(kind=kind, code="XDSRegistryError")
    await store.settle(
        (Settlement(delivery_id=task.id, outcome=outcome, attempt=1, started_at=NOW, ended_at=NOW),)
    )


@pytest.mark.req("REQ-70")
async def test_a_try_and_its_repetition_name_the_patient_as_the_message_does(
    store: Store, engine: Engine
) -> None:
    await attempted(store, OutcomeKind.PERMANENT)
    await store.retry(1, actor="alice")
    whose = hash_of(engine.folder, PATIENT)
    queries = engine.queries()
    rows = queries.audit(patient=whose)
    queries.close()
    assert [(row["action"], row["actor"], row["destination"]) for row in rows] == [
        ("retry", "alice", "dmp"),
        ("attempt", "gateway", "dmp"),
        ("taken", "hl7v2 127.0.0.1:40000", ""),
    ]
    assert "permanent XDSRegistryError" in rows[1]["result"]
    assert all(row["at"].startswith("2026-01-05") for row in rows)


@pytest.mark.req("REQ-70")
async def test_a_purge_says_whose_report_it_let_go(store: Store, engine: Engine) -> None:
    await attempted(store, OutcomeKind.DELIVERED)
    store._clock.pass_seconds(2 * 86400.0)  # type: ignore[attr-defined]  # the TickingClock of the fixture
    await store.purge(RetentionSettings(reports=1), exported=False)
    queries = engine.queries()
    (row,) = queries.audit(action="purge")
    queries.close()
    assert row["patient"] == hash_of(engine.folder, PATIENT)


async def test_the_trail_is_asked_by_what_is_known_and_read_in_pages(store: Store, engine: Engine) -> None:
    for number in range(5):
        await store.commit(received(f"r{number}", received_at=NOW), rejected())
    await attempted(store, OutcomeKind.DELIVERED)
    queries = engine.queries()
    try:
        (one,) = queries.audit(action="attempt")
        assert (one["report_id"], one["delivery_id"]) == (1, 1)
        assert queries.audit(report_id=1, action="taken") == []
        assert [row["id"] for row in queries.audit(message_id=3)] == [3]
        first = queries.audit(limit=4)
        second = queries.audit(limit=4, cursor=first[-1]["id"])
        assert [row["id"] for row in (*first, *second)] == [7, 6, 5, 4, 3, 2, 1]
        assert queries.audit(since=NOW + timedelta(days=1)) == []
        assert len(queries.audit(until=NOW + timedelta(days=1))) == 7
        assert queries.audit(patient=os.urandom(32).hex()) == []
    finally:
        queries.close()
