"""Which volet the official validation takes, on a small kit of our own."""

from pathlib import Path

import pytest
from lxml import etree

from conformance.schematron.steps import GENERIC, SCHEMA, KitError, choose, content_digest, kit_folder

SHARED_ID, REPORT, ORDER = "1.2.9.20", "1.2.1.45", "1.2.1.47"
STRUCTURED = "<component><structuredBody/></component>"
UNSTRUCTURED = "<component><nonXMLBody/></component>"


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """Two volets that share a templateId, and two versions of the first."""
    schema = tmp_path / SCHEMA
    schema.parent.mkdir(parents=True)
    schema.write_text("<x/>")
    for name, templates in (
        ("CR_2023", (SHARED_ID, REPORT)),
        ("CR_2024", (SHARED_ID, REPORT)),
        ("DA_2024", (SHARED_ID, ORDER)),
    ):
        folder = tmp_path / "schematrons" / "include" / name
        folder.mkdir(parents=True)
        rules = "".join(f"<assert test=\"cda:templateId[@root='{root}']\"/>" for root in templates)
        commented = "<!-- <assert test=\"cda:templateId[@root='1.2.9.99']\"/> -->"
        (folder / f"Entete_{name}.sch").write_text(f"<pattern>{rules}{commented}</pattern>")
        (tmp_path / "schematrons" / f"CI-SIS_{name}.sch").write_text(
            f'<schema><include href="include/{name}/Entete_{name}.sch"/></schema>'
        )
    return tmp_path


def document(*templates: str, body: str = STRUCTURED, head: str = "") -> etree._Element:
    ids = "".join(f'<templateId root="{root}"/>' for root in templates)
    text = f'{head}<ClinicalDocument xmlns="urn:hl7-org:v3">{ids}{body}</ClinicalDocument>'
    return etree.fromstring(text)


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (document(SHARED_ID, ORDER), "CI-SIS_DA_2024"),
        (document(SHARED_ID, REPORT), "CI-SIS_CR_2024"),
        (document(REPORT), "CI-SIS_CR_2024"),
        (
            document(SHARED_ID, REPORT, head='<?oxygen SCHSchema="../schematrons/CI-SIS_CR_2023.sch"?>'),
            "CI-SIS_CR_2023",
        ),
        (document("1.2.9.99"), None),
        (document(SHARED_ID, REPORT, body=UNSTRUCTURED), None),
    ],
    ids=["own", "latest", "one missing", "named", "none demanded", "unstructured"],
)
def test_the_volet_is_the_one_whose_own_template_ids_the_document_has(
    kit: Path, found: etree._Element, name: str | None
) -> None:
    volet = choose(found, kit)
    assert (volet.name if volet else None) == name


def test_a_kit_is_found_in_its_folder_or_one_below(
    kit: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert kit_folder(kit) == kit.resolve()
    above = tmp_path_factory.mktemp("above")
    (above / "cisis").symlink_to(kit)
    assert kit_folder(above) == kit.resolve()
    with pytest.raises(KitError):
        kit_folder(kit / "schematrons")


def test_the_generic_steps_come_in_the_official_order() -> None:
    assert [Path(path).stem for _, path in GENERIC] == [
        "IHE",
        "terminologie",
        "CI-SIS_ModelesDeContenusCDA",
        "ASIP-STRUCT-MIN-StrucMin",
        "CI-SIS_Modeles_ANS",
    ]


def test_a_kit_is_named_by_its_content_wherever_it_lies(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder / "schematrons").mkdir(parents=True)
        (tmp_path / folder / "schematrons" / "IHE.sch").write_text("<schema/>")
    here, there = tmp_path / "here", tmp_path / "there"
    assert content_digest(here) == content_digest(there)
    (there / "schematrons" / "IHE.sch").write_text("<schema><!-- changed --></schema>")
    assert content_digest(here) != content_digest(there)
