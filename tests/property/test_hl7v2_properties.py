"""Laws of the HL7 v2 room that hold for any bytes."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import hl7v2
from gateway.hl7v2 import Event, Frame, Framer, FramerOptions, Junk, TooLarge, Truncated
from gateway.hl7v2 import segment as segments
from gateway.hl7v2.writer import Repeat, message, segment

PARIS = ZoneInfo("Europe/Paris")

wire = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b"\r", b"\n", b"|", b"^", b"~", b"\\", b"&", b"\x0b", b"\x1c", b"\rOBX|1|ED|||^^^Base64^"]
        ),
    ),
    max_size=30,
).map(b"".join)  # fmt: skip
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20)


@given(wire)
def test_message_gives_back_its_bytes_and_can_be_answered(rest: bytes) -> None:
    data = b"MSH|^~\\&|" + rest
    found = hl7v2.read(data)
    assert found.raw == data
    for one in found.segments:
        before = one.raw
        for field in range(one.field_count + 2):
            one.value(field), one.text(field), one.components(field), one.is_null(field)
            try:
                one.binary(field)
            except hl7v2.Base64Error as refused:
                assert refused.finding.location
        assert one.raw == before
    answer = hl7v2.acknowledge(
        hl7v2.reply_to(found),
        hl7v2.AckCode.AE,
        findings=found.findings,
        now=datetime(2021, 1, 8, tzinfo=UTC),
        control_id="1",
    )
    assert hl7v2.read_ack(answer).code is hl7v2.AckCode.AE


@given(
    st.lists(st.binary(max_size=12).filter(lambda one: not set(one) & set(b"\r\n\x0b\x1c\x00|")), max_size=8)
)
def test_segments_joined_are_the_message(fields: list[bytes]) -> None:
    lines = [b"MSH|^~\\&|RIS", *(b"ZZ%d|%b" % (n % 10, one) for n, one in enumerate(fields))]
    found = hl7v2.read(b"\r".join(lines) + b"\r")
    assert [one.raw for one in found.segments] == lines


@given(st.one_of(st.binary(), wire))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for part in (data, *hl7v2.split_batch(data)):
        try:
            hl7v2.read(part)
        except hl7v2.NotHl7Error as refused:
            assert refused.finding.code


@given(
    st.lists(
        st.lists(st.lists(texts, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=3
    )
)
def test_what_is_written_is_read(field: list[list[list[str]]]) -> None:
    repetitions = Repeat(*(tuple(tuple(leaves) for leaves in components) for components in field))
    data = message(segment("MSH", "RIS"), segment("ZZZ", "1", repetitions))
    found = hl7v2.read(data).all("ZZZ")[0]
    for r, components in enumerate(field, 1):
        for c, leaves in enumerate(components, 1):
            for s, leaf in enumerate(leaves, 1):
                expected = "" if leaf == '""' else leaf
                assert found.value(2, r, c, s) == expected


payloads = st.binary(max_size=40).map(lambda data: bytes(one for one in data if one not in (0x0B, 0x1C)))
streams = st.lists(
    st.one_of(
        payloads.map(lambda one: b"\x0b" + one + b"\x1c\r"),
        payloads,
        st.sampled_from([b"\x0b", b"\x1c", b"MSH|", b"\x0bMSH|a\x1c", b"\r\n\x00 "]),
    ),
    max_size=12,
).map(b"".join)


def told(framer: Framer, packets: list[bytes]) -> tuple[list[Event], int]:
    """Events except junk, and the junk bytes in all."""
    events = [event for packet in packets for event in framer.receive(packet)] + list(framer.end())
    junk = sum(event.count for event in events if isinstance(event, Junk))
    return [event for event in events if not isinstance(event, Junk)], junk


@given(streams, st.lists(st.integers(0, 400), max_size=20), st.booleans())
@settings(max_examples=300)
def test_any_split_of_a_stream_tells_the_same(stream: bytes, cuts: list[int], missing_start: bool) -> None:
    options = FramerOptions(missing_start=missing_start)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    packets = [stream[a:b] for a, b in pairwise(places)]
    bytewise = [stream[n : n + 1] for n in range(len(stream))]
    whole = told(Framer(30, options=options), [stream])
    assert told(Framer(30, options=options), packets) == whole
    assert told(Framer(30, options=options), bytewise) == whole


@given(st.lists(payloads.filter(lambda one: len(one) <= 30), max_size=8))
def test_frames_come_out_as_they_went_in(sent: list[bytes]) -> None:
    events, junk = told(Framer(30), [hl7v2.wrap(one) for one in sent])
    assert events == [Frame(payload=one) for one in sent]
    assert junk == 0


@given(streams)
def test_every_byte_of_a_stream_is_accounted_for(stream: bytes) -> None:
    events, junk = told(Framer(30), [stream])
    payload = sum(
        len(one.payload) if isinstance(one, Frame) else one.size if isinstance(one, TooLarge) else one.count
        for one in events
        if isinstance(one, Frame | TooLarge | Truncated)
    )
    marks = stream.count(b"\x0b") + stream.count(b"\x1c")
    padding = sum(stream.count(one) for one in (b" ", b"\t", b"\r", b"\n", b"\x00"))
    assert payload + junk <= len(stream)
    assert payload + junk >= len(stream) - marks - padding


@given(st.one_of(st.text(max_size=30), st.from_regex(r"\d{1,14}(\.\d+)?([+-]\d{4})?", fullmatch=True)))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = hl7v2.parse_dtm(text, PARIS)
    hl7v2.parse_date(text)
    if found is not None:
        again = hl7v2.parse_dtm(hl7v2.format_dtm(found), ZoneInfo("UTC"))
        assert again == found
        assert again is not None
        assert again.utcoffset() == found.utcoffset()


@given(st.binary(max_size=8), st.sampled_from([b"^", b"&", b""]), st.integers(0, 6), st.booleans())
def test_a_part_is_the_same_in_short_and_in_long_data(
    data: bytes, delimiter: bytes, number: int, long: bool
) -> None:
    whole = data + delimiter + b"x" * 300 if long else data
    found = whole.split(delimiter) if delimiter else [whole]
    assert segments.part(whole, delimiter, number) == (found[number - 1] if 0 < number <= len(found) else b"")
