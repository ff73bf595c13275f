"""All public sample messages: read or refused with a reason, no segment lost (hl7v2.md §6, T2, T9)."""

import re
from pathlib import Path

import pytest

from gateway import hl7v2
from tests.support import SAMPLES, needs_samples

FOLDER = SAMPLES / "hl7v2"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.name != "INDEX.tsv")
# Written without the reader: a line that begins with a name and the usual separator.
SEGMENT = re.compile(rb"(?:^|[\r\n\x0b])([A-Z][A-Z0-9]{2})\|")
NOT_HL7 = {"hapi-test__src__test__resources__ca__uhn__hl7v2__util__messages.txt"}  # opens with a comment

pytestmark = [pytest.mark.samples, needs_samples]


def test_all_samples_are_here() -> None:
    assert len(FILES) == 102


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[-50:])
@pytest.mark.req("REQ-01")
def test_sample_loses_nothing(path: Path) -> None:
    data = path.read_bytes()
    if path.name in NOT_HL7:
        with pytest.raises(hl7v2.NotHl7Error):
            hl7v2.read(data)
        return
    message = hl7v2.read(data)
    assert message.raw == data
    if message.delimiters.field == "|" and "BadInputs" not in path.name:
        names = [name.decode() for name in SEGMENT.findall(data)]
        assert [one.name for one in message.segments] == names
    for segment in message.segments:
        for field in segment.populated():
            segment.components(field)
            segment.text(field)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[-50:])
@pytest.mark.req("REQ-02")
def test_every_message_of_a_sample_is_answered(path: Path) -> None:
    from datetime import UTC, datetime

    for part in hl7v2.split_batch(path.read_bytes()):
        try:
            message: hl7v2.Message | None = hl7v2.read(part)
        except hl7v2.NotHl7Error:
            message = None
        answer = hl7v2.acknowledge(
            hl7v2.reply_to(message),
            hl7v2.AckCode.AR,
            now=datetime(2021, 1, 8, tzinfo=UTC),
            control_id="1",
        )
        assert hl7v2.read_ack(answer).control_id == (message.control_id if message else "")


def test_official_recipients_and_consents_survive() -> None:
    official = [hl7v2.read(path.read_bytes()) for path in FILES if "ansforge__hl7V2" in str(path)]
    counts = {name: sum(len(one.all(name)) for one in official) for name in ("PRT", "ZBE", "ZFA", "ZFD")}
    assert counts == {"PRT": 100, "ZBE": 7, "ZFA": 6, "ZFD": 5}
    zam = [one for one in official if one.message_code == "ZAM"]
    assert len(zam) == 6
    assert all(one.first("OBX") is not None for one in zam)


def test_every_official_document_is_decoded() -> None:
    documents = {}
    for path in FILES:
        if "ansforge__hl7V2" not in str(path):
            continue
        for obx in hl7v2.read(path.read_bytes()).all("OBX"):
            if obx.value(5, component=4).lower() == "base64":
                mail = obx.value(3).startswith("CORPSMAIL")
                documents[path.name, obx.location(5)] = obx.binary(5, partial=mail)
    assert sum(data.lstrip().startswith((b"<?xml", b"<Clin")) for data in documents.values()) >= 20


def test_replacement_names_its_document_twice() -> None:
    """T3: TXA-12.1 is the id of the CDA inside."""
    (path,) = (one for one in FILES if "V2.1__MDM__Remplacement" in one.name and "message" in one.name)
    message = hl7v2.read(path.read_bytes())
    cda = message.all("OBX")[0].binary(5)
    document_id = message.value("TXA", 12)
    assert document_id == "1.2.250.1.71.4.2.2.120456789.71024000082"
    assert document_id.encode() in cda
