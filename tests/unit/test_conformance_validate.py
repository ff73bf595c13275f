"""`conformance validate`: kinds, verdicts, reports, exit status."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree
from typer.testing import CliRunner

from conformance.cli import app
from conformance.validate import Validator, page, report
from conformance.validate.kinds import Kind, recognise
from conformance.verdict import Remark, Step, Verdict
from conformance.xml import parse
from gateway.cda import build_n1
from gateway.model.findings import Severity
from tests.conformance.iti41 import CDA, Wish, cda_with_pdf, pdf, submit_objects
from tests.contract.test_simulator_mssante import archive, mail
from tests.hostile import HOSTILE
from tests.reports import VERSION
from tests.support import FIXTURES

LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><ClinicalDocument>&b;</ClinicalDocument>'


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (CDA, Kind.CDA),
        (
            b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- c --><ClinicalDocument xmlns='urn:hl7-org:v3'/>",
            Kind.CDA,
        ),
        (b"<xsl:stylesheet xmlns:xsl='http://www.w3.org/1999/XSL/Transform' version='1.0'/>", Kind.CDA),
        (submit_objects(Wish()).encode(), Kind.XDS),
        (b"PK\x03\x04rest", Kind.XDM),
        (b"%PDF-1.4", Kind.PDF),
        (b"\x0bMSH|^~\\&|A", Kind.HL7V2),
        (b' {"resourceType": "Bundle"}', Kind.FHIR),
        (b"From: a@b\r\nTo: c@d\r\n\r\nx", Kind.MAIL),
        (b"Content-Type: text/plain\r\nMessage-ID: <a@b>\r\n\r\nx", Kind.MAIL),
        (b"Note: this is a text", Kind.UNKNOWN),
        (b"<other/>", Kind.UNKNOWN),
        (b"GIF89a", Kind.UNKNOWN),
        (b"", Kind.UNKNOWN),
    ],
)
def test_the_kind_is_told_from_the_content(data: bytes, kind: Kind) -> None:
    assert recognise(data) is kind


NOT_XML = [name for name, (_, code) in HOSTILE.items() if code == "CDA-INVALID" and "attributes" not in name]
"""Many attributes are well-formed: the kit's schema refuses them (tests/conformance)."""


@pytest.mark.parametrize("name", NOT_XML)
def test_hostile_documents_are_refused_before_any_rule_reads_them(name: str) -> None:
    verdict = Validator().judge("x", HOSTILE[name][0](build_n1(VERSION, b"%PDF-1.4").data))
    assert verdict.kind == Kind.CDA
    (remark,) = verdict.remarks
    assert remark.step == "XML"


@pytest.mark.parametrize("data", [b"", b"GIF89a", LAUGHS, b"<ClinicalDocument", b"PK\x03\x04nonsense"])
def test_what_cannot_be_read_is_an_error_of_the_verdict(data: bytes) -> None:
    verdict = Validator().judge("x", data)
    assert not verdict.valid
    assert verdict.remarks[0].text


def test_without_a_kit_the_verdict_says_that_the_official_rules_did_not_run() -> None:
    verdict = Validator().judge("x.xml", CDA)
    assert [step.name for step in verdict.steps if step.skipped] == ["XSD and official rules"]
    assert {remark.step for remark in verdict.remarks} == {"Own rules"}


def test_an_archive_is_judged_with_the_document_inside() -> None:
    whole = Validator().judge("IHE_XDM.ZIP", archive(cda_with_pdf(pdf())))
    assert [remark for remark in whole.remarks if remark.step == "XDM archive"] == []
    assert {"XDM archive", "Own rules"} <= {step.name for step in whole.steps}
    broken = Validator().judge("IHE_XDM.ZIP", archive(CDA, {"INDEX.HTM": b""}))
    assert "INDEX.HTM" in {remark.location for remark in broken.remarks}


def test_metadata_and_mails_are_judged_by_the_rules_of_the_simulators() -> None:
    assert Validator().judge("METADATA.XML", submit_objects(Wish()).encode()).valid
    wrong = submit_objects(Wish(edits=[('nodeRepresentation="31"', 'nodeRepresentation="10"')])).encode()
    (remark,) = Validator().judge("METADATA.XML", wrong).remarks
    assert remark.location == "DocumentEntry.classCode"
    sent = Validator().judge("mail.eml", mail(Subject="nothing").as_bytes())
    assert "Subject" in {remark.location for remark in sent.remarks}


@pytest.mark.parametrize("line", ["PRT||UC||SB", "ZDS|1.2.3^RADIMAGE^Application^DICOM"])
def test_a_segment_that_the_second_opinion_cannot_read_is_named(line: str) -> None:
    message = ("MSH|^~\\&|RIS|CENTRE|GW|GW|20210108111700||ACK|1|T|2.5\r" + line + "\rMSA|AA|1\r").encode()
    remarks = Validator().judge("ack.hl7", message).remarks
    assert any(remark.step == "hl7apy" and line[:3] in remark.text for remark in remarks)


def test_an_acknowledgement_is_no_faulty_message() -> None:
    message = b"MSH|^~\\&|RIS|CENTRE|GW|GW|20210108111700||ACK|1|T|2.5\rMSA|AA|1\r"
    assert Validator().judge("ack.hl7", message).valid


