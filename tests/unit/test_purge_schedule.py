"""The daily purge: at its time of day, once, on the node that leads, with what the policy says."""

import asyncio
from datetime import datetime, time, timedelta, timezone
from typing import Any, cast

import pytest

from gateway.config import RetentionSettings
from gateway.ports import Purged, StoreUnavailableError
from gateway.service.purging import passed, purge_daily
from gateway.store import Store

PARIS = timezone(timedelta(hours=1))
EVENING = datetime(2026, 1, 5, 23, 59, 50, tzinfo=PARIS)


class Purging:
    """A store that only counts who purges it how."""

    def __init__(self, *, leads: bool = True, down: bool = False) -> None:
        self.calls: list[tuple[str, bool]] = []
        self._leads, self._down = leads, down

    def leads(self) -> bool:
        return self._leads

    async def purge(self, policy: RetentionSettings, *, actor: str, exported: bool) -> Purged:
        self.calls.append((actor, exported))
        if self._down:
            raise StoreUnavailableError("down")
        return Purged()


async def two_days(store: Purging, policy: RetentionSettings) -> None:
    """Looks every half hour of a clock that runs fast; ends after 96 of them."""
    looks = 0

    def now() -> datetime:
        nonlocal looks
        looks += 1
        if looks > 97:
            raise asyncio.CancelledError
        return EVENING + timedelta(minutes=30 * (looks - 1))

    with pytest.raises(asyncio.CancelledError):
        await purge_daily(cast("Store", store), lambda: policy, now=now, look=0)


@pytest.mark.req("REQ-76")
async def test_it_comes_once_a_day_also_when_the_store_did_not_answer() -> None:
    for store in (Purging(), Purging(down=True)):
        await two_days(store, RetentionSettings(reports=30, purge_at=time(2, 30)))
        assert store.calls == [("gateway", True)] * 2


@pytest.mark.parametrize(
    ("store", "policy", "expected"),
    [
        (Purging(leads=False), {"purge_at": time(2, 30)}, []),
        (Purging(), {}, []),
        (Purging(), {"purge_at": time(0), "purge_unexported": True}, [("gateway", False)] * 2),
    ],
    ids=("another node does it", "no time is set", "at midnight, what was not exported, too"),
)
async def test_who_does_it_when_and_what_goes(
    store: Purging, policy: dict[str, Any], expected: list[Any]
) -> None:
    await two_days(store, RetentionSettings(reports=30, **policy))
    assert store.calls == expected


def test_a_clock_that_is_set_back_does_not_come_by_twice() -> None:
    at = time(2, 30)
    before, after = (datetime(2026, 1, 6, 2, minute, tzinfo=PARIS) for minute in (29, 31))
    assert passed(before, after, at)
    assert not passed(after, before, at)
    assert not passed(after, after + timedelta(minutes=1), at)
