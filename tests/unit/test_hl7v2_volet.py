"""The second verdict on messages with a CDA: rules of the volet Transmission 2.1, broken one by one."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gateway.hl7v2 import read, split_batch, volet
from gateway.mapping import sites
from gateway.mapping.hl7_documents import carries_cda
from gateway.pipeline.offline import judge
from tests.support import SAMPLES, needs_samples
from tests.unit.mapping_messages import ORU, changed, with_field
from tests.unit.test_mapping_cda_message import MDM, replacement

Change = Callable[[str], str]


def places(message: str) -> list[str]:
    return [one.location for one in volet.check(read(message.encode()))]


def field(segment: str, number: int, value: str) -> Change:
    return lambda message: with_field(segment, number, value, message)


def edit(old: str, new: str) -> Change:
    return lambda message: changed((old, new), message=message)


def without(start: str) -> Change:
    return lambda message: "\r".join(line for line in message.split("\r") if not line.startswith(start))


def moved(start: str, before: str) -> Change:
    """The segments that begin so stand before the first one that begins with `before`."""

    def change(message: str) -> str:
        lines = message.split("\r")
        picked = [line for line in lines if line.startswith(start)]
        rest = [line for line in lines if not line.startswith(start)]
        at = next(place for place, line in enumerate(rest) if line.startswith(before))
        return "\r".join((*rest[:at], *picked, *rest[at:]))

    return change


@pytest.mark.req("REQ-01")
def test_the_message_of_the_fixtures_conforms() -> None:
    assert places(MDM) == []
    assert places(with_field("TXA", 13, "1.2.3", replacement())) == []


RULES: dict[str, tuple[Change, list[str]]] = {
    "version of an MDM": (field("MSH", 12, "2.5"), ["MSH-12"]),
    "structure": (field("MSH", 9, "MDM^T02"), ["MSH-9.3"]),
    "receiver": (field("MSH", 6, ""), ["MSH-6"]),
    "country": (field("MSH", 17, ""), ["MSH-17"]),
    "character set": (field("MSH", 18, "ASCII"), ["MSH-18"]),
    "processing id": (field("MSH", 11, "X"), ["MSH-11"]),
    "profile": (field("MSH", 21, "2.0^CISIS_CDA_HL7_V2"), ["MSH-21"]),
    "a segment": (without("PV1"), ["PV1"]),
    "order of segments": (moved("TXA", "PID"), ["TXA"]),
    "kind of stay": (field("PV1", 2, "B"), ["PV1-2"]),
    "number of the stay": (field("PV1", 19, ""), ["PV1-19"]),
    "order control": (field("ORC", 1, "SC"), ["ORC-1"]),
    "document type": (field("OBR", 4, "18748-4^CR"), ["OBR-4.3"]),
    "TXA-3": (field("TXA", 3, "ED"), ["TXA-3"]),
    "completion": (field("TXA", 17, "LA"), ["TXA-17"]),
    "form of the document": (edit("^text^XML^", "^^XML^"), ["OBX-5.2"]),
    "no participation": (without("PRT"), ["PRT"]),
    "order of participations": (moved("PRT||UC||RCT", "PRT||UC||SB"), ["PRT(2)-4"]),
    "participation": (edit("PRT||UC||SB^", "PRT||UC||XX^"), ["PRT-4"]),
    "mailbox": (edit("^^X.400^", "^^^"), ["PRT(2)-15"]),
    "a flag": (without("OBX|5|"), ["OBX"]),
    "order of flags": (moved("OBX|5|", "OBX|2|"), ["OBX(3)-3"]),
    "old name of a flag": (edit("ACK_LECTURE_MSS^", "ACK_LECTURE^"), ["OBX(11)-3"]),
    "type of a flag": (edit("OBX|4|CWE|", "OBX|4|CE|"), ["OBX(4)-2"]),
    "table of a flag": (
        edit("INVISIBLE_PATIENT^Document Non Visible par le patient^MetaDMPMSS||Y^^expandedYes-NoIndicator",
             "INVISIBLE_PATIENT^Document Non Visible par le patient^MetaDMPMSS||Y^^HL70136"),
        ["OBX(3)-5.3"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_each_departure_is_told_where_it_stands(rule: str) -> None:
    change, expected = RULES[rule]
    assert places(change(MDM)) == expected


def test_a_replacement_names_what_it_replaces() -> None:
    assert places(replacement()) == ["TXA-13"]


def test_departures_decide_nothing_and_say_nothing_of_the_patient() -> None:
    message = field("PID", 5, "")(field("MSH", 17, "")(MDM)).encode()
    now = datetime(2021, 1, 8, 11, tzinfo=UTC)
    (judged,) = judge(message, sites.load(), environment="test", now=now)
    assert {(one.location, one.severity, one.detail) for one in judged.deviations} == {
        ("MSH-17", "warning", "expected: FRA"),
        ("PID-5", "warning", "expected: a value"),
    }
    assert judged.decision.verdict == "accept"


def test_a_classic_report_is_held_against_no_volet() -> None:
    now = datetime(2021, 1, 8, 11, tzinfo=UTC)
    assert judge(ORU.encode(), sites.load(), environment="test", now=now)[0].deviations == ()


@pytest.mark.samples
@needs_samples
@pytest.mark.req("REQ-01")
def test_official_messages_of_version_2_1_conform_and_older_ones_do_not() -> None:
    told: dict[str, set[bool]] = {}
    for path in sorted((SAMPLES / "hl7v2").rglob("*")):
        if not path.is_file() or "ansforge" not in path.as_posix():
            continue
        for part in split_batch(path.read_bytes()):
            message = read(part)
            if message.message_code in volet.STRUCTURES and carries_cda(message):
                told.setdefault(message.profile, set()).add(not volet.check(message))
    assert told["2.1^CISIS_CDA_HL7_V2"] == {True}
    assert told["2.0^CISIS_CDA_HL7_V2"] == told["1.2^CISIS_CDA_HL7_V1"] == {False}
