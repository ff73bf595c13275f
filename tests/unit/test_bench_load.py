"""The load of the benchmark: messages that the gateway takes, each a report of its own."""

from itertools import islice

import pytest

from bench.arrivals import wrong
from bench.load import SIZE, Figures, messages
from gateway import hl7v2
from gateway.mapping import hl7, sites

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


@pytest.mark.parametrize(("mails", "asked"), [(2, None), (1, False)])
def test_one_mail_is_the_requesters_alone(mails: int, asked: bool | None) -> None:
    message = hl7v2.read(next(messages("run", mails=mails))[1:-2])
    (mapped,) = hl7.reports(message, sites.load().match(message))
    assert mapped.context.flags.to_patient is asked
    assert mapped.context.flags.to_professionals is None


DMP = [{"uniqueId": f"1.2.{number}", "result": "Success", "errors": []} for number in range(2)]
MAILS = [{"message_id": f"<{number}@x>", "result": "ok", "checks": []} for number in range(2)]


def test_a_run_whose_reports_arrived_once_and_without_fault_is_good() -> None:
    assert wrong(DMP, MAILS, ("a", "b"), reports=2, mails=1) == ()


@pytest.mark.parametrize(
    ("dmp", "mails", "folders", "said"),
    [
        (DMP[:1], MAILS, ("a", "b"), "dmp: 1 of 2 arrived, 1 times"),
        ([*DMP, DMP[0]], MAILS, ("a", "b"), "dmp: 2 of 2 arrived, 3 times"),
        (DMP, [MAILS[0], MAILS[0]], ("a", "b"), "mssante: 1 of 2 arrived, 2 times"),
        (DMP, MAILS, ("a",), "folder: 1 of 2 arrived, 1 times"),
        ([DMP[0], {**DMP[1], "result": "Failure"}], MAILS, ("a", "b"), "1 x dmp: Failure []"),
        (DMP, [{**one, "result": "faults"} for one in MAILS], ("a", "b"), "2 x mssante: faults []"),
    ],
)
def test_loss_duplicate_and_fault_are_named(
    dmp: list[dict[str, object]], mails: list[dict[str, object]], folders: tuple[str, ...], said: str
) -> None:
    assert wrong(dmp, mails, folders, reports=2, mails=1) == (said,)
