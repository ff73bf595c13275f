"""`gateway sites`: profiles are checked and tried before use; the three worked examples of docs/sites.md."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.mapping import sites
from gateway.model.decision import Verdict
from gateway.model.report import ImagingReport, SectionKind
from gateway.pipeline import offline, trial
from tests.support import ROOT
from tests.unit.mapping_messages import ORU, changed

EXAMPLES = ROOT / "mappings" / "sites" / "examples"
NAMES = ("lines-v23", "one-text", "pdf-overseas")
NOW = datetime(2021, 1, 8, 12, tzinfo=UTC)


def run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["sites", *map(str, arguments)])
    return done.exit_code, done.output


# --- check


def test_good_profiles_are_listed_with_the_senders_they_claim() -> None:
    status, output = run("check", EXAMPLES)
    assert status == 0
    assert "pdf-overseas: claims MSH-3 EAI-SUD and MSH-4 IMAGERIE-SAINT-DENIS; fictive values" in output
    assert "default: claims no sender by itself" in output


def test_every_fault_of_every_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'colour = "blue"\n\n[locators]\n"patient.inz" = "PID-3"\n\n[match]\nsending_facility = "NORD"\n'
    )
    (tmp_path / "b.toml").write_text('[input]\ncharset = "KOI8"\n\n[codes]\nlocal = ["own.csv"]\n')
    (tmp_path / "own.csv").write_text(
        "local,label,ccam,loinc,modality,region,source\nA,Acte,ZZZZ999,,,,x\nB,Acte,,,CTX,,x\nC,Acte,ACQK001,,,,x\n"
    )
    status, output = run("check", tmp_path)
    assert status == 1
    assert output.splitlines() == [
        "a.toml:1: unknown key `colour`",
        "a.toml:7: `sending_facility` must be a list of texts",
        "b.toml:2: `KOI8` is no character set of HL7 table 0211",
        "a.toml:4: unknown locator `patient.inz`",
        "own.csv:2: CCAM code ZZZZ999 has no row in the table ccam",
        "own.csv:3: modality CTX has no row in the table modality",
    ]


def test_faults_are_json_on_demand(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('colour = "blue"\n')
    status, output = run("check", tmp_path, "--json")
    assert (status, json.loads(output)) == (
        1,
        {"file": "a.toml", "line": 1, "message": "unknown key `colour`"},
    )


def test_a_table_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[codes]\nmodality = ["own.csv"]\n')
    (tmp_path / "own.csv").write_bytes(b"word,code,display,source\n\xe9,CT,Scanner,x\n")
    assert run("check", tmp_path) == (1, "own.csv: is not UTF-8\n")


def test_two_profiles_with_one_claim_are_a_warning(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text('[match]\nsending_facility = ["NORD"]\n')
    status, output = run("check", tmp_path)
    assert status == 0
    assert "warning: a and b claim the same senders; a takes them" in output


# --- try


def test_a_trial_shows_what_a_profile_changes(tmp_path: Path) -> None:
    (tmp_path / "north.toml").write_text(
        '[match]\nsending_facility = ["CENTRE-AMBROISE"]\n[locators]\n"order.accession" = "OBR-20.1"\n'
    )
    message = tmp_path / "m.er7"
    message.write_bytes(changed(("CT|F|", "XX|F|")).encode())
    status, output = run("try", "--site", "north", "--folder", tmp_path, message)
    assert status == 0
    assert f"{message}: accept (before: accept)" in output
    assert "orders[0].accession.value: 105234751 -> CR-2021-000042" in output
    assert "ACCESSION-GUESSED OBR-3.1" in output


def test_a_trial_without_effect_says_so(tmp_path: Path) -> None:
    (tmp_path / "same.toml").write_text("")
    message = tmp_path / "m.er7"
    message.write_bytes(ORU.encode())
    _, output = run("try", "--site", "same", "--folder", tmp_path, message)
    assert "the canonical report is the same" in output


def test_a_stricter_policy_refuses_and_the_exit_status_says_it(tmp_path: Path) -> None:
    (tmp_path / "strict.toml").write_text('[policies]\nTIMEZONE-ASSUMED = "error"\n')
    message = tmp_path / "m.er7"
    message.write_bytes(changed(("20210108102500+0100", "20210108102500")).encode())
    status, output = run("try", "--site", "strict", "--folder", tmp_path, "--json", message)
    row = json.loads(output)
    assert (status, row["verdict_before"], row["verdict"]) == (1, "accept", "reject")
    assert [found["code"] for found in row["new"]] == ["TIMEZONE-ASSUMED"]
    assert row["differences"] == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--site", "nobody"), 2, "nobody: no such profile"),
        (("--site", "default", "--against", "nobody"), 2, "nobody: no such profile"),
    ],
)
def test_a_trial_of_nobody_is_wrong_use(
    tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    message = tmp_path / "m.er7"
    message.write_bytes(ORU.encode())
    done = run("try", *arguments, message)
    assert done[0] == status
    assert said in done[1]


def test_what_is_no_message_cannot_be_tried(tmp_path: Path) -> None:
    message = tmp_path / "m.txt"
    message.write_text("Bonjour")
    status, output = run("try", "--site", "default", message)
    assert status == 1
    assert "HL7-NOT-HL7" in output


# --- the worked examples


def example(name: str, site: str = "") -> offline.Judged:
    data = (EXAMPLES / f"{name}.er7").read_bytes()
    (judged,) = offline.judge(data, sites.load(EXAMPLES), site=site, environment="test", now=NOW)
    return judged


def made(name: str) -> ImagingReport:
    judged = example(name)
    assert judged.mapped.context.site == name, "its own [match] claims it"
    assert judged.decision.verdict is Verdict.ACCEPT
    assert {found.code for found in judged.decision.findings} <= {"TIMEZONE-ASSUMED"}
    assert judged.mapped.report is not None and judged.mapped.report.patient.qualified
    return judged.mapped.report


@pytest.mark.req("REQ-01")
@pytest.mark.parametrize("name", NAMES)
def test_each_example_needs_its_profile_and_no_code(name: str) -> None:
    assert example(name, "default").decision.verdict is Verdict.REJECT
    report = made(name)
    assert report.legal_authenticator is not None and report.requester is not None
    assert (report.legal_authenticator.id, report.requester.id) == ("801234560801", "801234567897")
    assert not offline.document_findings(example(name)) or all(
        found.severity != "error" for found in offline.document_findings(example(name))
    )


def test_one_text_becomes_sections_with_the_accents_of_the_sender() -> None:
    report = made("one-text")
    assert [section.kind for section in report.sections] == [
        SectionKind.REQUEST,
        SectionKind.PROCEDURE,
        SectionKind.FINDINGS,
        SectionKind.CONCLUSION,
    ]
    assert report.sections[3].text.endswith("25 €.")
    act = report.acts[0]
    assert act.code is not None and act.ccam is not None and act.accession is not None
    assert (act.local and act.local.code, act.ccam.code) == ("SC-CER-INJ", "ACQH003")
    assert (act.accession.value, act.modalities[0].code) == ("ACC-000102", "CT")
    assert str(report.validated_at) == "2021-01-08 11:17:00+01:00"


def test_pdf_overseas_has_the_hours_of_the_island_and_a_lasting_number() -> None:
    report = made("pdf-overseas")
    assert report.report_set.value == "SUD-000077"
    assert str(report.validated_at) == "2021-01-08 15:17:00+04:00"
    assert report.performer is not None and report.performer.name == "Imagerie Saint-Denis"
    assert report.orders[0].accession is not None and report.orders[0].accession.value == "ACC-77"
    assert [one.media_type for one in report.attachments] == ["application/pdf"]


def test_lines_become_sections_by_their_suffix() -> None:
    report = made("lines-v23")
    assert {section.kind: section.text for section in report.sections} == {
        SectionKind.PROCEDURE: "Genou droit de face et de profil.",
        SectionKind.FINDINGS: "Pas de lésion osseuse traumatique.\n\nÉpanchement articulaire modéré.",
        SectionKind.COMPARISON: "Radiographie du 12/03/2019.",
        SectionKind.CONCLUSION: "Pas de fracture.",
    }
    assert report.patient.birth_family == "PAT-TROIS"
    assert [code.code for code in report.acts[0].modalities] == ["DX"]
    kept = example("lines-v23").mapped.coverage.kept
    assert not [place for place in kept if place.endswith(("-7", "ZSI-1"))], (
        "noise is ignored by a named rule"
    )


def test_examples_are_not_loaded_unless_named() -> None:
    assert not set(NAMES) & set(sites.load().profiles)


def test_a_report_on_one_side_only_has_no_comparison() -> None:
    (one,) = trial.compare((example("one-text", "default"),), (example("one-text"),))
    assert not one.comparable
    assert trial.compare((), (example("one-text"),))[0].verdict_before is Verdict.REJECT
