"""The stream between intake and mapper: frames come out whole, however the socket cuts them."""

import random

import pytest

from gateway.pipeline.mapper import MESSAGE, USE, Frames, Use, order

CONTENTS = (b"MSH|1", b"", b"x" * 70_000, b"MSH|2", bytes(range(256)) * 2000)
STREAM = b"".join(b"".join(order(one)) for one in CONTENTS)
WHOLE = [(MESSAGE, one) for one in CONTENTS]


@pytest.mark.parametrize("size", [1, 2, 5, 7, 4096, 65_536, len(STREAM)])
def test_frames_are_the_same_in_pieces_of_any_size(size: int) -> None:
    stream = b"".join(b"".join(order(one)) for one in CONTENTS[:2]) * 3 if size < 5 else STREAM
    frames = Frames()
    found = [one for at in range(0, len(stream), size) for one in frames.receive(stream[at : at + size])]
    assert found == (WHOLE[:2] * 3 if size < 5 else WHOLE)


def test_frames_are_the_same_in_pieces_of_random_size() -> None:
    chance, frames = random.Random(7), Frames()
    found, at = [], 0
    while at < len(STREAM):
        size = chance.choice((1, 3, 5, 6, 100, 60_000, 500_000))
        found += frames.receive(STREAM[at : at + size])
        at += size
    assert found == WHOLE


def test_an_order_says_its_kind() -> None:
    ((kind, _),) = Frames().receive(b"".join(order(Use(sites_dir="", site="default"))))
    assert kind == USE
