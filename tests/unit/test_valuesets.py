"""Exam codes against the value set of the configured kit."""

from pathlib import Path

import pytest

from gateway.cda import build_n1
from gateway.model.findings import Finding, Severity, finding
from gateway.model.terms import LOINC, Code
from gateway.pipeline.valuesets import EXAM_CODES, ValueSetRules, nearest, unknown_codes, value_set
from tests.reports import VERSION, with_act
from tests.support import KIT, needs_kit

ROWS = {"24725-4": "Scanner de la tête", "24627-2": "Scanner du thorax", "30799-1": "IRM du genou"}


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    folder = tmp_path / "jeuxDeValeurs"
    folder.mkdir()
    for name, oid in (("a.xml", "1.2.3"), ("any name.xml", EXAM_CODES)):
        rows = "".join(f'<Concept code="{code}" displayName="{label}"/>' for code, label in ROWS.items())
        (folder / name).write_text(
            '<RetrieveValueSetResponse xmlns="urn:ihe:iti:svs:2008">'
            f'<ValueSet id="{oid}"><ConceptList>{rows}</ConceptList></ValueSet></RetrieveValueSetResponse>',
            encoding="utf-8",
        )
    return tmp_path


def document(code: str, display: str) -> bytes:
    coded = Code(code=code, system=LOINC, display=display)
    return build_n1(with_act(code=coded), b"%PDF-1.4").data


@pytest.mark.req("REQ-28")
def test_an_unknown_exam_code_is_told_with_the_nearest_known_ones(kit: Path) -> None:
    found = unknown_codes(document("99999-9", "Scanner de la tete"), kit)
    assert found
    assert {(one.code, one.severity) for one in found} == {("CODE-UNKNOWN", Severity.WARNING)}
    assert "nearest: 24725-4 Scanner de la tête" in found[0].detail
    assert any("translation" in one.location for one in found)


def test_a_known_code_and_a_kit_without_the_set_say_nothing(kit: Path, tmp_path: Path) -> None:
    made = document("24725-4", "x")
    assert not [one for one in unknown_codes(made, kit) if "24725-4" in one.detail.split(";")[0]]
    assert unknown_codes(document("99999-9", "x"), tmp_path / "none") == ()
    assert unknown_codes(b"no CDA", kit) == ()


def test_without_a_label_the_nearest_codes_are_told() -> None:
    assert nearest(Code(code="24725-5", system=LOINC, display=""), ROWS)[0] == "24725-4"


def test_the_findings_of_the_rules_come_first_and_errors_before_warnings(kit: Path) -> None:
    class Rules:
        closed = False

        def judge(self, document: bytes) -> tuple[Finding, ...]:
            return (finding("CDA-ADVICE"), finding("CDA-RULE"))

        def close(self) -> None:
            self.closed = True

    rules = Rules()
    both = ValueSetRules(rules, kit)
    codes = [one.code for one in both.judge(document("99999-9", "Scanner"))]
    assert codes[0] == "CDA-RULE"
    assert set(codes[1:]) == {"CDA-ADVICE", "CODE-UNKNOWN"}
    both.close()
    assert rules.closed


@pytest.mark.kit
@needs_kit
@pytest.mark.req("REQ-28")
def test_what_we_build_is_in_the_official_value_set() -> None:
    assert len(value_set(KIT, EXAM_CODES)) > 5000
    assert unknown_codes(build_n1(VERSION, b"%PDF-1.4").data, KIT) == ()
