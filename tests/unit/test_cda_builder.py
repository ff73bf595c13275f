"""The N1 header, element by element (spec cda.md §3, §5)."""

import base64
from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway import cda
from gateway.model.base import replace
from gateway.model.people import IdentityStatus, Organization, Practitioner
from gateway.model.report import OrderReference
from gateway.model.site import Authorities
from gateway.model.terms import CCAM, CCAM_OLD, Address, Code, Identifier, Telecom
from gateway.model.version import ReportVersion
from tests.reports import (
    BIDEAULT,
    DUPONT,
    HEAD,
    IDENTITY,
    REPLACEMENT,
    REPORT,
    SITE,
    STRUCTURE,
    THORAX,
    VERSION,
    accession,
    with_act,
    with_patient,
    with_report,
)

PDF = b"%PDF-1.4\n%%EOF\n"
NAMESPACES = {"h": "urn:hl7-org:v3", "ps3-20": "urn:dicom-org:ps3-20", "sdtc": "urn:hl7-org:sdtc"}


def xpath(version: ReportVersion, path: str) -> list[str]:
    """What an XPath selects in the N1 built of a version."""
    root = etree.fromstring(cda.build_n1(version, PDF).data)
    found = root.xpath(path, namespaces=NAMESPACES)
    assert isinstance(found, list)
    return [str(item) for item in found]


def codes(version: ReportVersion) -> list[tuple[str, str]]:
    return [(found.code, found.location) for found in cda.build_n1(version, PDF).findings]


def test_the_same_version_gives_the_same_bytes() -> None:
    first, second = cda.build_n1(VERSION, PDF), cda.build_n1(VERSION, PDF)
    assert (first.data, first.findings, first.trace) == (second.data, second.findings, second.trace)


def test_the_document_is_utf8_without_bom_and_without_stylesheet() -> None:
    data = cda.build_n1(VERSION, PDF).data
    assert data.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument ')
    assert "CR d'imagerie médicale".encode() in data


@pytest.mark.req("REQ-24")
def test_n1_carries_exactly_three_template_ids() -> None:
    assert xpath(VERSION, "h:templateId/@root") == [
        "2.16.840.1.113883.2.8.2.1",
        "1.2.250.1.213.1.1.1.1",
        "1.3.6.1.4.1.19376.1.2.20",
    ]


