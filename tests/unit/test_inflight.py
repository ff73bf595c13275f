"""What senders may have in memory together: one goes on to its end, the others wait, small messages pass."""

import asyncio
from collections import deque
from contextlib import suppress

import pytest

from gateway.connectors.inflight import HANDLED, SMALL, Hold, Inflight

MB = 1 << 20


async def settle() -> None:
    """Every task that can run has run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_above_the_limit_one_reads_on_and_the_next_follows_when_it_is_answered() -> None:
    inflight, holds = Inflight(4 * MB), [Hold() for _ in range(3)]
    for one in holds:
        inflight.account(one, 2 * MB)
    assert not await inflight.room(holds[0]), "the first to come leads, without waiting"
    waiting = [asyncio.create_task(inflight.room(one)) for one in holds[1:]]
    await settle()
    assert (inflight.crowded, [task.done() for task in waiting]) == (True, [False, False])
    inflight.account(holds[0], 30 * MB)  # the leader may be larger than the limit
    assert not await inflight.room(holds[0])
    inflight.account(holds[0], 0)
    await settle()
    assert waiting[0].done(), "4 MB are left, which is the limit: one may go on"
    inflight.account(holds[1], 0)
    await settle()
    assert all(task.done() and task.result() for task in waiting)
    assert (inflight.held, inflight.crowded) == (2 * MB, False)


async def test_who_leaves_while_it_waits_takes_no_turn() -> None:
    inflight, leader, gone, last = Inflight(MB), Hold(), Hold(), Hold()
    for one in (leader, gone, last):
        inflight.account(one, MB)
    await inflight.room(leader)
    left, waits = (asyncio.create_task(inflight.room(one)) for one in (gone, last))
    await settle()
    left.cancel()
    with suppress(asyncio.CancelledError):
        await left
    inflight.account(gone, 0)
    inflight.account(leader, 0)
    await asyncio.wait_for(waits, 5)
    assert inflight.held == MB


async def test_small_frames_never_wait() -> None:
    inflight, large, small = Inflight(MB), Hold(), Hold()
    inflight.account(large, 8 * MB)
    inflight.account(small, SMALL)
    assert not await inflight.room(small)
    async with inflight.handling(40 * MB), inflight.handling(SMALL):
        pass


@pytest.mark.parametrize("cancelled", [False, True])
async def test_large_messages_are_handled_one_after_the_other_in_their_order(cancelled: bool) -> None:
    inflight, order = Inflight(MB), list[str]()
    release = asyncio.Event()

    async def handle(name: str, size: int) -> None:
        async with inflight.handling(size):
            order.append(name)
            await release.wait()

    first = asyncio.create_task(handle("larger than the cap", 2 * HANDLED))
    await settle()
    second = asyncio.create_task(handle("second", HANDLED))
    third = asyncio.create_task(handle("third", HANDLED // 2))
    await settle()
    assert order == ["larger than the cap"]
    if cancelled:
        second.cancel()
    release.set()
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert order[1:] == (["third"] if cancelled else ["second", "third"])
    async with inflight.handling(2 * HANDLED):  # nothing of it was forgotten
        pass


async def test_of_a_crowd_only_those_are_woken_who_may_read() -> None:
    """Else each answer would wake everybody: hundreds of senders of large messages would cost the CPU."""
    inflight, holds = Inflight(4 * MB), [Hold() for _ in range(200)]
    for one in holds:
        inflight.account(one, MB)
    queued = 0

    class Counted(deque[asyncio.Future[None]]):
        def append(self, turn: asyncio.Future[None]) -> None:
            nonlocal queued
            queued += 1
            super().append(turn)

    inflight._held_back = Counted()

    async def read_on(hold: Hold) -> None:
        await inflight.room(hold)
        await settle()
        inflight.account(hold, 0)

    tasks = [asyncio.create_task(read_on(one)) for one in holds]
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert queued < 2 * len(holds)
    assert (inflight.held, inflight.crowded) == (0, False)
