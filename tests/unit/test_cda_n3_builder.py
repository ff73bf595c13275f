"""Structured reports: what stands where, what is never made up, and when there is none."""

from base64 import b64decode

import pytest
from lxml import etree

from gateway import cda
from gateway.model.base import replace
from gateway.model.imaging import Quantity
from gateway.model.people import Sex
from gateway.model.report import ReportStatus, Section, SectionKind
from gateway.model.terms import Code, Identifier
from gateway.model.version import ReportVersion
from tests.golden import golden
from tests.n3_cases import BY_MODALITY, CASES, FULL, HEAD_SITE, REMOTE
from tests.reports import BIDEAULT, HEAD, PATIENT, VERSION, modality, region, with_act, with_report

NAMESPACES = {"h": "urn:hl7-org:v3", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
CONCLUSION = Section(kind=SectionKind.CONCLUSION, text="Normal.")


def xpath(version: ReportVersion, path: str) -> list[str]:
    found = etree.fromstring(cda.build_n3(version).data).xpath(path, namespaces=NAMESPACES)
    return [str(item) for item in found]


def titles(version: ReportVersion) -> list[str]:
    return xpath(version, "/*/h:component/h:structuredBody/h:component/h:section/h:title/text()")


@pytest.mark.req("REQ-25")
def test_the_fully_filled_report() -> None:
    golden("n3_full.xml", cda.build_n3(FULL, b"%PDF-1.4\n%%EOF\n").data)


def test_same_input_same_bytes() -> None:
    assert cda.build_n3(FULL).data == cda.build_n3(FULL).data


def test_sections_come_in_the_order_of_the_official_example() -> None:
    assert titles(FULL) == [
        *("Addendum", "Informations cliniques", HEAD.label, "Scanner du thorax avec injection"),
        *("Dispositifs médicaux", "Résultats", "Résultats d'examens antérieurs", "Examens comparatifs"),
        *("Conclusion", "Commentaire", "Information du patient"),
    ]


def test_an_n3_carries_the_templates_of_the_volet() -> None:
    assert xpath(VERSION, "/*/h:templateId/@root") == [
        *("2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1", "1.2.840.10008.9.1", "1.2.840.10008.9.20"),
        *("1.2.840.10008.9.21", "1.2.250.1.213.1.1.1.45"),
    ]
    assert xpath(VERSION, "/*/h:templateId/@extension") == ["2024.01"]


@pytest.mark.parametrize("name", CASES)
def test_references_lead_to_one_text_of_their_own_section_and_ids_are_distinct(name: str) -> None:
    data = cda.build_n3(CASES[name], b"%PDF-").data
    assert [item for item in cda.check(data) if "reference" in item.location] == []
    root = etree.fromstring(data)
    targets = [str(item) for item in root.xpath("//@ID")]
    assert len(targets) == len(set(targets))
    entries = [
        str(item)
        for item in root.xpath(
            "//h:section/h:id/@root | //h:entry//h:id[not(@extension)]/@root", namespaces=NAMESPACES
        )
    ]
    studies = {study.uid for study in CASES[name].report.studies}
    own = [item for item in entries if item.startswith("2.25.")]
    assert len(own) == len(set(own))
    assert studies or own


NOT_POSSIBLE = {
    "one text": ({"sections": (Section(kind=SectionKind.REPORT, text="Tout en un."),)}, "sections"),
    "nothing": ({"sections": ()}, "sections"),
    "no conclusion": ({"sections": (Section(kind=SectionKind.FINDINGS, text="x"),)}, "sections"),
    "empty conclusion": (
        {"sections": (replace(CONCLUSION, text=" \n"), Section(kind=SectionKind.FINDINGS, text="x"))},
        "sections",
    ),
    "no act": ({"acts": ()}, "acts"),
    "no modality": ({"acts": (replace(HEAD, modalities=()),)}, "acts[0].modalities"),
    "modality RM": ({"acts": (replace(HEAD, modalities=(modality("RM", "IRM"),)),)}, "acts[0].modalities"),
    "no site": ({"acts": (replace(HEAD, regions=()),)}, "acts[0].sites"),
    "a region without a site": (
        {"acts": (HEAD, replace(HEAD, regions=(region("113257007", "Système cardiovasculaire"),)))},
        "acts[1].sites",
    ),
    "no name": ({"authors": (), "legal_authenticator": None}, "authors"),
}


@pytest.mark.req("REQ-25")
@pytest.mark.parametrize("title", NOT_POSSIBLE)
def test_what_cannot_be_structured_is_said_and_never_invented(title: str) -> None:
    changes, location = NOT_POSSIBLE[title]
    version = with_report(**changes)
    assert [(item.code, item.location) for item in cda.n3_possible(version.report)] == [
        ("N3-NOT-POSSIBLE", location)
    ]
    with pytest.raises(ValueError, match=location.replace("[", r"\[")):
        cda.build_n3(version)


def test_every_case_can_be_structured() -> None:
    assert [name for name, version in CASES.items() if cda.n3_possible(version.report)] == []


def test_a_region_stands_for_its_sites_one_technique_each() -> None:
    """« Tête et cou » has no code of its own in JDV 5.694, and a technique has exactly one site (IHE.sch)."""
    path = "//h:procedure[h:methodCode]/h:targetSiteCode/@code"
    assert xpath(with_act(), path) == ["302548004", "302550007"]
    assert xpath(with_act(sites=(HEAD_SITE,)), path) == ["302548004"]


@pytest.mark.parametrize(
    "side, coded", [("24028007", "66459002"), ("7771000", "66459002"), ("51440002", "51440002")]
)
def test_a_side_is_coded_as_one_or_both_and_told_in_words(side: str, coded: str) -> None:
    version = with_act(sites=(HEAD_SITE,), laterality=Code(code=side, display="tel côté"))
    assert xpath(version, "//h:procedure/h:targetSiteCode/h:qualifier/h:value/@code") == [coded]
    assert f"tel côté [SNOMED CT : {side}]" in xpath(version, "//h:td/text()")


def test_unknown_history_is_said_to_be_unknown() -> None:
    bare = CASES["bare minimum"]
    assert xpath(bare, "//h:observation[h:code/@code='11348-0']/h:value/@nullFlavor") == ["UNK"]
    assert xpath(bare, "//h:observation[h:code/@code='64100-1']/h:value/text()") == ["Non renseigné"]


@pytest.mark.parametrize(
    "sex, expected", [(Sex.MALE, "60001007"), (Sex.FEMALE, "261665006"), (None, "261665006")]
)
def test_pregnancy_goes_with_every_exposure(sex: Sex | None, expected: str) -> None:
    version = BY_MODALITY["CT with contrast and dose"]
    version = replace(version, report=replace(version.report, patient=replace(PATIENT, sex=sex)))
    assert xpath(version, "//h:observation[h:code/@code='364320009']/h:value/@code") == [expected]


def test_the_radiologist_of_the_act_authorised_it_when_nobody_else_is_named() -> None:
    path = "//h:participantRole[h:code/@code='113850']/h:id/@extension"
    assert xpath(BY_MODALITY["CT with contrast and dose"], path) == [BIDEAULT.id]


DOSES = {
    ("7.1", "mSv"): ("0.0071", "Sv"),
    ("2,4", "mGy"): ("2.4", "mGy"),
    ("1140.26", "mGy.cm"): ("1140.26", "mGy.cm"),
    ("500", "uGy"): ("0.5", "mGy"),
    ("287", ""): ("287", None),
}


@pytest.mark.parametrize("said", DOSES)
def test_doses_are_converted_exactly_to_a_unit_that_the_rules_know(said: tuple[str, str]) -> None:
    act = BY_MODALITY["CT with contrast and dose"].report.acts[0]
    assert act.exposure is not None
    (dose,) = act.exposure.doses
    changed = replace(dose, quantity=Quantity(value=said[0], unit=said[1]))
    version = with_act(sites=act.sites, exposure=replace(act.exposure, doses=(changed,)))
    root = etree.fromstring(cda.build_n3(version).data)
    (value,) = root.xpath("//h:value[@xsi:type='PQ']", namespaces=NAMESPACES)
    assert (value.get("value"), value.get("unit")) == DOSES[said]


def test_a_dose_area_product_has_no_unit_in_the_rules_and_stays_in_words() -> None:
    built = cda.build_n3(BY_MODALITY["XA"])
    assert ("N3-TEXT-ONLY", "acts[0].exposure.doses[0]") in [
        (item.code, item.location) for item in built.findings
    ]
    assert "31,5 Gy.cm2" in built.data.decode()


def test_a_study_gives_one_series_and_one_pointer_and_what_is_unknown_is_unk() -> None:
    path = "//h:act[h:code/@code='113014']"
    assert len(xpath(FULL, f"{path}//h:act[h:code/@code='113015']")) == 2
    assert xpath(FULL, f"{path}//h:observation/h:code/@code") == ["1.2.840.10008.5.1.4.1.1.2"]
    assert xpath(FULL, f"{path}//h:observation/h:code/@nullFlavor") == ["UNK"]
    assert xpath(CASES["no study"], path) == []
    assert "Aucun objet DICOM référencé." in xpath(CASES["no study"], "//h:paragraph/text()")


def test_the_page_goes_inside_and_can_be_read_again() -> None:
    pdf = b"%PDF-1.4 " + bytes(range(256))
    root = etree.fromstring(cda.build_n3(VERSION, pdf).data)
    (packed,) = root.xpath("//h:observationMedia/h:value/text()", namespaces=NAMESPACES)
    assert b64decode(packed) == pdf
    assert root.xpath("//h:renderMultiMedia/@referencedObject", namespaces=NAMESPACES) == ["DOC-1"]


def test_a_text_that_looks_like_our_mark_is_not_replaced() -> None:
    text = 'representation="B64">document 1</value>'
    sections = (Section(kind=SectionKind.CONTRAINDICATIONS, text=text), CONCLUSION)
    data = cda.build_n3(with_report(sections=sections), b"%PDF-1").data
    assert text in "".join(map(str, etree.fromstring(data).itertext()))


def test_added_documents_follow_the_page() -> None:
    added = (cda.AddedDocument(title="CR du 01/12/2020", data=b"%PDF-2"),)
    root = etree.fromstring(cda.build_n3(VERSION, b"%PDF-1", added).data)
    packed = root.xpath("//h:observationMedia/h:value/text()", namespaces=NAMESPACES)
    assert [b64decode(str(item)) for item in packed] == [b"%PDF-1", b"%PDF-2"]


@pytest.mark.req("REQ-29")
def test_an_addendum_names_its_author() -> None:
    path = "//h:section[h:code/@code='55107-7']/h:author//h:assignedPerson/h:name/h:family/text()"
    assert xpath(CASES["addendum"], path) == ["BIDEAULT", "DUPONT"]


def test_teleradiology_has_two_authors_and_the_remote_one_attests() -> None:
    version = CASES["teleradiology"]
    assert xpath(version, "/*/h:author/h:assignedAuthor/h:id/@extension") == [REMOTE.id, BIDEAULT.id]
    assert xpath(version, "/*/h:legalAuthenticator//h:id[1]/@extension")[0] == BIDEAULT.id
    assert xpath(version, "/*/h:authenticator/h:assignedEntity/h:id/@extension") == [REMOTE.id]


def test_screening_is_a_further_documentation_without_performer() -> None:
    version = BY_MODALITY["MG screening"]
    assert xpath(version, "/*/h:documentationOf/h:serviceEvent/h:code/@code") == ["24606-6", "Z13.9"]
    assert len(xpath(version, "/*/h:documentationOf/h:serviceEvent/h:performer")) == 1


def test_several_accession_numbers_are_several_orders() -> None:
    version = CASES["three studies, three accession numbers"]
    path = "/*/h:inFulfillmentOf/h:order/*[local-name()='accessionNumber']/@extension"
    assert xpath(version, path) == ["ACC21", "ACC22", "ACC23"]


def test_n1_and_n3_of_one_version_have_the_same_header() -> None:
    """But for the templateIds, which say what the body is."""

    def header(data: bytes) -> list[bytes]:
        nodes = etree.fromstring(data)
        return [
            etree.tostring(node, method="c14n")
            for node in nodes
            if etree.QName(node).localname not in ("templateId", "component")
        ]

    assert header(cda.build_n1(FULL, b"%PDF-").data) == header(cda.build_n3(FULL).data)


def test_the_reader_reads_what_the_builder_wrote() -> None:
    values = cda.read(
        cda.build_n3(replace(VERSION, report=replace(VERSION.report, status=ReportStatus.FINAL))).data
    )
    assert values.body == "structured"
    assert values.patient.ins == Identifier(value="279035121518989", system="1.2.250.1.213.1.4.10")
    assert [event.study_uid for event in values.service_events] == [
        act.study_uid for act in VERSION.report.acts
    ]
