"""The letter: what stands on the page and in which words."""

import pytest

from gateway import pdf
from gateway.model import wording
from gateway.model.base import replace
from gateway.model.letter import LetterSection
from gateway.model.people import IdentityStatus, Organization, Practitioner, Sex
from gateway.model.report import OrderReference, Section, SectionKind
from gateway.model.terms import Address, Telecom
from gateway.model.version import ReportVersion
from gateway.pdf.letter_exam import TITLE
from tests.n3_cases import FULL
from tests.reports import (
    BIDEAULT,
    DUPONT,
    HEAD,
    REPLACEMENT,
    SITE,
    STRUCTURE,
    VERSION,
    with_act,
    with_patient,
    with_report,
)

NBSP = "\N{NO-BREAK SPACE}"


def row(rows: tuple[tuple[str, str], ...], label: str) -> str | None:
    return dict(rows).get(label)


def sections(version: ReportVersion) -> list[tuple[str, tuple[str, ...]]]:
    return [(found.title, found.paragraphs) for found in pdf.letter(version).sections]


@pytest.mark.req("REQ-15")
def test_the_five_traits_and_the_matricule_with_its_oid_are_printed() -> None:
    letter = pdf.letter(VERSION)
    assert letter.ins == "279035121518989"
    assert letter.identity == (
        ("Nom de naissance", "PAT-TROIS"),
        ("Prénom(s) de naissance", "DOMINIQUE MARIE-LOUISE"),
        ("Née le", "28/03/1979"),
        ("Lieu de naissance", "DOMPREMY (51215)"),
        ("Sexe", "Féminin"),
        ("Matricule INS", "279035121518989 (NIR de test)"),
        ("OID", "1.2.250.1.213.1.4.10"),
        ("IPP", "1234567890121"),
    )


@pytest.mark.req("REQ-15")
def test_the_matricule_of_an_identity_that_is_not_qualified_is_not_printed() -> None:
    letter = pdf.letter(with_patient(identity_status=IdentityStatus.VALIDEE))
    assert letter.ins == ""
    assert "279035121518989" not in str(letter)


def test_a_used_name_is_shown_where_it_differs() -> None:
    letter = pdf.letter(with_patient(used_family="MARTIN", used_given="DOMINIQUE"))
    assert row(letter.identity, "Nom utilisé") == "MARTIN"
    assert row(letter.identity, "Prénom utilisé") is None


@pytest.mark.parametrize(
    "sex, born, word",
    [(Sex.FEMALE, "Née le", "Féminin"), (Sex.MALE, "Né le", "Masculin"), (None, "Né(e) le", "Non renseigné")],
)
def test_words_agree_with_the_sex(sex: Sex | None, born: str, word: str) -> None:
    identity = pdf.letter(with_patient(sex=sex)).identity
    assert row(identity, born) == "28/03/1979"
    assert row(identity, "Sexe") == word


def test_the_letterhead_is_that_of_the_structure() -> None:
    assert pdf.letter(VERSION).sender == (
        "Centre de radiologie Ambroise",
        "12 Rue Ambroise",
        "75010 PARIS",
        f"Tél.{NBSP}: 01{NBSP}46{NBSP}00{NBSP}00{NBSP}00",
    )


def test_the_profile_completes_its_own_structure_only() -> None:
    ours = with_report(performer=Organization(id=STRUCTURE.id))
    assert pdf.letter(ours).sender[0] == SITE.structure.name
    other = with_report(performer=Organization(id="1750803447", name="Ailleurs"))
    assert pdf.letter(other).sender == ("Ailleurs",)


def test_the_exam_is_named_dated_and_numbered() -> None:
    assert pdf.letter(VERSION).exam == (
        ("Examen", "Scanner de la tête avec injection, le 08/01/2021 à 10:25"),
        ("Examen", "Scanner du thorax avec injection, le 08/01/2021 à 10:40"),
        ("N° d'examen", "105234751, 105234752"),
        ("Demandeur", f"Dr{NBSP}Alain DUPONT"),
        ("N° de demande", "984375862"),
        ("Date de la demande", "06/01/2021"),
    )


