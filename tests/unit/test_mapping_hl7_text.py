"""The narrative: how senders split it, and which sections come of it (spec hl7v2.md §4.3)."""

import pytest

from gateway.model.report import Section, SectionKind
from tests.unit.mapping_messages import mapped, report, with_observations


def sections(*observations: str) -> tuple[Section, ...]:
    return report(with_observations(*observations)).sections


def tx(text: str, observation: str = "", kind: str = "TX", status: str = "F") -> str:
    return f"OBX|1|{kind}|{observation}||{text}||||||{status}"


def test_one_observation_a_line_and_an_empty_one_is_a_blank_line() -> None:
    (section,) = sections(tx("Première ligne."), tx(""), tx("  Retrait gardé.  "), tx("Fin."))
    assert (section.kind, section.title) == (SectionKind.REPORT, "")
    assert section.text == "Première ligne.\n\n  Retrait gardé.\nFin."


def test_line_breaks_repetitions_and_notes_are_lines() -> None:
    (section,) = sections(
        tx(r"Un.\.br\Deux.~Trois.", "19005-8^^LN", "FT"),
        "NTE|1||Quatre.",
        tx("Cinq.", "19005-8^^LN"),
    )
    assert section == Section(kind=SectionKind.CONCLUSION, text="Un.\nDeux.\nTrois.\nQuatre.\nCinq.")


def test_a_note_behind_anything_but_text_is_no_narrative() -> None:
    message = with_observations("OBX|1|NM|8302-2^Taille^LN||170|cm|||||F", "NTE|1||Mesurée.", tx("Normal."))
    made = mapped(message)
    assert made.report is not None
    assert [section.text for section in made.report.sections] == ["Normal."]
    assert "NTE-3" in made.coverage.kept


@pytest.mark.parametrize("kind", ["TX", "FT", "ST", ""])
def test_text_types_and_a_missing_type_are_narrative(kind: str) -> None:
    assert sections(tx("Normal.", "", kind))[0].text == "Normal."


@pytest.mark.parametrize("status", ["D", "X", "W"])
def test_withdrawn_lines_are_left_out(status: str) -> None:
    assert sections(tx("Ancien.", status=status), tx("Nouveau."))[0].text == "Nouveau."


@pytest.mark.parametrize(
    ("observation", "kind"),
    [
        ("59776-5^Résultats^LN", SectionKind.FINDINGS),
        ("18782-3^Radiology Study observation^LN", SectionKind.FINDINGS),
        ("TEXTE^^L^19005-8^Conclusion^LN", SectionKind.CONCLUSION),
        ("71020&GDT^THORAX", SectionKind.FINDINGS),
        ("71020&IMP^THORAX", SectionKind.CONCLUSION),
        ("&REC", SectionKind.RECOMMENDATION),
        ("C1^Conclusion^L", SectionKind.CONCLUSION),
        ("18748-4^CR d'imagerie médicale^LN", SectionKind.REPORT),
        ("XYZ^Texte^L", SectionKind.REPORT),
        ("71020&ZZZ^THORAX", SectionKind.REPORT),
    ],
)
def test_the_observation_names_the_section(observation: str, kind: SectionKind) -> None:
    assert sections(tx("Normal.", observation)) == (Section(kind=kind, text="Normal."),)


def test_sections_stand_in_the_order_of_their_first_line() -> None:
    made = sections(tx("A", "59776-5^^LN"), tx("B", "19005-8^^LN"), tx("C", "59776-5^^LN"))
    assert [(section.kind, section.text) for section in made] == [
        (SectionKind.FINDINGS, "A\nC"),
        (SectionKind.CONCLUSION, "B"),
    ]


def test_headings_inside_one_text_make_sections_with_their_own_titles() -> None:
    made = sections(
        tx(
            r"SCANNER CÉRÉBRAL\.br\\.br\INDICATION : céphalées.\.br\TECHNIQUE\.br\Acquisition hélicoïdale."
            r"\.br\Résultats :\.br\Pas de lésion.\.br\Pas d'hémorragie.\.br\Au total : examen normal.",
            kind="FT",
        )
    )
    assert made == (
        Section(kind=SectionKind.REPORT, text="SCANNER CÉRÉBRAL"),
        Section(kind=SectionKind.REQUEST, text="céphalées.", title="INDICATION"),
        Section(kind=SectionKind.PROCEDURE, text="Acquisition hélicoïdale.", title="TECHNIQUE"),
        Section(kind=SectionKind.FINDINGS, text="Pas de lésion.\nPas d'hémorragie.", title="Résultats"),
        Section(kind=SectionKind.CONCLUSION, text="examen normal.", title="Au total"),
    )


@pytest.mark.parametrize(
    "line",
    [
        "Conclusion du scanner précédent inchangée.",
        "Taille : 12 mm",
        "Résultats superposables",
        "12:30 : injection",
    ],
)
def test_a_line_that_only_looks_like_a_heading_is_text(line: str) -> None:
    assert sections(tx(line)) == (Section(kind=SectionKind.REPORT, text=line),)


def test_a_heading_without_text_leaves_no_section() -> None:
    assert [section.kind for section in sections(tx("TECHNIQUE"), tx("CONCLUSION : normal"))] == [
        SectionKind.CONCLUSION
    ]


def test_escapes_of_hl7_are_read_and_markup_is_dropped() -> None:
    (section,) = sections(tx(r"Taille \T\ poids \H\importants\N\ : 3\S\2", "19005-8^^LN"))
    assert "Taille & poids" in section.text
    assert "3^2" in section.text
    assert "\\" not in section.text


def test_identifiers_and_flags_are_no_narrative() -> None:
    made = sections(
        "OBX|1|ST|113014^DICOM Study^DCM||1.2.250.1.7||||||F",
        "OBX|2|ST|^Series Instance UID||1.2.250.1.7.1||||||F",
        "OBX|3|HD|^SR Instance UID||1.2.250.1.7.2||||||F",
        "OBX|4|CE|DESTDMP^Destinataire DMP^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F",
        tx("Normal."),
    )
    assert [section.text for section in made] == ["Normal."]


def test_series_of_rad_128_stand_under_the_study() -> None:
    study = report(
        with_observations(
            "OBX|1|ST|113014^DICOM Study^DCM||1.2.250.1.7||||||F",
            "OBX|2|ST|^Series Instance UID||1.2.250.1.7.1||||||F",
            tx("Normal."),
        )
    ).studies[0]
    assert (study.uid, [series.uid for series in study.series], study.modalities) == (
        "1.2.250.1.7",
        ["1.2.250.1.7.1"],
        ("CT",),
    )