EXAMPLE = Verdict(
    name="a<b>.xml",
    kind="cda",
    sha256="0" * 64,
    steps=(Step(name="XSD", seconds=0.5), Step(name="Volet", skipped="N1")),
    remarks=(
        Remark(severity=Severity.ERROR, step="XSD", text="wrong & bad\x01", location="/a[1]", line=3),
        Remark(severity=Severity.WARNING, step="Own rules", text="odd", rule="CDA-ADVICE"),
    ),
)


def test_text_names_steps_that_did_not_run() -> None:
    lines = list(report.as_text(EXAMPLE))
    assert lines[0].startswith("a<b>.xml: NOT valid (cda; 1 errors, 1 warnings")
    assert "  - Volet: not run, N1" in lines


def test_json_is_one_line_with_the_counts() -> None:
    row = json.loads(report.as_json(EXAMPLE))
    assert (row["valid"], row["errors"], row["warnings"]) == (False, 1, 1)
    assert row["remarks"][0]["location"] == "/a[1]"


def test_junit_has_a_case_for_each_step() -> None:
    root = etree.fromstring(report.as_junit((EXAMPLE,)))
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert [case.get("name") for case in suite] == ["XSD", "Volet", "Own rules"]
    assert suite[1][0].tag == "skipped"


def test_html_is_escaped_and_says_the_verdict() -> None:
    made = page.as_html((EXAMPLE,), datetime(2021, 1, 8, 12, 0, tzinfo=UTC))
    assert "a&lt;b&gt;.xml" in made
    assert "<b>" not in made
    assert "non conforme" in made


def test_html_shows_the_document_beside_its_source_with_the_lines_that_findings_name() -> None:
    data = build_n1(VERSION, b"%PDF-1.4" + b"x" * 5000).data
    root = parse(data)
    line = page.line_of(root, "/ClinicalDocument[1]/setId[1]")
    assert b"<setId" in data.splitlines()[line - 1]
    found = Remark(
        severity=Severity.ERROR, step="IHE", text="wrong", location="/ClinicalDocument[1]/setId[1]/@root"
    )
    verdict = Verdict(name="n1.xml", kind="cda", sha256="0", remarks=(found,))
    made = page.as_html((verdict,), datetime(2021, 1, 8, tzinfo=UTC), {"n1.xml": data})
    assert f'<a href="#f0l{line}">' in made
    assert f'<tr class="error" id="f0l{line}">' in made
    assert "<iframe sandbox" in made
    assert "<script" not in made
    assert "&lt;setId" in made
    assert len(made) < 200_000


@pytest.mark.parametrize(
    ("location", "line"),
    [
        ("/a[1]", 1),
        ("/a[1]/b[2]/x:c[1]", 4),
        ("a/b[2]/c", 4),
        ("/a[1]/b[2]/c[7]", 3),
        ("/a[1]//c", 1),
        ("/other[1]", 0),
        ("", 0),
    ],
)
def test_the_line_of_a_place_is_that_of_the_last_element_that_exists(location: str, line: int) -> None:
    root = etree.fromstring(b"<a>\n<b/>\n<b>\n<c/></b></a>")
    assert page.line_of(root, location) == line


def test_exit_status_and_reports_of_the_command(tmp_path: Path) -> None:
    good, bad = tmp_path / "METADATA.XML", tmp_path / "bad.xml"
    good.write_text(submit_objects(Wish()))
    bad.write_bytes(LAUGHS)
    run = CliRunner().invoke
    assert run(app, ["validate", str(good)]).exit_code == 0
    both = run(app, ["validate", str(good), str(bad), "--json"])
    assert both.exit_code == 1
    assert [json.loads(line)["valid"] for line in both.output.splitlines()] == [True, False]
    html, junit = tmp_path / "r.html", tmp_path / "r.xml"
    run(app, ["validate", str(bad), "--html", str(html), "--junit", str(junit)])
    assert "non conforme" in html.read_text()
    assert "imaging-report-gateway " in html.read_text()
    assert "sans règles officielles" in html.read_text()
    document = tmp_path / "n1.xml"
    document.write_bytes(build_n1(VERSION, pdf()).data)
    assert run(app, ["validate", str(document), "--html", str(html)]).exit_code == 0
    assert "conforme, règles officielles non exécutées" in html.read_text()
    assert junit.read_bytes().startswith(b"<?xml")
    assert run(app, ["validate", str(good), "--as", "nonsense"]).exit_code == 2
    assert run(app, ["validate", str(good), "--kit", str(tmp_path)]).exit_code == 2
    assert run(app, ["validate", str(good), "--as", "hl7v2"]).exit_code == 1


def test_the_command_starts_without_heavy_libraries() -> None:
    code = (
        "import sys, conformance.cli; heavy = 'saxonche lxml hl7apy cryptography aiosmtpd fhir httpx'; "
        "print([name for name in heavy.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("file", sorted((FIXTURES / "hl7v2").glob("*.er7")), ids=lambda file: file.name)
def test_our_own_message_fixtures_are_read_by_both_readers(file: Path) -> None:
    verdict = Validator().judge(file.name, file.read_bytes())
    assert {"HL7 v2 reader", "Intake rules", "hl7apy"} <= {step.name for step in verdict.steps}
    assert [remark for remark in verdict.remarks if remark.step == "HL7 v2 reader"] == []
