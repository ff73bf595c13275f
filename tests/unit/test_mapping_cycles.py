"""Reading a message leaves nothing behind for the garbage collector, whose pauses all senders wait for."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.mapping import sites
from gateway.pipeline.reading import pack, read

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "hl7v2").glob("*.er7"))
_ROUNDS = 5


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_a_message_read_and_packed_is_freed_without_the_collector(fixture: Path, uncollected: None) -> None:
    frame, known = fixture.read_bytes(), sites.load()
    pack(read(frame, known))  # what the caches keep is kept from here on
    gc.collect()
    for _ in range(_ROUNDS):
        pack(read(frame, known))
    assert gc.collect() == 0, (
        "objects refer to each other in a circle: nested functions that call themselves?"
    )
