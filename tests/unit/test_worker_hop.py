"""A worker's thread beside its event loop: results come to who waits, in order; who closes
waits for none."""

import asyncio
import gc
import threading
import time
import weakref

import pytest

from gateway.pipeline.hop import Hop
from tests.support import PATIENCE


class _GivenUpError(Exception):
    pass


async def _settled(hop: Hop) -> None:
    """All that was given before is done."""
    async with asyncio.timeout(PATIENCE):
        await hop.on(lambda: None)


async def test_work_is_done_in_its_order_in_one_thread_and_comes_back() -> None:
    hop, threads = Hop("test"), set()

    def work(number: int) -> int:
        threads.add(threading.get_ident())
        return number

    done = await asyncio.gather(*(hop.on(lambda number=number: work(number)) for number in range(100)))
    hop.end()
    assert done == list(range(100))
    assert len(threads - {threading.get_ident()}) == len(threads) == 1


async def test_what_was_done_together_wakes_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hop, go = Hop("test"), threading.Event()
    await _settled(hop)
    loop, calls = asyncio.get_running_loop(), []
    original = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *given: calls.append(1) or original(*given))
    waiting = [hop.on(go.wait), *(hop.on(lambda: True) for _ in range(20))]
    go.set()
    while hop._jobs.qsize():  # the loop is busy elsewhere meanwhile
        time.sleep(0.001)  # noqa: ASYNC251  # that is the purpose
    assert await asyncio.gather(*waiting) == [True] * 21
    hop.end()
    assert len(calls) <= 2


async def test_what_can_wait_is_done_when_nothing_else_is_there_and_before_the_end() -> None:
    hop, go, done = Hop("test"), threading.Event(), []
    waiting = [hop.on(go.wait)]
    for name, last in (("made", True), ("sent", False), ("made too", True), ("sent too", False)):
        waiting.append(hop.on(lambda name=name: done.append(name), last=last))
    hop.end()
    go.set()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*waiting)
    assert done == ["sent", "sent too", "made", "made too"]


async def test_a_fault_comes_to_who_asked_and_the_thread_goes_on() -> None:
    hop = Hop("test")
    with pytest.raises(ZeroDivisionError):
        await hop.on(lambda: 1 / 0)
    assert await hop.on(lambda: 1) == 1
    hop.end()


async def test_who_waits_when_all_is_given_up_hears_it_at_once() -> None:
    hop, go = Hop("test"), threading.Event()
    under_way, behind = hop.on(go.wait), hop.on(lambda: 2)
    hop.give_up(_GivenUpError)
    for one in (under_way, behind):
        with pytest.raises(_GivenUpError):
            await one
    go.set()
    await _settled(hop)  # results that nobody waits for harm nothing
    hop.end()


async def test_nothing_large_is_held_after_it_was_handed_over() -> None:
    class Large:
        pass

    hop = Hop("test")
    large = await hop.on(Large)
    held = weakref.ref(large)
    await _settled(hop)
    del large
    gc.collect()
    assert held() is None
    hop.end()
