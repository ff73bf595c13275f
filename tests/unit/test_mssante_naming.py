"""Subject and PDF name: labels, accents, dates."""

import pytest

from gateway.cda import CdaHeader, ServiceEvent
from gateway.model.base import replace
from gateway.model.people import Patient
from gateway.model.terms import Code, Identifier
from gateway.mssante.naming import french_date, pdf_name, plain, subject

HEADER = CdaHeader(
    id=Identifier(value="", system="1.2.3"),
    code=Code(code="18748-4", display="CR d’imagerie médicale"),
    effective_time="20210109080000+0100",
    patient=Patient(birth_family="d'Œuf-Lefèvre", birth_given_names="Zoé Anne", birth_date="1979-03-28"),
    service_events=(ServiceEvent(low="20210108102500+0100"),),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CR d’imagerie médicale", "CR d'imagerie medicale"),
        ("ŒDÈME – Ångström", "OEDEME - Angstrom"),
        ("deux\r\nlignes", "deux lignes"),
        ("漢字", ""),
    ],
)
def test_plain_text_is_ascii_on_one_line(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.req("REQ-50")
def test_the_subject_has_the_birth_name_in_capitals_without_accents() -> None:
    assert subject(HEADER) == "XDM/1.0/DDM+CR d'imagerie medicale D'OEUF-LEFEVRE Zoe 28/03/1979"


@pytest.mark.req("REQ-50")
def test_the_label_is_cut_at_40_characters() -> None:
    long = replace(
        HEADER, code=Code(code="1", display="Compte rendu d'imagerie médicale et interventionnelle")
    )
    label = subject(long).removeprefix("XDM/1.0/DDM+").split(" D'OEUF")[0]
    assert label == "Compte rendu d'imagerie medicale et inte"
    assert len(label) == 40


@pytest.mark.parametrize(
    ("iso", "expected"), [("1979-03-28", "28/03/1979"), ("1979-03", ""), ("1979", ""), ("", "")]
)
def test_a_partial_birth_date_is_left_out(iso: str, expected: str) -> None:
    assert french_date(iso) == expected


@pytest.mark.req("REQ-50")
def test_the_pdf_is_named_after_act_type_and_patient() -> None:
    assert pdf_name(HEADER) == "20210108_CR_d_imagerie_medicale_D_OEUF-LEFEVRE_Zoe.pdf"


def test_without_an_act_the_pdf_has_the_date_of_the_document() -> None:
    assert pdf_name(replace(HEADER, service_events=())).startswith("20210109_")
