"""A short look at what `make fuzz` does for long: every seed, and some hundred edits of them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.corpus import edited, framed, inputs, seeds
from tests.fuzz.targets import TARGETS

SEEDS = seeds()
OWN = SEEDS[:4]
"""The messages of the project, which are there in every place."""


pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_holds(name: str) -> None:
    for data in SEEDS:
        TARGETS[name](framed(data) if name == "framer" else data)


@pytest.mark.parametrize("name", ["reader", "mapping", "answers", "several"])
def test_edited_seeds_hold(name: str) -> None:
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(inputs(OWN))
    def holds(data: bytes) -> None:
        TARGETS[name](data)

    holds()


def test_edited_streams_hold() -> None:
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(inputs([framed(one) for one in OWN]), st.binary(min_size=2, max_size=2))
    def holds(data: bytes, head: bytes) -> None:
        TARGETS["framer"](head + data)

    holds()


def test_edits_do_what_they_say() -> None:
    data = b"MSH|a\rPID|b\rOBX|c"
    assert edited(data, [("drop", 0.4, 0)]) == b"MSH|a\rOBX|c"
    assert edited(data, [("double", 0.0, 0)]) == b"MSH|a\rMSH|a\rPID|b\rOBX|c"
    assert edited(data, [("swap", 0.0, 1.0)]) == b"OBX|c\rPID|b\rMSH|a"
    assert edited(data, [("cut", 0.5, 0)]) == data[: len(data) // 2]
    assert edited(data, [("insert", 1.0, b"!")]) == data + b"!"
    assert edited(data, [("delete", 0.0, 6)]) == b"PID|b\rOBX|c"
