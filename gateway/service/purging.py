"""The retention policy once a day, at the time of day that it names; one node of several does it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, time

from gateway.config import RetentionSettings
from gateway.ports import StoreUnavailableError
from gateway.store import Store
from gateway.store.audit import GATEWAY

log = logging.getLogger(__name__)

LOOK = 20.0
"""Seconds between two looks at the clock."""


def local() -> datetime:
    """The time on the wall, in the machine's own zone."""
    return datetime.now().astimezone()


async def purge_daily(
    store: Store,
    retention: Callable[[], RetentionSettings],
    *,
    now: Callable[[], datetime] = local,
    look: float = LOOK,
) -> None:
    """Until it is cancelled. `retention` gives the policy in force; a day on which nobody served at that time
    is left out, and the next one takes what is due."""
    before = now()
    while True:
        await asyncio.sleep(look)
        here, policy = now(), retention()
        if policy.purge_at is not None and passed(before, here, policy.purge_at) and store.leads():
            await _purge(store, policy)
        before = here


def passed(before: datetime, now: datetime, at: time) -> bool:
    """Whether the wall clock came by `at` between the two; no when it was set back."""
    return before < datetime.combine(now.date(), at, now.tzinfo) <= now


async def _purge(store: Store, policy: RetentionSettings) -> None:
    try:
        gone = await store.purge(policy, actor=GATEWAY, exported=not policy.purge_unexported)
    except StoreUnavailableError as fault:
        log.warning("not purged", extra={"fault": str(fault)})
    except Exception:
        log.exception("purge")
    else:
        log.info("purged", extra=gone._asdict())