@pytest.mark.req("REQ-24")
@pytest.mark.parametrize("size", [1, 2, 3, 100_000])
def test_the_pdf_is_enclosed_as_strict_base64(size: int) -> None:
    pdf = b"%PDF-" + bytes(range(256)) * (size // 256 + 1)
    data = cda.build_n1(VERSION, pdf[:size]).data
    text = etree.fromstring(data).find(".//{*}nonXMLBody/{*}text")
    assert text is not None and text.text is not None
    assert base64.b64decode(text.text, validate=True) == pdf[:size]
    assert dict(text.attrib) == {"mediaType": "application/pdf", "representation": "B64"}


def test_a_title_that_looks_like_the_body_is_not_taken_for_it() -> None:
    data = cda.build_n1(with_report(title=">PDF</text>"), PDF).data
    assert cda.embedded_pdf(data) == PDF


@pytest.mark.req("REQ-27")
def test_the_document_code_names_each_procedure_once() -> None:
    both_sides = with_report(acts=(HEAD, THORAX, HEAD))
    assert xpath(both_sides, "h:code/@code") == ["18748-4"]
    assert xpath(both_sides, "h:code/h:translation/@code") == ["24727-0", "24628-0"]


def test_times_are_local_with_seconds_and_offset() -> None:
    assert xpath(VERSION, "h:effectiveTime/@value") == ["20210108111805+0100"]
    summer = replace(VERSION, identity=replace(IDENTITY, created_at=datetime(2021, 7, 1, 22, 0, tzinfo=UTC)))
    assert xpath(summer, "h:effectiveTime/@value") == ["20210702000000+0200"]
    fort_de_france = replace(VERSION, site=replace(SITE, timezone="America/Martinique"))
    assert xpath(fort_de_france, "h:effectiveTime/@value") == ["20210108061805-0400"]


# Life cycle


@pytest.mark.req("REQ-29")
def test_a_first_version_replaces_nothing() -> None:
    assert xpath(VERSION, "h:versionNumber/@value") == ["1"]
    assert xpath(VERSION, "h:relatedDocument") == []


@pytest.mark.req("REQ-29")
def test_a_new_version_keeps_the_set_and_names_what_it_replaces() -> None:
    assert xpath(REPLACEMENT, "h:setId/@root") == [IDENTITY.set_id]
    assert xpath(REPLACEMENT, "h:versionNumber/@value") == ["2"]
    assert xpath(REPLACEMENT, "h:relatedDocument/@typeCode") == ["RPLC"]
    assert xpath(REPLACEMENT, "h:relatedDocument/h:parentDocument/h:id/@root") == [IDENTITY.document_id]
    assert xpath(REPLACEMENT, "h:id/@root") != [IDENTITY.document_id]


def test_a_replaced_foreign_document_keeps_its_extension() -> None:
    foreign = replace(REPLACEMENT, identity=replace(REPLACEMENT.identity, replaces_document_id="1.2.3^A7"))
    assert xpath(foreign, "h:relatedDocument/h:parentDocument/h:id/@root") == ["1.2.3"]
    assert xpath(foreign, "h:relatedDocument/h:parentDocument/h:id/@extension") == ["A7"]


# Patient


@pytest.mark.req("REQ-15")
def test_the_ins_and_its_five_traits() -> None:
    role = "h:recordTarget/h:patientRole"
    assert xpath(VERSION, f"{role}/h:id[@root='1.2.250.1.213.1.4.10']/@extension") == ["279035121518989"]
    name = f"{role}/h:patient/h:name"
    assert xpath(VERSION, f"{name}/h:family[@qualifier='BR']/text()") == ["PAT-TROIS"]
    assert xpath(VERSION, f"{name}/h:given[not(@qualifier)]/text()") == ["DOMINIQUE MARIE-LOUISE"]
    assert xpath(VERSION, f"{name}/h:given[@qualifier='BR']/text()") == ["DOMINIQUE"]
    assert xpath(VERSION, f"{role}/h:patient/h:administrativeGenderCode/@code") == ["F"]
    assert xpath(VERSION, f"{role}/h:patient/h:birthTime/@value") == ["19790328"]
    assert xpath(VERSION, f"{role}/h:patient/h:birthplace/h:place/h:addr/h:county/text()") == ["51215"]


def test_the_used_name_is_written_only_when_there_is_one() -> None:
    version = with_patient(used_family="", used_given="")
    assert xpath(version, "//h:patient/h:name/*/@qualifier") == ["BR", "BR"]


def test_a_birth_abroad_has_its_99_code_and_country() -> None:
    version = with_patient(birth_place_code="99351", birth_place_name="MAROC")
    assert xpath(version, "//h:birthplace//h:county/text()") == ["99351"]
    assert xpath(version, "//h:birthplace//h:city/text()") == ["MAROC"]


@pytest.mark.parametrize(
    "date, written", [("1979-03-28", "19790328"), ("1979-03", "197903"), ("1979", "1979")]
)
def test_a_partial_birth_date_stays_partial(date: str, written: str) -> None:
    assert xpath(with_patient(birth_date=date), "//h:birthTime/@value") == [written]


@pytest.mark.parametrize("status", [s for s in IdentityStatus if s is not IdentityStatus.QUALIFIEE])
def test_the_ins_of_an_identity_that_is_not_qualified_stays_inside(status: IdentityStatus) -> None:
    version = with_patient(identity_status=status)
    assert "279035121518989" not in cda.build_n1(version, PDF).data.decode()
    assert ("INS-NOT-QUALIFIED", "patient.identity_status") in codes(version)


def test_a_missing_list_of_given_names_is_the_first_name_with_a_finding() -> None:
    version = with_patient(birth_given_names="")
    assert xpath(version, "//h:patient/h:name/h:given[not(@qualifier)]/text()") == ["DOMINIQUE"]
    assert codes(version) == [("TRAITS-INCOMPLETE", "patient.birth_given_names")]


def test_an_unknown_sex_is_unk_with_a_finding() -> None:
    version = with_patient(sex=None)
    assert xpath(version, "//h:administrativeGenderCode/@nullFlavor") == ["UNK"]
    assert codes(version) == [("TRAITS-INCOMPLETE", "patient.sex")]


def test_a_local_number_without_authority_takes_that_of_the_profile() -> None:
    version = with_patient(identifiers=(Identifier(value="42"),))
    assert xpath(version, "//h:patientRole/h:id[@extension='42']/@root") == [SITE.authorities.patient]


def test_a_local_number_without_any_authority_is_left_out_with_a_finding() -> None:
    version = replace(
        with_patient(identifiers=(Identifier(value="42", system="RIS"),)),
        site=replace(SITE, authorities=Authorities(accession="1.2.3")),
    )
    assert xpath(version, "//h:patientRole/h:id/@extension") == ["279035121518989"]
    assert codes(version) == [("AUTHORITY-MISSING", "patient.identifiers[0]")]


def test_equal_local_numbers_are_written_once() -> None:
    twice = (*VERSION.report.patient.identifiers, *VERSION.report.patient.identifiers)
    assert len(xpath(with_patient(identifiers=twice), "//h:patientRole/h:id/@root")) == 2


def test_death_and_multiple_birth_use_the_sdtc_extension() -> None:
    version = with_patient(deceased=True, multiple_birth_order=2)
    assert xpath(version, "//sdtc:deceasedInd/@value") == ["true"]
    assert xpath(version, "//sdtc:multipleBirthInd/@value") == ["true"]
    assert xpath(version, "//sdtc:multipleBirthOrderNumber/@value") == ["2"]


# Addresses, telecoms, names of professionals


@pytest.mark.parametrize(
    "line, number, street",
    [
        ("28 Avenue de Breteuil", ["28"], ["Avenue de Breteuil"]),
        ("3 bis Rue du Petit Pont", ["3 bis"], ["Rue du Petit Pont"]),
        ("Lieu-dit l'Étang", [], ["Lieu-dit l'Étang"]),
    ],
)
def test_the_house_number_stands_apart_from_the_street(
    line: str, number: list[str], street: list[str]
) -> None:
    version = with_patient(address=Address(lines=(line,), postal_code="75007", city="PARIS"))
    assert xpath(version, "//h:patientRole/h:addr/h:houseNumber/text()") == number
    assert xpath(version, "//h:patientRole/h:addr/h:streetName/text()") == street
    assert xpath(version, "//h:patientRole/h:addr/h:postalCode/text()") == ["75007"]


def test_an_address_of_many_lines_has_street_address_lines_and_nothing_else() -> None:
    lines = tuple(f"ligne {n}" for n in range(9))
    version = with_patient(address=Address(lines=lines, postal_code="75007", city="PARIS", country="FRA"))
    parts = "//h:patientRole/h:addr/*"
    assert len(xpath(version, parts)) == 7
    assert xpath(version, f"{parts}[not(self::h:streetAddressLine)]") == []
    assert xpath(version, f"{parts}[last() - 1]/text()") == ["75007 PARIS"]


def test_a_telecom_without_scheme_is_left_out_with_a_finding() -> None:
    version = with_patient(
        telecoms=(Telecom(value="0144534551"), Telecom(value="tel:01 44 53 45 51", use="X"))
    )
    assert xpath(version, "//h:patientRole/h:telecom/@value") == ["tel:0144534551"]
    assert xpath(version, "//h:patientRole/h:telecom/@use") == []
    assert codes(version) == [("CDA-ADVICE", "patient.telecoms")]


@pytest.mark.parametrize(
    "prefix, suffix, written",
    [
        ("M", "DR", ["M", "DR"]),
        ("M.", "Dr.", ["M", "DR"]),
        ("Dr", "", ["DR"]),
        ("Madame", "Professeur", ["MME", "PR"]),
        ("", "", []),
    ],
)
def test_civility_and_title_come_from_their_value_sets(prefix: str, suffix: str, written: list[str]) -> None:
    version = with_report(
        authors=(replace(BIDEAULT, prefix=prefix, suffix=suffix),), legal_authenticator=BIDEAULT
    )
    name = "h:author//h:assignedPerson/h:name"
    assert xpath(version, f"{name}/h:prefix/text() | {name}/h:suffix/text()") == written
    assert codes(version) == []


def test_a_title_outside_the_value_set_is_left_out_with_a_finding() -> None:
    version = with_report(requester=replace(DUPONT, suffix="Interne"))
    assert codes(version) == [("CODE-UNKNOWN", "requester.suffix")]
    assert "Interne" not in cda.build_n1(version, PDF).data.decode()


# Professionals and structures


@pytest.mark.req("REQ-19")
def test_a_legal_authenticator_without_rpps_is_an_error() -> None:
    version = with_report(legal_authenticator=replace(BIDEAULT, id=""))
    assert ("RPPS-MISSING", "legal_authenticator.id") in codes(version)
    assert xpath(version, "h:legalAuthenticator//h:assignedEntity/h:id/@nullFlavor") == ["UNK"]


@pytest.mark.req("REQ-26")
@pytest.mark.parametrize(
    "field, code",
    [
        ("validated_at", "VALIDATION-TIME-MISSING"),
        ("legal_authenticator", "RPPS-MISSING"),
        ("requester", "REQUESTER-MISSING"),
    ],
)
def test_what_a_validated_report_must_name_is_an_error_when_absent(field: str, code: str) -> None:
    assert (code, field) in codes(with_report(**{field: None}))


@pytest.mark.req("REQ-20")
@pytest.mark.parametrize("number", ["1920008059", "343265432100012", "480123456080101"])
def test_structure_numbers_keep_their_type_digit(number: str) -> None:
    """1 + FINESS, 3 + SIRET, 4 + RPPS-rang."""
    structure = replace(STRUCTURE, id=number)
    author = replace(BIDEAULT, organization=structure)
    version = with_report(performer=structure, authors=(author,))
    path = "//h:representedOrganization/h:id[@root='1.2.250.1.71.4.2.2']/@extension"
    assert xpath(version, f"h:author{path}") == [number]
    assert xpath(version, f"h:documentationOf{path}") == [number]


def test_the_signatory_is_the_author_when_none_is_named() -> None:
    version = with_report(authors=())
    assert xpath(version, "h:author/h:assignedAuthor/h:id/@extension") == ["801234560801"]


def test_a_remote_radiologist_is_author_and_the_receiving_physician_answers() -> None:
    """Teleradiology (RIS readme): two authors, the second is legal authenticator."""
    other = replace(STRUCTURE, id="1750803447", name="Imagerie de Boulogne")
    remote = replace(BIDEAULT, organization=other)
    here = Practitioner(id="801234560804", family="DART", given="Thierry", organization=STRUCTURE)
    version = with_report(authors=(remote, here), legal_authenticator=here, authenticators=(remote,))
    assert xpath(version, "h:author//h:representedOrganization/h:name/text()") == [other.name, STRUCTURE.name]
    assert xpath(version, "h:legalAuthenticator/h:assignedEntity/h:id/@extension") == ["801234560804"]
    assert xpath(version, "h:authenticator/h:assignedEntity/h:id/@extension") == ["801234560801"]
    assert xpath(version, "//h:performer//h:representedOrganization/h:id/@extension") == [STRUCTURE.id]


def test_profile_constants_stand_in_for_what_the_message_does_not_say() -> None:
    bare = Practitioner(id="801234560801", family="BIDEAULT")
    version = with_report(authors=(bare,), legal_authenticator=bare, performer=None, custodian=None)
    assert xpath(version, "h:author/h:assignedAuthor/h:code/@code") == ["G15_10/SM44"]
    assert xpath(version, "h:author//h:representedOrganization/h:id/@extension") == [STRUCTURE.id]
    assert xpath(version, "h:custodian//h:id/@extension") == [STRUCTURE.id]
    assert xpath(version, "//h:healthCareFacility/h:code/@code") == ["SA08"]
    trace = dict(cda.build_n1(version, PDF).trace)
    assert trace["ClinicalDocument/author/assignedAuthor/representedOrganization/id"] == "site.structure.id"


def test_another_structure_is_not_completed_with_what_is_ours() -> None:
    version = with_report(performer=Organization(id="1750803447", name="Ailleurs"))
    assert xpath(version, "//h:performer//h:standardIndustryClassCode") == []
    assert ("STRUCTURE-MISSING", "performer.practice_setting") in codes(version)
    assert ("STRUCTURE-MISSING", "performer.facility_type") in codes(version)


def test_a_practice_setting_outside_its_value_set_is_a_finding() -> None:
    structure = replace(STRUCTURE, practice_setting=Code(code="RADIO", system="1.2.3"))
    version = with_report(performer=structure)
    assert ("CODE-UNKNOWN", "performer.practice_setting") in codes(version)


def test_the_custodian_has_at_most_one_telecom() -> None:
    keeper = replace(STRUCTURE, telecoms=(Telecom(value="tel:1"), Telecom(value="tel:2")))
    assert xpath(with_report(custodian=keeper), "h:custodian//h:telecom/@value") == ["tel:1"]


# Participants, orders, acts, encounter


def test_requester_and_attending_physician_are_participants() -> None:
    assert xpath(VERSION, "h:participant/@typeCode") == ["REF", "INF"]
    assert xpath(VERSION, "h:participant[@typeCode='REF']/h:time/h:high/@value") == ["20210106093000+0100"]
    assert xpath(VERSION, "h:participant[@typeCode='INF']/h:functionCode/@code") == ["PCP"]
    assert xpath(VERSION, "h:participant[@typeCode='INF']/h:time/@nullFlavor") == ["UNK"]


@pytest.mark.req("REQ-27")
def test_one_in_fulfillment_of_per_accession_number() -> None:
    order = "h:inFulfillmentOf/h:order"
    assert xpath(VERSION, f"{order}/ps3-20:accessionNumber/@extension") == ["105234751", "105234752"]
    assert xpath(VERSION, f"{order}[1]/h:id/@extension") == ["984375862"]
    assert xpath(VERSION, f"{order}/h:id/@nullFlavor") == ["UNK"]


def test_an_order_without_accession_number_says_so() -> None:
    version = with_report(
        orders=(OrderReference(placer=Identifier(value="7", system="1.2")),),
        acts=(replace(HEAD, accession=None),),
        studies=(),
    )
    assert xpath(version, "//ps3-20:accessionNumber/@nullFlavor") == ["UNK"]
    assert codes(version) == [("CDA-ADVICE", "orders[0].accession")]


def test_a_filler_number_alone_makes_no_order() -> None:
    version = with_report(
        orders=(OrderReference(filler=Identifier(value="7", system="1.2")),),
        acts=(replace(HEAD, accession=None),),
        studies=(),
    )
    assert xpath(version, "h:inFulfillmentOf") == []


@pytest.mark.req("REQ-27")
def test_the_act_carries_study_codes_modality_and_region() -> None:
    event = "h:documentationOf[1]/h:serviceEvent"
    assert xpath(VERSION, f"{event}/h:id/@root") == [HEAD.study_uid]
    assert xpath(VERSION, f"{event}/h:id/@extension") == []
    assert xpath(VERSION, f"{event}/h:code/@code") == ["24727-0"]
    translation = f"{event}/h:code/h:translation"
    assert xpath(VERSION, f"{translation}[@codeSystem='{CCAM}']/@code") == ["ACQH003"]
    assert xpath(VERSION, f"{translation}[h:qualifier/h:name/@code='121139']/@code") == ["CT"]
    assert xpath(VERSION, f"{translation}[h:qualifier/h:name/@code='39111-0']/@code") == ["774007"]


def test_only_the_principal_act_has_a_performer_and_it_stands_first() -> None:
    assert xpath(VERSION, "h:documentationOf/h:serviceEvent/h:code/@code") == ["24727-0", "24628-0"]
    assert len(xpath(VERSION, "h:documentationOf[1]//h:performer")) == 1
    assert xpath(VERSION, "h:documentationOf[2]//h:performer") == []


def test_an_act_without_loinc_is_named_by_its_ccam_code() -> None:
    """SM allows any coded act in the header; the volet wants LOINC in N3 only."""
    version = with_act(code=None)
    assert xpath(version, "//h:serviceEvent/h:code/@code") == ["ACQH003"]
    assert xpath(version, "//h:serviceEvent/h:code/h:translation/@code") == ["CT", "774007"]
    assert codes(version) == [("CODE-UNKNOWN", "acts[0].code")]


def test_an_act_without_any_code_keeps_its_label_and_modality() -> None:
    version = with_act(code=None, ccam=None)
    assert xpath(version, "//h:serviceEvent/h:code/@nullFlavor") == ["OTH"]
    assert xpath(version, "//h:serviceEvent/h:code/h:originalText/text()") == [HEAD.label]
    assert xpath(version, "//h:serviceEvent/h:code/h:translation/@code") == ["CT", "774007"]


def test_the_old_ccam_oid_is_read_never_written() -> None:
    version = with_act(ccam=Code(code="ACQH003", system=CCAM_OLD, display="Scanographie"))
    assert CCAM_OLD not in xpath(version, "//h:translation/@codeSystem")
    assert CCAM in xpath(version, "//h:translation/@codeSystem")


def test_a_study_uid_that_is_none_is_left_out_with_a_finding() -> None:
    version = with_act(study_uid="1.2.840.0123")
    assert xpath(version, "//h:serviceEvent/h:id") == []
    assert codes(version) == [("STUDY-UID-FORM", "acts[0].study_uid")]


def test_a_missing_exam_time_is_an_error() -> None:
    version = with_act(start=None, end=None)
    assert ("CDA-RULE", "acts[0].start") in codes(version)


def test_a_further_act_may_have_no_time() -> None:
    """effectiveTime is required of the principal act only (SM)."""
    version = with_report(acts=(HEAD, replace(THORAX, start=None)))
    assert xpath(version, "h:documentationOf[2]//h:effectiveTime") == []
    assert codes(version) == []


def test_the_visit_has_its_number_and_own_times() -> None:
    encounter = "h:componentOf/h:encompassingEncounter"
    assert xpath(VERSION, f"{encounter}/h:id/@extension") == ["V2021-1"]
    assert xpath(VERSION, f"{encounter}/h:code/@code") == ["AMB"]
    assert xpath(VERSION, f"{encounter}/h:effectiveTime/h:low/@value") == ["20210108100000+0100"]
    without = with_report(encounter=replace(REPORT.encounter, start=None))
    assert xpath(without, f"{encounter}/h:effectiveTime/@nullFlavor") == ["UNK"]


def test_control_characters_of_a_terminal_do_not_reach_the_xml() -> None:
    version = with_report(title="CR\x07 d'imagerie\x1b")
    assert xpath(version, "h:title/text()") == ["CR d'imagerie"]


def test_an_accession_number_without_authority_takes_that_of_the_profile() -> None:
    bare = Identifier(value="105234751")
    version = with_report(orders=(OrderReference(accession=bare),), acts=(HEAD,), studies=())
    assert xpath(version, "//ps3-20:accessionNumber/@root") == [accession("x").system]
