"""Answers beyond the original mode, for the peers that ask for them (spec hl7v2.md §5.1, §5.3).

Enhanced mode (HL7 2.5 §2.9.3): MSH-15 asks for a commit acknowledgement, MSH-16 for an application one.

    the message is      commit, when MSH-15 is      application answer, when MSH-16 is
    accepted            CA    AL or SU              AA         AL or SU
    refused             CE/CR AL or ER              AE/AR      AL or ER, unless a commit refused already

Here both are known at the same moment, because storing and judging are one step: the commit says the
verdict, so that a sender who asks for nothing else never takes a refusal for an acceptance. With both
fields empty the answer is that of the original mode.

MLLP release 2: a block of one byte before the answer says whether the message was stored.
"""

from gateway.hl7v2.ack import AckCode, read_ack
from gateway.hl7v2.batch import split_batch
from gateway.hl7v2.er7 import read, read_header
from gateway.hl7v2.faults import NotHl7Error

COMMITTED, NOT_COMMITTED = b"\x06", b"\x15"
"""MLLP release 2: payload of a commit acknowledgement block, positive and negative."""

_ON_SUCCESS = frozenset({"AL", "SU"})
_ON_ERROR = frozenset({"AL", "ER"})
"""Conditions of HL7 table 0155 (AL, ER, SU, NE)."""
_COMMITS = {AckCode.AA: AckCode.CA, AckCode.AE: AckCode.CE, AckCode.AR: AckCode.CR}
_UNSTORED = frozenset({"STORE-UNAVAILABLE", "INTERNAL"})
"""Finding codes (ERR-5) of the refusals that left nothing in the store."""


def answers(received: bytes, answer: bytes, *, control_id: str) -> tuple[bytes, ...]:
    """What goes back, in order, for `received`, whose answer in original mode is `answer`.

    `control_id` is MSH-10 of the commit acknowledgement. () when the sender wants no answer (NE). Several
    messages in one frame are answered in original mode: one answer holds all that there is to say.
    """
    if len(split_batch(answer)) != 1:
        return (answer,)
    asked = read_header(received, whole=True)
    commit, application = (
        (asked.header.value(15).strip(), asked.header.value(16).strip()) if asked else ("", "")
    )
    if not commit and not application:
        return (answer,)
    code = read_ack(answer).code
    conditions = _ON_SUCCESS if code.accepted else _ON_ERROR
    told: tuple[bytes, ...] = ()
    if commit in conditions:
        told = (_commit(answer, _COMMITS.get(code, code), control_id),)
    if application in conditions and (code.accepted or not told):
        told = (*told, answer)
    return told


def _commit(answer: bytes, code: AckCode, control_id: str) -> bytes:
    """The commit acknowledgement with the header of `answer`; a refusal keeps its ERR segments."""
    header, confirmed, *errors = answer.rstrip(b"\r").split(b"\r")
    fields = header.split(b"|")
    fields[9] = control_id.encode("ascii")
    said = confirmed.split(b"|")
    said[1] = code.encode("ascii")
    kept = [] if code.accepted else errors
    return b"".join(segment + b"\r" for segment in (b"|".join(fields), b"|".join(said), *kept))


def is_acknowledgement(received: bytes) -> bool:
    """Whether `received` acknowledges something itself: in enhanced mode our answers may be confirmed."""
    header = read_header(received, whole=True)
    return header is not None and header.message_code == "ACK"


def stored(answer: bytes) -> bool:
    """Whether every message that `answer` answers is in the store, accepted or refused."""
    return all(map(_stored, split_batch(answer)))


def _stored(answer: bytes) -> bool:
    try:
        refusals = read(answer).all("ERR")
    except NotHl7Error:
        return False
    codes = {error.value(5, component=place) for error in refusals for place in (1, 4)}
    return not codes & _UNSTORED
