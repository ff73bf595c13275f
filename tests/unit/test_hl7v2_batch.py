"""Several messages in one content."""

import pytest

from gateway import hl7v2

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