def test_times_are_those_of_the_site() -> None:
    there = replace(VERSION, site=replace(SITE, timezone="America/Martinique"))
    assert pdf.letter(there).exam[0][1].endswith("le 08/01/2021 à 05:25")


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"label": ""}, "Scanographie du crâne et de son contenu, avec injection"),
        ({"label": "", "ccam": None}, "CT Head W contrast IV"),
        ({"label": "", "ccam": None, "code": None}, "Scanner"),
        ({"label": "", "ccam": None, "code": None, "modalities": ()}, "Examen d'imagerie"),
    ],
)
def test_an_act_without_label_is_named_by_its_codes(changes: dict[str, object], expected: str) -> None:
    assert row(pdf.letter(with_act(start=None, **changes)).exam, "Examen") == expected


@pytest.mark.req("REQ-29")
def test_a_new_version_says_that_it_replaces_the_one_before() -> None:
    assert row(pdf.letter(VERSION).exam, "Version") is None
    assert row(pdf.letter(REPLACEMENT).exam, "Version") == "2, annule et remplace la version précédente"


def test_each_recipient_is_named_once() -> None:
    assert pdf.letter(VERSION).recipients == (
        f"Dr{NBSP}Alain DUPONT",
        f"Pr{NBSP}Anaïs D'ARTAGNAN-LEFÈVRE",
    )


def test_sections_keep_the_senders_order_and_words() -> None:
    assert sections(VERSION)[0] == (
        "Indication",
        ("Céphalées persistantes depuis trois semaines.\nToux sèche.",),
    )
    assert [title for title, _ in sections(VERSION)] == ["Indication", "Technique", "Résultats", "Conclusion"]
    assert len(sections(VERSION)[2][1]) == 2


def test_every_kind_of_section_has_a_french_heading() -> None:
    assert set(wording.HEADINGS) == set(SectionKind)
    own = with_report(sections=(Section(kind=SectionKind.FINDINGS, title="DESCRIPTION", text="x"),))
    assert "DESCRIPTION" in [title for title, _ in sections(own)]


def test_the_reason_of_the_request_stands_for_a_missing_indication() -> None:
    conclusion = Section(kind=SectionKind.CONCLUSION, text="Normal.")
    assert sections(with_report(sections=(conclusion,))) == [
        ("Indication", ("Céphalées persistantes",)),
        ("Conclusion", ("Normal.",)),
    ]
    whole = Section(kind=SectionKind.REPORT, text="Indication : toux.\nNormal.")
    assert [title for title, _ in sections(with_report(sections=(whole,)))] == ["Compte rendu"]
    assert [
        title for title, _ in sections(with_report(sections=(conclusion,), orders=(OrderReference(),)))
    ] == ["Conclusion"]


@pytest.mark.parametrize(
    "text, paragraphs",
    [
        ("a\nb", ("a\nb",)),
        ("a\n\nb", ("a", "b")),
        ("a\r\n \t\r\n\r\nb\r\n", ("a", "b")),
        ("a\x0bb\u2028c", ("a\nb\nc",)),
        ("a\x07\x1b b", ("a b",)),
        ("  a   b", ("  a   b",)),
        ("\n\n", ()),
    ],
)
def test_blank_lines_part_paragraphs(text: str, paragraphs: tuple[str, ...]) -> None:
    version = with_report(sections=(Section(kind=SectionKind.REPORT, text=text),))
    expected = (LetterSection(title="Compte rendu", paragraphs=paragraphs),) if paragraphs else ()
    assert tuple(item for item in pdf.letter(version).sections if item.title == "Compte rendu") == expected


def test_the_signature_names_who_validated_when_with_the_rpps() -> None:
    assert pdf.letter(VERSION).signature == (
        f"Validé électroniquement par le Dr{NBSP}Jacques BIDEAULT le 08/01/2021 à 11:17",
        f"RPPS{NBSP}: 01234560801",
    )


def test_a_writer_who_does_not_sign_is_named() -> None:
    lines = pdf.letter(with_report(legal_authenticator=DUPONT)).signature
    assert lines[0] == f"Rédigé par le Dr{NBSP}Jacques BIDEAULT"
    assert lines[1].startswith(f"Validé électroniquement par le Dr{NBSP}Alain DUPONT")


