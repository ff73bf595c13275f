"""Several messages in one content."""

import pytest

from gateway import hl7v2
from gateway.hl7v2 import AckCode
from tests.mllp_support import NOW, acknowledged

ONE = b"MSH|^~\\&|A||||||ORU^R01|1|P|2.5\rPID|1"
TWO = b"MSH|^~\\&|A||||||ORU^R01|2|P|2.5\rPID|2"


def test_single_message_comes_back_as_the_very_bytes() -> None:
    sent = b"\r\n" + ONE + b"\r"
    assert hl7v2.split_batch(sent)[0] is sent


@pytest.mark.parametrize(
    "sent",
    [
        ONE + b"\r" + TWO + b"\r",
        ONE + b"\r\n\r\n" + TWO,
        b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ONE + b"\r" + TWO + b"\rBTS|2\rFTS|1\r",
        b"\x0b" + ONE + b"\r\x1c\r\x0b" + TWO + b"\r\x1c\r",  # frames saved as one file
        b"\xef\xbb\xbf" + ONE + b"\n\xef\xbb\xbf" + TWO + b"\n",  # files with BOM, joined
    ],
    ids=["bare", "blank lines", "FHS BHS", "frames", "BOM"],
)
def test_messages_are_cut_apart(sent: bytes) -> None:
    found = hl7v2.split_batch(sent)
    assert [hl7v2.read(one).control_id for one in found] == ["1", "2"]
    assert [one[-5:] for one in found] == [b"PID|1", b"PID|2"]


def test_msh_inside_a_value_is_no_message() -> None:
    sent = ONE + b"\rOBX|1|TX|||MSH|^~\\& and MSH|\r"
    assert hl7v2.split_batch(sent) == (sent,)


def test_what_stands_before_the_first_message_is_kept_to_be_refused() -> None:
    first, second = hl7v2.split_batch(b"/* a comment */\n" + ONE)
    assert second == ONE
    with pytest.raises(hl7v2.NotHl7Error):
        hl7v2.read(first)


def test_blank_content_has_no_message() -> None:
    assert hl7v2.split_batch(b"\r\n\x00") == ()
    assert hl7v2.split_batch(b"FHS|^~\\&\rFTS|0\r") == ()


# --- one answer for all


def answered(sent: bytes, *codes: AckCode) -> list[str]:
    """Segments of the answer, cut to what tells them apart."""
    answers = tuple(
        acknowledged(one, code, "INS-KEY" if code is AckCode.AE else "")
        for one, code in zip(hl7v2.split_batch(sent), codes, strict=True)
    )
    whole = hl7v2.answer_several(sent, answers, now=NOW, control_id="B1")
    return [line for line in whole.decode().split("\r") if line[:3] in ("FHS", "BHS", "MSA", "BTS", "FTS")]


def test_a_batch_is_answered_by_a_batch_that_names_it() -> None:
    sent = (
        b"FHS|^~\\&|RIS|C|GW|D|||||F9\rBHS|^~\\&|RIS|C|GW|D|||||B9\r"
        + ONE
        + b"\r"
        + TWO
        + b"\rBTS|2\rFTS|1\r"
    )
    file, batch, first, second, *ends = answered(sent, AckCode.AA, AckCode.AE)
    assert (first, second, ends) == ("MSA|AA|1", "MSA|AE|2", ["BTS|2", "FTS|1"])
    for line, name, reference in ((file, "FHS", "F9"), (batch, "BHS", "B9")):
        fields = line.split("|")
        assert (fields[0], fields[2:6], fields[10:]) == (name, ["GW", "D", "RIS", "C"], ["B1", reference])


def test_without_envelope_a_refusal_stands_before_every_acceptance() -> None:
    assert answered(ONE + b"\r" + TWO, AckCode.AA, AckCode.AE) == ["MSA|AE|2", "MSA|AA|1"]
    assert answered(ONE + b"\r" + TWO, AckCode.AA, AckCode.AA) == ["MSA|AA|1", "MSA|AA|2"]


@pytest.mark.parametrize(
    ("trailers", "said"),
    [
        ((b"BTS|2",), ""),
        ((b"BTS|7",), "BTS-1 says 7, 2 came"),
        ((b"BTS|1|rest", b"BTS|2"), "BTS-1 says 3, 2 came"),
        ((b"BTS|",), ""),
        ((b"BTS|two",), ""),
        ((), ""),
    ],
)
def test_a_batch_that_counts_otherwise_is_noticed(trailers: tuple[bytes, ...], said: str) -> None:
    assert hl7v2.miscounted(b"\r".join((b"BHS|^~\\&|A", b"MSH|1", b"MSH|2", *trailers)), 2) == said
