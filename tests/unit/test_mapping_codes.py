"""Code maps: what senders write, in the codes of the documents; each row checked against the kit."""

import csv
import re
from importlib.resources import files

import pytest

from gateway.mapping.code_rows import COLUMNS, TableKind, fold
from gateway.model.people import Sex
from gateway.model.report import ReportStatus, SectionKind
from tests.support import KIT, needs_kit
from tests.unit.mapping_messages import profile

CODES = profile().codes


def rows(name: str) -> list[dict[str, str]]:
    text = (files("mappings") / "codes" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def value_set(name: str) -> frozenset[str]:
    text = (KIT / "jeuxDeValeurs" / f"jdv-{name}-cisis.xml").read_text(encoding="utf-8")
    return frozenset(re.findall(r'<Concept code="([^"]+)"', text))


@needs_kit
@pytest.mark.kit
@pytest.mark.req("REQ-27")
@pytest.mark.parametrize(
    ("table", "column", "name"),
    [
        ("ccam", "loinc", "code-document-imagerie"),
        ("ccam", "modality", "modalite-acquisition"),
        ("ccam", "region", "region-anatomique"),
        ("modality", "code", "modalite-acquisition"),
        ("region", "code", "region-anatomique"),
    ],
)
def test_every_code_we_write_is_in_its_official_value_set(table: str, column: str, name: str) -> None:
    ours = {row[column] for row in rows(table)}
    assert ours - value_set(name) == set()


@needs_kit
@pytest.mark.kit
def test_every_ccam_code_exists() -> None:
    path = KIT / "schematrons/profils/terminologies/terminologie/1.2.250.1.215.300.1.rdf"
    known = set(re.findall(r"<skos:notation>([^<]+)<", path.read_text(encoding="utf-8")))
    assert {row["ccam"] for row in rows("ccam")} - known == set()


@pytest.mark.req("REQ-28")
@pytest.mark.parametrize("kind", [kind for kind in TableKind if kind is not TableKind.LOCAL])
def test_every_row_names_its_source_and_stands_once(kind: TableKind) -> None:
    table = rows(kind)
    assert all(row["source"] for row in table)
    width = 2 if kind is TableKind.SECTIONS else 1
    keys = [tuple(row[column] for column in COLUMNS[kind][:width]) for row in table]
    assert len(keys) == len(set(keys))


def test_one_loinc_code_has_one_display() -> None:
    displays: dict[str, set[str]] = {}
    for row in rows("ccam"):
        displays.setdefault(row["loinc"], set()).add(row["loinc_label"])
    assert {code: names for code, names in displays.items() if len(names) > 1} == {}


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("RM", "MR"),
        ("IRM", "MR"),
        ("SC", "CT"),
        ("tdm", "CT"),
        ("Scanner", "CT"),
        ("RX", "DX"),
        ("écho", "US"),
        ("MAMMO", "MG"),
        ("TEP", "PT"),
        ("CT", "CT"),
    ],
)
def test_words_of_french_ris_become_dcm_modalities(word: str, code: str) -> None:
    hit = CODES.modality(word)
    assert hit is not None
    assert hit.value.code == code


def test_a_department_is_no_modality() -> None:
    assert CODES.modality("RAD") is None


def test_a_ccam_code_tells_loinc_modality_and_region_and_names_its_row() -> None:
    hit = CODES.ccam("ACQH004")
    assert hit is not None
    row = hit.value
    assert row.loinc is not None and row.modality is not None and row.region is not None
    assert (row.loinc.code, row.modality.code, row.region.code) == ("24727-0", "CT", "774007")
    assert hit.rule == "ccam.csv:ACQH004"


def test_a_billing_extension_of_a_ccam_code_is_left_out() -> None:
    assert CODES.ccam("ACQH004-01") == CODES.ccam("ACQH004")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("O", ReportStatus.REGISTERED),
        ("P", ReportStatus.PRELIMINARY),
        ("R", ReportStatus.PRELIMINARY),
        ("A", ReportStatus.PRELIMINARY),
        ("F", ReportStatus.FINAL),
        ("C", ReportStatus.CORRECTED),
        ("X", ReportStatus.CANCELLED),
        ("D", ReportStatus.ENTERED_IN_ERROR),
        ("W", ReportStatus.ENTERED_IN_ERROR),
    ],
)
def test_result_statuses_of_hl7(code: str, status: ReportStatus) -> None:
    hit = CODES.status(code)
    assert hit is not None
    assert hit.value is status


@pytest.mark.parametrize("code", ["Y", "Z", "N", "FINAL", ""])
def test_a_status_outside_the_tables_is_never_guessed(code: str) -> None:
    assert CODES.status(code) is None


def test_sexes_and_titles() -> None:
    sex, doctor, sir = CODES.sex("u"), CODES.title("Dr."), CODES.title("monsieur")
    assert sex is not None and doctor is not None and sir is not None
    assert (sex.value, doctor.value, sir.value) == (Sex.UNDIFFERENTIATED, ("suffix", "DR"), ("prefix", "M"))


@pytest.mark.parametrize(
    ("by", "key", "section"),
    [
        ("loinc", "59776-5", SectionKind.FINDINGS),
        ("loinc", "18782-3", SectionKind.FINDINGS),
        ("suffix", "imp", SectionKind.CONCLUSION),
        ("suffix", "GDT", SectionKind.FINDINGS),
        ("heading", "Technique d’examen", SectionKind.PROCEDURE),
        ("heading", "ANTÉCÉDENTS", SectionKind.HISTORY),
        ("heading", "Au total", SectionKind.CONCLUSION),
    ],
)
def test_sections_are_known_by_code_suffix_and_heading(by: str, key: str, section: SectionKind) -> None:
    hit = CODES.section(by, key)
    assert hit is not None
    assert hit.value is section


def test_the_nearest_known_codes_are_offered() -> None:
    assert "ACQH004" in CODES.nearest(TableKind.CCAM, "ACQH005")
    assert CODES.nearest(TableKind.CCAM, "12345") == ()


def test_words_are_compared_without_case_accents_and_punctuation() -> None:
    assert fold("  Cœur – Étude, n° 2 ") == "COEUR ETUDE N 2"
