"""`gateway explain`: every element of a document is led back to its origin, every field to its fate."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree
from typer.testing import CliRunner

from gateway import cda
from gateway.cli.main import app
from gateway.hl7v2 import read
from gateway.mapping import hl7, sites
from gateway.model.site import CdaLevel
from gateway.model.submission import Mapped, Provenance, Trace
from gateway.pipeline import offline
from gateway.pipeline.explain import Explanation, explain
from gateway.pipeline.explain_part import of_element, of_field
from gateway.pipeline.origins import OriginKind, Origins
from tests.support import FIXTURES
from tests.unit.mapping_messages import ORU, mapped, profile, with_field, with_observations

NOW = datetime(2021, 1, 8, 12, tzinfo=UTC)
TRACED = {OriginKind.FIELD, OriginKind.CODE_MAP, OriginKind.PROFILE, OriginKind.STANDARD, OriginKind.GATEWAY}


def explained(message: str, level: CdaLevel = CdaLevel.N1) -> Explanation:
    return explain(mapped(message), profile(), environment="test", now=NOW, level=level)


def header_elements(message: str) -> list[str]:
    """Elements of the built header that carry an attribute or text, by a walk of its own."""
    (judged,) = offline.judge(message.encode(), sites.load(), environment="test", now=NOW)
    assert judged.version is not None
    root = etree.fromstring(cda.build_n1(judged.version, b"%PDF-1.4\n").data)
    tree = root.getroottree()
    return [
        tree.getelementpath(node)
        for node in root.iter(etree.Element)
        if node is not root and (node.attrib or (node.text or "").strip())
    ]


@pytest.mark.parametrize(
    "message",
    [
        ORU,
        (FIXTURES / "hl7v2" / "oru_corrected.er7").read_bytes().decode(),
        (FIXTURES / "hl7v2" / "oru_unqualified.er7").read_bytes().decode(),
        with_field("OBR", 33, "801234560819&MARTIN&Claire&&&DR&&&ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO"),
        with_field("OBR", 28, "801234567897^DUPONT^Alain^^^DR^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO"),
        with_field("OBR", 4, "SCANTAP^Scanner thoracique^L"),
        "\r".join(line for line in ORU.split("\r") if not line.startswith("PV1")),
    ],
    ids=["report", "corrected", "unqualified", "assistant", "copy", "local act", "no visit"],
)
def test_every_element_of_the_header_is_traced(message: str) -> None:
    lines = explained(message).elements
    assert len(lines) == len(header_elements(message)), "no element is left out"
    for line in lines:
        kinds = {origin.kind for origin in line.origins}
        if "nullFlavor" in line.value:
            assert kinds <= TRACED | {OriginKind.ABSENT}, line
        else:
            assert kinds and kinds <= TRACED, line
            assert all(origin.place or origin.rule for origin in line.origins), line


def test_what_an_element_says_stands_at_the_place_that_is_named() -> None:
    """The place is not only some place: the very value stands there, for the values that are copied."""
    message = read(ORU.encode())
    copied = 0
    for line in explained(ORU).elements:
        for origin in line.origins:
            if origin.kind is OriginKind.FIELD and not origin.rule and "extension=" in line.value:
                name, _, rest = origin.place.partition("-")
                field = int(rest.partition("[")[0].partition(".")[0])
                assert line.value.rpartition("extension=")[2] in message.first(name).verbatim(field)  # type: ignore[union-attr]  # named above
                copied += 1
    assert copied >= 8


@pytest.mark.parametrize(
    ("element", "origin"),
    [
        ("recordTarget/patientRole/id[1]", "PID-3.1"),
        ("recordTarget/patientRole/patient/administrativeGenderCode", "PID-8 through sex.csv:F"),
        ("author/assignedAuthor/id", "OBR-32.1"),
        ("author/assignedAuthor/code", "profile default.toml:author_specialty"),
        ("documentationOf/serviceEvent/code", "code-map ccam.csv:ACQH004 for OBR-4.1"),
        ("documentationOf/serviceEvent/code/translation[2]", "OBR-24 through modality.csv:CT"),
        (
            "custodian/assignedCustodian/representedCustodianOrganization/name",
            "profile default.toml:structure",
        ),
        ("confidentialityCode", "standard N: masks travel in the XDS metadata"),
        ("versionNumber", "gateway number of the version in its report set"),
        ("componentOf/encompassingEncounter/effectiveTime", "absent nullFlavor UNK"),
    ],
)
def test_an_element_names_its_origin(element: str, origin: str) -> None:
    lines = [one for one in explained(ORU).elements if one.element == f"ClinicalDocument/{element}"]
    assert [str(one) for line in lines for one in line.origins] == [origin]


def test_every_populated_field_has_one_fate_and_unused_ones_are_listed() -> None:
    message = with_field("OBR", 9, "3", with_field("PID", 22, "X"))
    fields = {line.location: line for line in explained(message).fields}
    populated = [
        f"{segment.location()}-{field}"
        for segment in read(message.encode()).segments
        for field in segment.populated()
    ]
    assert sorted(fields) == sorted(populated)
    assert {fields["OBR-9"].fate, fields["PID-22"].fate} == {"kept"}
    assert (fields["MSH-12"].fate, fields["MSH-12"].rule) == ("ignored", "protocol")
    assert fields["PID-7"].paths == ("patient.birth_date",)
    assert fields["PID-7"].elements == ("ClinicalDocument/recordTarget/patientRole/patient/birthTime",)
    assert fields["ORC-1"].paths == ("context.action",)


def test_an_act_code_leads_to_all_that_its_row_adds() -> None:
    became = of_field(explained(ORU), "OBR-4").elements
    assert {line.path for line in became} == {"acts[0].code", "acts[0].ccam", "acts[0].regions[0]"}


def test_the_narrative_of_a_structured_report_leads_to_its_observation() -> None:
    lines = of_field(explained(ORU, CdaLevel.N3), "OBX(5)-5").elements
    assert [line.value for line in lines] == ["Examen sans anomalie décelable."]
    assert all(
        origin.kind is not OriginKind.UNKNOWN
        for line in explained(ORU, CdaLevel.N3).elements
        for origin in line.origins
    )


def test_n3_that_is_not_possible_says_why() -> None:
    with pytest.raises(ValueError, match=r"no conclusion|without sections"):
        explained(with_observations("OBX|1|TX|1^Texte^L||Rien.||||||F"), CdaLevel.N3)


def test_fields_are_asked_for_by_segment_field_or_place() -> None:
    made = explained(ORU)
    assert {one.location.partition("-")[0] for one in of_field(made, "PID").fields} == {"PID"}
    assert [one.location for one in of_field(made, "pid-3[2].1").fields] == ["PID-3"]
    assert [one.location for one in of_field(made, "OBX-5").fields] == [
        "OBX-5", "OBX(2)-5", "OBX(3)-5", "OBX(4)-5", "OBX(5)-5",
    ]  # fmt: skip
    assert [one.location for one in of_field(made, "OBX(2)-5").fields] == ["OBX(2)-5"]
    assert of_field(made, "OBX-99") == Explanation()


def test_elements_are_asked_for_by_path_end_of_path_or_attribute() -> None:
    made = explained(ORU)
    one = of_element(made, "/ClinicalDocument/recordTarget/patientRole/id[2]/@extension")
    assert [line.path for line in one.elements] == ["patient.identifiers[0]"]
    assert [line.location for line in one.fields] == ["PID-3"]
    assert [line.path for line in of_element(made, "patientRole/id").elements] == [
        "patient.ins",
        "patient.identifiers[0]",
    ]
    assert [line.path for line in of_element(made, "accessionNumber").elements] == ["orders[0].accession"]
    assert of_element(made, "patientRole/title") == of_element(made, "/") == Explanation()


def test_a_received_cda_is_explained_as_it_came() -> None:
    message = (FIXTURES / "hl7v2" / "mdm_cda.er7").read_bytes().decode()
    made = explained(message)
    line = next(one for one in made.elements if one.element == "ClinicalDocument/setId")
    assert str(line.origins[0]) == "OBX-5.5/ClinicalDocument/setId"
    flags = {one.location: one.paths for one in made.fields if one.paths and "flags" in one.paths[0]}
    assert flags["OBX(2)-5"] == ("context.flags.masked_ps",)
    recipient = next(one for one in made.fields if one.location == "PRT(2)-15")
    assert recipient.paths == ("context.recipients[0]",)


def test_without_a_report_fields_are_explained_all_the_same() -> None:
    made = explained((FIXTURES / "hl7v2" / "broken_no_pid.er7").read_bytes().decode())
    assert made.elements == ()
    assert {one.fate for one in made.fields} == {"mapped", "ignored", "kept"}


def test_a_rule_that_names_itself_ends() -> None:
    looped = Mapped(
        report=None,
        context=mapped(ORU).context,
        trace=Trace(provenance=(Provenance(path="a.b", rule="a.c"), Provenance(path="a.c", rule="a.b"))),
    )
    assert [one.kind for one in Origins(looped, profile().site).of("a.b")] == [OriginKind.UNKNOWN]


# --- the command


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["explain", *arguments])
    return done.exit_code, done.output


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "report.er7"
    path.write_bytes(with_field("OBR", 9, "3").encode())
    return str(path)


def test_the_command_shows_document_fields_and_unused_fields(file: str) -> None:
    status, output = run(file)
    assert status == 0
    assert "recordTarget/patientRole/id[1] = root=1.2.250.1.213.1.4.10" in output
    assert "Kept in the stored message, not used\n  PID-31, ORC-3, OBR-2, OBR-9" in output
    assert "MSH-12 (protocol)" in output


def test_the_command_answers_a_question_as_json(file: str) -> None:
    status, output = run(file, "--field", "PID-7", "--json")
    row = json.loads(output)
    assert status == 0
    assert (row["verdict"], row["site"], len(row["elements"])) == ("accept", "default", 1)
    assert row["elements"][0]["origins"] == [{"kind": "field", "place": "PID-7"}]


def test_a_field_is_explained_with_what_was_odd_about_it(tmp_path: Path) -> None:
    """Though a terminal code is left out, the narrative is led back to its field."""
    path = tmp_path / "odd.er7"
    path.write_bytes((FIXTURES / "hl7v2" / "oru_report.er7").read_bytes().replace(b"sans", b"\x1bsans"))
    status, output = run(str(path), "--field", "OBX(5)-5")
    assert status == 0
    assert "section/text/paragraph = Examen sans" in output
    assert "TEXT-CONTROL-CHARACTER OBX(5)-5" in output
    assert "TEXT-CONTROL" not in run(str(path), "--field", "PID-5")[1]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--field", "ZZZ-1"), 1, "nothing there for ZZZ-1"),
        (("--element", "nowhere"), 1, "nothing there for nowhere"),
        (("--level", "n2"), 2, "expected n1 or n3"),
        (("--site", "nobody"), 2, "no such profile"),
    ],
)
def test_the_command_says_when_it_has_no_answer(
    file: str, arguments: tuple[str, ...], status: int, said: str
) -> None:
    assert run(file, *arguments)[0] == status
    assert said in run(file, *arguments)[1]


def test_what_is_no_message_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Cher confrère,")
    status, output = run(str(path))
    assert status == 1
    assert "HL7-NOT-HL7" in output


def test_two_reports_are_explained_one_after_the_other(tmp_path: Path) -> None:
    second = ORU.replace("CR-2021-000042", "CR-2021-000043").replace("105234751", "105234752")
    both = ORU + "\r".join(second.split("\r")[3:])
    path = tmp_path / "two.er7"
    path.write_bytes(both.encode())
    assert len(hl7.reports(read(both.encode()), profile())) == 2
    status, output = run(str(path), "--json", "--element", "setId")
    assert status == 0
    assert len(output.splitlines()) == 2
