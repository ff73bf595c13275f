"""The load of the benchmark: messages that the gateway takes, each a report of its own."""

from itertools import islice

from bench.load import SIZE, Figures, messages
from gateway import hl7v2

FRAMES = list(islice(messages("run"), 3))


def test_messages_are_framed_and_two_kilobytes() -> None:
    for frame in FRAMES:
        assert frame.startswith(b"\x0bMSH|")
        assert frame.endswith(b"\x1c\r")
        assert abs(len(frame) - SIZE) < 100


def test_each_message_has_its_own_control_id_and_report() -> None:
    read = [hl7v2.read(frame[1:-2]) for frame in FRAMES]
    assert len({message.control_id for message in read}) == 3
    assert all(frame.count(b"CR-run-") == FRAMES[0].count(b"CR-run-") > 1 for frame in FRAMES)


def test_figures_tell_rate_and_percentiles() -> None:
    figures = Figures(taken=4, refused=0, seconds=2.0, latencies=(0.001, 0.002, 0.003, 0.004))
    assert figures.rate == 2.0
    assert figures.percentile(0.5) == 3.0
    assert figures.percentile(0.99) == 4.0
