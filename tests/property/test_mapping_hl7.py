"""Laws of the HL7 v2 mapping for any message: it never raises, never stays silent, never loses a field."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.hl7v2 import NotHl7Error, read
from gateway.mapping import hl7
from gateway.model.base import decode, encode
from gateway.model.findings import errors
from gateway.model.report import ImagingReport
from tests.support import FIXTURES
from tests.unit.mapping_messages import ORU, profile

MDM = (FIXTURES / "hl7v2" / "mdm_cda.er7").read_bytes().decode("utf-8")
LINES = [line for line in ORU.split("\r") if line]
ODD = st.sampled_from(
    ["", '""', "^", "&", "~", "^^^^^", "&&&", "a&b^c&d~e", "\\X4\\", "20211301", "1.2.3", "F", "é", "\\.br\\"]
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The canonical ORU with lines dropped, repeated or shuffled and fields replaced by odd values."""
    lines = draw(st.lists(st.sampled_from(LINES), min_size=0, max_size=14))
    made = [LINES[0]]
    for line in lines:
        fields = line.split("|")
        for _ in range(draw(st.integers(0, 3))):
            fields[draw(st.integers(1, len(fields) - 1))] = draw(ODD)
        made.append("|".join(fields))
    return "\r".join(made) + "\r"


def check(text: str) -> None:
    message = read(text.encode("utf-8"))
    every = hl7.reports(message, profile())
    assert every
    populated = sorted(s.location(field) for s in message.segments for field in s.populated())
    for one in every:
        assert one.report is not None or errors(one.findings), "silence"
        seen = (*one.coverage.mapped, *one.coverage.kept, *(place for place, _ in one.coverage.ignored))
        assert sorted(seen) == populated
        if one.report is not None:
            assert decode(encode(one.report), ImagingReport) == one.report
        assert all(found.spec for found in one.findings), "a finding outside the catalogue"


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_a_damaged_report_is_read_or_refused_with_a_reason(text: str) -> None:
    check(text)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(MDM) - 1), st.integers(0, 200), st.text("|^~&\\\rAZ09", max_size=5))
def test_a_damaged_document_message_is_read_or_refused_with_a_reason(at: int, cut: int, put: str) -> None:
    text = MDM[:at] + put + MDM[at + cut :]
    try:
        check(text)
    except NotHl7Error:
        assert at < 10
