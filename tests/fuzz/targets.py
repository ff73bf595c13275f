"""What is fuzzed: each target takes any bytes and raises only when the gateway breaks a promise.

framer     any stream, in any packets: the same frames, bounded memory, never an exception
reader     any payload is read (bytes kept) or refused with a finding; either way it can be answered
mapping    any payload is mapped and decided, or refused with findings; values survive JSON
answers    any payload has its answers in enhanced mode, and its refusal by its first bytes
several    any content is cut into messages of which none is lost, and answered by one frame; addenda join
"""

import functools
from collections.abc import Callable
from datetime import UTC, datetime

from gateway import hl7v2
from gateway.hl7v2 import AckCode, Event, Frame, Framer, FramerOptions, Junk, NotHl7Error, enhanced
from gateway.mapping import sites
from gateway.mapping.sites import Sites
from gateway.model.base import decode, encode
from gateway.model.decision import Verdict
from gateway.model.findings import CATALOGUE, errors, finding
from gateway.model.report import ImagingReport
from gateway.model.submission import Mapped
from gateway.pipeline.offline import UnreadableError, judge
from gateway.pipeline.reading import dedupe_key
from gateway.rules import addendum

NOW = datetime(2021, 1, 8, 12, tzinfo=UTC)
LIMIT = 2048
"""Cap of a frame: small, so that inputs go beyond it."""
MARKS = {0x0B, 0x1C}
"""VT and FS."""


def framer(data: bytes) -> None:
    """The first two bytes choose the size of the packets and the tolerance for a missing start byte."""
    size, odd = (data[0] or 256, bool(data[1] & 1)) if len(data) > 1 else (1, False)
    stream = data[2:]
    whole = _heard(stream, max(1, len(stream)), odd)
    assert _heard(stream, size, odd) == whole, "packets change what is heard"
    for event in whole:
        if isinstance(event, Frame):
            assert len(event.payload) <= LIMIT
            assert not set(event.payload) & MARKS
    told = sum(len(one.payload) for one in whole if isinstance(one, Frame))
    assert told + sum(getattr(one, "count", 0) + getattr(one, "size", 0) for one in whole) <= len(stream)


def _heard(stream: bytes, size: int, odd: bool) -> list[Event]:
    one = Framer(LIMIT, options=FramerOptions(missing_start=odd))
    events: list[Event] = []
    for start in range(0, len(stream), size):
        events += one.receive(stream[start : start + size])
        assert one.buffered <= LIMIT + 2
        assert one.inside or not one.size
        assert len(one.head) <= 4096
    events += one.end()
    assert not one.inside
    assert not one.buffered
    return _joined(events)


def _joined(events: list[Event]) -> list[Event]:
    """Runs of junk as one event: how they are cut depends on the packets."""
    joined: list[Event] = []
    for event in events:
        if isinstance(event, Junk) and joined and isinstance(joined[-1], Junk):
            event = Junk(count=event.count + joined.pop().count)  # type: ignore[attr-defined]
        joined.append(event)
    return joined


def reader(data: bytes) -> None:
    for part in (data, *hl7v2.split_batch(data)):
        try:
            message = hl7v2.read(part)
        except NotHl7Error as refused:
            assert refused.finding.code in CATALOGUE
            continue
        assert message.raw == part
        for segment in message.segments[:300]:
            _touch(segment)
        dedupe_key(message)
        reply = hl7v2.reply_to(message)
        answer = hl7v2.acknowledge(reply, AckCode.AE, findings=message.findings, now=NOW, control_id="1")
        ack = hl7v2.read_ack(answer)
        assert ack.code is AckCode.AE
        if not set(part) & MARKS:  # such a payload never comes out of a frame
            hl7v2.wrap(answer)


def _touch(segment: hl7v2.Segment) -> None:
    before = segment.raw
    for field in segment.populated():
        segment.value(field)
        segment.text(field)
        segment.repetitions(field)
        segment.is_null(field)
        for component in range(1, min(len(segment.components(field)), 50) + 1):
            segment.subcomponents(field, 1, component)
        try:
            segment.binary(field)
        except hl7v2.Base64Error as refused:
            assert refused.finding.location
    assert segment.raw == before


@functools.cache
def _profiles() -> Sites:
    return sites.load()


def mapping(data: bytes) -> None:
    try:
        judged = judge(data, _profiles(), environment="test", now=NOW)
    except UnreadableError as refused:
        assert errors(refused.findings)
        return
    assert judged
    for one in judged:
        report = one.mapped.report
        if report is not None:
            assert decode(encode(report), ImagingReport) == report
        encode(one.mapped.context)
        rejected = one.decision.verdict is Verdict.REJECT
        assert rejected == bool(errors(one.decision.findings))
        assert report is not None or rejected or one.fed, "a message without report is taken without a word"


def answers(data: bytes) -> None:
    cut = data[: len(data) // 2]
    for head in (data, cut):
        refusal = hl7v2.read_ack(hl7v2.refuse(head, finding("HL7-TOO-LARGE"), now=NOW, control_id="R1"))
        assert refusal.code is AckCode.AE
    if set(data) & MARKS:
        return
    try:
        message = hl7v2.read(data)
    except NotHl7Error:
        message = None
    for code in (AckCode.AA, AckCode.AE):
        answer = hl7v2.acknowledge(
            hl7v2.reply_to(message),
            code,
            findings=(finding("INS-KEY"),) * (code is AckCode.AE),
            now=NOW,
            control_id="A1",
        )
        enhanced.is_acknowledgement(data)
        assert enhanced.stored(answer)
        for told in enhanced.answers(data, answer, control_id="C1"):
            assert hl7v2.read_ack(told).control_id == hl7v2.read_ack(answer).control_id
            hl7v2.wrap(told)


def several(data: bytes) -> None:
    """A batch has one answer that names each of its messages; what came before joins what comes, or not."""
    parts = hl7v2.split_batch(data)
    if not parts or set(data) & MARKS:
        return
    assert sum(map(len, parts)) <= len(data)
    replies = [_reply(one) for one in parts]
    whole = hl7v2.answer_several(data, tuple(replies), now=NOW, control_id="B1")
    hl7v2.wrap(whole)
    told = [hl7v2.read_ack(one).control_id for one in hl7v2.split_batch(whole)]
    assert sorted(told) == sorted(hl7v2.read_ack(one).control_id for one in replies)
    reports: list[Mapped] = []
    for one in parts[:6]:
        try:
            judged = judge(one, _profiles(), environment="test", now=NOW)
        except UnreadableError:
            continue
        reports += [each.mapped for each in judged if each.mapped.report is not None][:4]
    for before in reports:
        for after in reports:
            joined = addendum.joined(after, before.report)
            assert joined.report is not None
            if not errors(joined.findings):
                again = addendum.joined(after, joined.report)
                assert again.report == joined.report or again.report == after.report


def _reply(payload: bytes) -> bytes:
    try:
        message: hl7v2.Message | None = hl7v2.read(payload)
    except NotHl7Error:
        message = None
    return hl7v2.acknowledge(hl7v2.reply_to(message), AckCode.AA, now=NOW, control_id="A1")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "framer": framer,
    "reader": reader,
    "mapping": mapping,
    "answers": answers,
    "several": several,
}
