"""`gateway convert`: every report and order of a file, each in a file of its own."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli.main import app
from tests.support import FIXTURES
from tests.unit.mapping_messages import ORU, changed

ORDER = (FIXTURES / "hl7v2" / "orm_zds.er7").read_bytes().decode()
NUMBER = "CR-2021-000042"


def run(folder: Path, message: str, *arguments: str | Path) -> Result:
    file = folder / "message.er7"
    file.write_text(message, encoding="utf-8", newline="")
    return CliRunner().invoke(app, ["convert", str(file), *map(str, arguments)])


def two_reports() -> str:
    """The ORU, and behind it its ORC, OBR and OBX once more under other numbers."""
    again = ORU[ORU.index("ORC|") :]
    for number in (NUMBER, "984375862", "105234751"):
        again = again.replace(number, f"{number}9")
    return ORU + again


def two_orders() -> str:
    again = ORDER[ORDER.index("ORC|") :]
    for number in (NUMBER, "984375862", "105234751"):
        again = again.replace(number, f"{number}9")
    return ORDER + again


def test_every_report_of_a_message_becomes_a_file_with_its_number(tmp_path: Path) -> None:
    done = run(tmp_path, two_reports(), "--to", "canonical", "--out", tmp_path / "made.json")
    assert done.exit_code == 0, done.output
    sets = [
        json.loads((tmp_path / f"made-{n}.json").read_bytes())["report"]["report_set"]["value"]
        for n in (1, 2)
    ]
    assert sets == [NUMBER, f"{NUMBER}9"]
    assert not (tmp_path / "made.json").exists()


@pytest.mark.req("REQ-65")
def test_every_order_of_a_message_becomes_a_file_with_its_number(tmp_path: Path) -> None:
    done = run(tmp_path, two_orders(), "--to", "canonical", "--out", tmp_path / "made.json")
    assert done.exit_code == 0, done.output
    made = [json.loads((tmp_path / f"made-{n}.json").read_bytes()) for n in (1, 2)]
    assert [one["order"]["placer"]["value"] for one in made] == ["984375862", "9843758629"]


def test_every_message_of_a_file_counts(tmp_path: Path) -> None:
    done = run(tmp_path, ORU + two_reports(), "--to", "canonical", "--number", "3")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["report"]["report_set"]["value"] == f"{NUMBER}9"


def test_one_of_several_goes_to_stdout_by_its_number(tmp_path: Path) -> None:
    done = run(tmp_path, two_reports(), "--to", "cda", "--level", "n3", "--number", "2")
    assert done.exit_code == 0, done.output
    assert 'extension="9843758629"' in done.stdout


def test_several_without_a_file_are_refused_with_the_two_ways_out(tmp_path: Path) -> None:
    done = run(tmp_path, two_reports(), "--to", "cda")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "holds 2" in done.stderr
    assert "--number" in done.stderr
    assert "--out" in done.stderr


def test_a_number_beyond_the_last_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, ORU, "--to", "cda", "--number", "2")
    assert done.exit_code == 2
    assert "holds 1" in done.stderr


def test_one_that_makes_no_document_does_not_hold_back_the_others(tmp_path: Path) -> None:
    """The first is preliminary: the reason stands under the name of its file."""
    head, first, second = two_reports().partition(ORU[ORU.index("ORC|") :])
    held = changed(("||CT|F", "||CT|P"), message=first)
    done = run(tmp_path, head + held + second, "--to", "cda", "--level", "n3", "--out", tmp_path / "cda.xml")
    assert done.exit_code == 1
    assert not (tmp_path / "cda-1.xml").exists()
    assert 'extension="9843758629"' in (tmp_path / "cda-2.xml").read_text(encoding="utf-8")
    assert done.stderr.index("cda-1.xml") < done.stderr.index("NOT-VALIDATED")


def test_a_message_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    bundle = '{"resourceType": "Bundle"'
    done = run(tmp_path, bundle, "--to", "cda")
    assert done.exit_code == 1
    assert "FHIR-" in done.stderr
