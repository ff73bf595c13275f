"""What the store keeps of a verdict on documents, and what it makes of the deliveries that it blocks."""

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.model.delivery import DeliveryState, IllegalTransitionError
from gateway.model.findings import finding
from gateway.ports import Produced, Task
from gateway.store import Store, StoreQueries
from tests.postgres_support import Engine
from tests.store_support import (
    DMP,
    DOCTOR,
    FOLDER,
    MAIL,
    TickingClock,
    concluding,
    document,
    planned,
    received,
)

REFUSED = Produced(
    version_id=1,
    documents=(document(b"<refused/>"),),
    blocked="CDA-RULE",
    findings=(finding("CDA-RULE", "/ClinicalDocument[1]", "IHE: must be"), finding("CDA-ADVICE")),
    official=True,
)
ACCEPTED = Produced(version_id=1, documents=(document(),), official=True)


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    store = engine.open(clock=TickingClock())
    yield store
    await store.close()


@pytest.fixture
def queries(store: Store, engine: Engine) -> Iterator[StoreQueries]:
    queries = engine.queries()
    yield queries
    queries.close()


async def take(store: Store, *plan: object) -> None:
    await store.commit(received("1"), concluding(*plan))  # type: ignore[arg-type]  # planned deliveries
    assert await store.claim(10) == (Task(kind="produce", id=1),)


def states(queries: StoreQueries) -> list[tuple[str, str]]:
    rows = sorted(queries.deliveries(), key=lambda row: int(row["id"]))
    return [(row["state"], row["reason"]) for row in rows]


@pytest.mark.req("REQ-33")
async def test_a_refusal_blocks_what_was_planned_and_keeps_findings_and_bytes(
    store: Store, queries: StoreQueries
) -> None:
    await take(store, planned(DMP), planned(MAIL, DOCTOR, state=DeliveryState.WITHHELD))
    await store.settle((REFUSED,))
    assert states(queries) == [("blocked", "CDA-RULE"), ("withheld", "INS-NOT-QUALIFIED")]
    assert await store.claim(10) == ()
    message = queries.message(1)
    assert message is not None
    (judgement,) = message["judgements"]
    assert (judgement["blocked"], judgement["official"], judgement["version"]) == ("CDA-RULE", True, 1)
    assert [found["code"] for found in judgement["findings"]] == ["CDA-RULE", "CDA-ADVICE"]
    assert queries.artifact(judgement["sha256"]) == ("text/xml", b"<refused/>")
    report = queries.report("1")
    assert report is not None
    assert report["versions"][0]["judgement"] == judgement
    assert report["versions"][0]["documents"] == []


async def test_a_retry_by_hand_makes_and_judges_the_documents_again(
    store: Store, queries: StoreQueries
) -> None:
    await take(store, planned(DMP), planned(FOLDER))
    await store.settle((REFUSED,))
    assert await store.retry(1) is DeliveryState.PLANNED
    assert await store.claim(10) == (Task(kind="produce", id=1),)
    await store.settle((REFUSED,))
    assert states(queries) == [("blocked", "CDA-RULE")] * 2
    await store.retry(1)
    await store.claim(10)
    await store.settle((ACCEPTED,))
    assert states(queries) == [("pending", ""), ("blocked", "CDA-RULE")]
    message = queries.message(1)
    assert message is not None
    assert [(one["blocked"], one["findings"]) for one in message["judgements"]] == [("", [])]


async def test_what_something_else_blocks_takes_no_retry(store: Store, queries: StoreQueries) -> None:
    other = planned(DMP, state=DeliveryState.BLOCKED)
    await take(store, other, planned(FOLDER))
    await store.settle((REFUSED,))
    with pytest.raises(IllegalTransitionError):
        await store.retry(1)
    assert states(queries) == [("blocked", "INS-NOT-QUALIFIED"), ("blocked", "CDA-RULE")]


async def test_the_same_refusal_twice_changes_nothing(store: Store, queries: StoreQueries) -> None:
    await take(store, planned(DMP))
    await store.settle((REFUSED,))
    await store.settle((REFUSED,))
    assert states(queries) == [("blocked", "CDA-RULE")]
