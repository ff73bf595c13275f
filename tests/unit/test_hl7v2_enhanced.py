"""Answers in enhanced mode (HL7 2.5 §2.9.3) and of MLLP release 2, row by row of their table."""

import pytest

from gateway import hl7v2
from gateway.hl7v2 import AckCode, enhanced
from gateway.model.findings import finding
from tests.mllp_support import NOW, acknowledged, report

AA, AE, AR, CA, CE, CR = AckCode


def told(accept: str, code: AckCode, problem: str = "") -> list[AckCode]:
    message = report("7", accept=accept)
    answers = enhanced.answers(message, acknowledged(message, code, problem), control_id="C1")
    return [hl7v2.read_ack(answer).code for answer in answers]


@pytest.mark.parametrize(
    ("accept", "accepted", "refused"),
    [
        ("", [AA], [AE]),  # both empty: original mode
        ("|", [AA], [AE]),
        ("AL|AL", [CA, AA], [CE]),
        ("AL|NE", [CA], [CE]),
        ("NE|AL", [AA], [AE]),
        ("NE|NE", [], []),
        ("SU|ER", [CA], [AE]),
        ("ER|SU", [AA], [CE]),
        ("AL|", [CA], [CE]),
        ("|AL", [AA], [AE]),
        ("??|AL", [AA], [AE]),
    ],
)
def test_the_sender_gets_what_it_asks_for(
    accept: str, accepted: list[AckCode], refused: list[AckCode]
) -> None:
    assert told(accept, AA) == accepted
    assert told(accept, AE, "INS-KEY") == refused


def test_what_may_be_resent_is_cr() -> None:
    assert told("AL|AL", AR, "STORE-UNAVAILABLE") == [CR]


def test_a_commit_is_an_acknowledgement_of_its_own() -> None:
    message = report("7", accept="AL|AL")
    answer = acknowledged(message)
    commit, application = enhanced.answers(message, answer, control_id="C1")
    assert application == answer
    assert commit.split(b"\r")[0].split(b"|")[9] == b"C1"
    assert commit.split(b"\r")[1] == b"MSA|CA|7"
    assert hl7v2.read(commit).sending_application == "PASSERELLE"


def test_a_refusing_commit_carries_the_errors_and_an_accepting_one_none() -> None:
    message = report("7", accept="AL|NE")
    (refusal,) = enhanced.answers(message, acknowledged(message, AE, "INS-KEY"), control_id="C1")
    assert "INS-KEY" in hl7v2.read_ack(refusal).errors[0]
    (commit,) = enhanced.answers(message, acknowledged(message, AA), control_id="C1")
    assert b"ERR" not in commit


def test_an_unreadable_message_is_answered_in_original_mode() -> None:
    (answer,) = enhanced.answers(b"?", acknowledged(b"?"), control_id="C")
    assert hl7v2.read_ack(answer).code is AR


@pytest.mark.parametrize(
    ("code", "problem", "is_stored"),
    [
        (AA, "", True),
        (AE, "INS-KEY", True),
        (AR, "HL7-NOT-HL7", True),
        (AR, "STORE-UNAVAILABLE", False),
        (AR, "INTERNAL", False),
    ],
)
def test_the_commit_byte_says_whether_the_message_was_stored(
    code: AckCode, problem: str, is_stored: bool
) -> None:
    assert enhanced.stored(acknowledged(report("7"), code, problem)) is is_stored


def test_an_acknowledgement_of_our_answer_is_known() -> None:
    assert enhanced.is_acknowledgement(acknowledged(report("7")))
    assert not enhanced.is_acknowledgement(report("7"))
    assert not enhanced.is_acknowledgement(b"noise")


@pytest.mark.parametrize(
    ("head", "control_id"),
    [
        (report("7", text="x" * 5000)[:4096], "7"),
        (report("7")[:70], ""),  # cut inside MSH: half a MSH-10 would name another message
        (b"\r\n" + report("7"), "7"),
        (report("7").replace(b"\r", b"\n")[:120], "7"),
        (b"", ""),
        (b"x" * 4096, ""),
    ],
)
def test_a_refusal_names_the_message_where_its_header_is_whole(head: bytes, control_id: str) -> None:
    refusal = hl7v2.refuse(head, finding("HL7-TOO-LARGE"), now=NOW, control_id="R1")
    ack = hl7v2.read_ack(refusal)
    assert (ack.code, ack.control_id) == (AE, control_id)
    assert "HL7-TOO-LARGE" in ack.errors[0]