@pytest.mark.parametrize(
    "prefix, suffix, expected",
    [
        ("M", "DR", f"par le Dr{NBSP}Jacques BIDEAULT"),
        ("", "Pr.", f"par le Pr{NBSP}Jacques BIDEAULT"),
        ("MME", "", f"par Mme{NBSP}Jacques BIDEAULT"),
        ("Dr", "", f"par le Dr{NBSP}Jacques BIDEAULT"),
        ("", "", "par Jacques BIDEAULT"),
    ],
)
def test_titles_are_said_as_the_french_say_them(prefix: str, suffix: str, expected: str) -> None:
    assert wording.by_person(replace(BIDEAULT, prefix=prefix, suffix=suffix)) == expected


def test_the_title_is_spelled_out() -> None:
    assert pdf.letter(VERSION).title == "Compte rendu d'imagerie médicale – Scanner tête et thorax"
    assert pdf.letter(with_report(title="Scanner")).title == "Scanner"


def test_the_footer_says_whose_report_every_page_is() -> None:
    assert pdf.letter(VERSION).footer == (
        "PAT-TROIS DOMINIQUE – 28/03/1979 – Compte rendu CR-2021-000042, version 1"
    )


@pytest.mark.parametrize(
    "value, expected",
    [
        ("tel:0146000000", f"Tél.{NBSP}: 01{NBSP}46{NBSP}00{NBSP}00{NBSP}00"),
        ("tel:+33146000000", f"Tél.{NBSP}: +33146000000"),
        ("fax:0146000001", f"Fax{NBSP}: 01{NBSP}46{NBSP}00{NBSP}00{NBSP}01"),
        ("mailto:a@b.fr", f"Courriel{NBSP}: a@b.fr"),
        ("http://x.fr", ""),
        ("0146000000", ""),
    ],
)
def test_telecoms_are_written_for_people(value: str, expected: str) -> None:
    assert wording.telecom(Telecom(value=value)) == expected


def test_the_country_is_written_abroad_only() -> None:
    assert wording.postal(Address(lines=("1 Rue X",), city="PARIS", country="FRA")) == ("1 Rue X", "PARIS")
    assert wording.postal(Address(city="GENÈVE", country="SUISSE")) == ("GENÈVE", "SUISSE")


def test_a_report_that_says_almost_nothing_is_still_a_letter() -> None:
    version = with_report(
        authors=(), legal_authenticator=Practitioner(family="X"), acts=(), orders=(), studies=(), sections=(),
        requester=None, attending=None, copies_to=(), validated_at=None,
    )  # fmt: skip
    letter = pdf.letter(version)
    assert (letter.exam, letter.recipients, letter.sections) == ((), (), ())
    assert letter.signature == ("Validé électroniquement par X",)
    assert HEAD.label not in str(letter)


@pytest.mark.req("REQ-24")
def test_the_facts_of_the_exam_stand_in_a_table_before_the_results() -> None:
    """Doses must be in every report of an exam with X-rays (arrêté du 22 septembre 2006)."""
    found = pdf.letter(FULL).sections
    titles = [section.title for section in found]
    assert titles.index(TITLE) < titles.index("Résultats")
    assert titles.index(TITLE) > titles.index("Technique du thorax")
    (block,) = found[titles.index(TITLE)].blocks
    head, chest = (act.label for act in FULL.report.acts)
    rows = dict(block.rows)
    assert rows[f"{chest} – Côté"] == "Droit"
    assert f"80{NBSP}mL" in rows[f"{head} – Produit administré"]
    assert "lot LOT-0002034" in rows[f"{head} – Produit administré"]
    assert f"1140,26{NBSP}mGy.cm" in rows.values()
    assert "Fludésoxyglucose" in rows[f"{chest} – Produit radiopharmaceutique"]
    assert rows["Statut de grossesse"] == "Absence de grossesse"
    assert "Ne supporte pas le bruit." in rows["Contre-indications"]
    assert "Chambre implantable" in rows["Dispositifs et appareils"]


def test_an_exam_of_which_nothing_more_is_said_has_no_such_table() -> None:
    assert TITLE not in [section.title for section in pdf.letter(VERSION).sections]
