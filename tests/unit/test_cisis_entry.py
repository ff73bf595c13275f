"""CDA header → DocumentEntry: one test per row of the annex « lien en-tête CDA / métadonnées XDS »."""

import hashlib

import pytest

from gateway.cda import CdaHeader, Party, read
from gateway.cisis import CisisError, document_entry
from gateway.cisis.entry import event_codes, format_code, reference_ids, source_patient_info
from gateway.model.base import replace
from gateway.model.people import Organization, Patient, Practitioner, Sex
from gateway.model.site import Site
from gateway.model.submission import Flags
from gateway.model.terms import INS_NIR_TEST, Code, Identifier
from gateway.xds import Cx, DocumentEntry, Xon
from tests.support import SAMPLES, needs_samples
from tests.unit.mail_jobs import MAIL_SITE, cda_of, header_of, job

CDA = cda_of(job())
HEADER = header_of(job())
NO_FLAGS = Flags()


def entry(
    header: CdaHeader = HEADER, *, flags: Flags = NO_FLAGS, site: Site = MAIL_SITE, ins_required: bool = True
) -> DocumentEntry:
    return document_entry(
        CDA, header, flags=flags, site=site, entry_id="urn:uuid:1", ins_required=ins_required
    )


def faults(header: CdaHeader, **options: object) -> list[tuple[str, str]]:
    with pytest.raises(CisisError) as raised:
        document_entry(
            CDA, header, flags=Flags(), site=Site(name="bare"), entry_id="urn:uuid:1", **options
        )  # fmt: skip
    return [(found.code, found.location) for found in raised.value.findings]


# ------------------------------------------------------------ the whole entry of a built N1


@pytest.mark.req("REQ-36")
def test_the_codes_of_an_imaging_report() -> None:
    made = entry()
    assert (made.class_code.code, made.class_code.system) == ("31", "1.2.250.1.213.1.1.4.1")
    assert (made.type_code.code, made.type_code.system) == ("18748-4", "2.16.840.1.113883.6.1")
    assert (made.format_code.code, made.format_code.system) == (
        "urn:ihe:iti:xds-sd:pdf:2008",
        "1.3.6.1.4.1.19376.1.2.3",
    )
    assert made.healthcare_facility_type_code == Code(
        code="SA08", system="1.2.250.1.71.4.2.4", display="Cabinet de groupe"
    )
    assert made.practice_setting_code == Code(
        code="AMBULATOIRE", system="1.2.250.1.213.1.1.4.9", display="Ambulatoire"
    )
    assert [code.code for code in made.confidentiality_codes] == ["N"]
    assert (made.language_code, made.mime_type) == ("fr-FR", "text/xml")


@pytest.mark.req("REQ-36")
def test_the_patient_is_named_by_the_ins_and_the_source_by_its_ipp() -> None:
    made = entry()
    assert made.patient_id == Cx(value="279035121518989", authority=INS_NIR_TEST, id_type="NH")
    assert made.source_patient_id == Cx(
        value="1234567890121", authority="1.2.250.1.925.994044785528.1", id_type="PI"
    )
    assert made.source_patient_info == (
        "PID-5|PAT-TROIS^DOMINIQUE^^^^^L",
        "PID-5|PAT-TROIS^DOMINIQUE^^^^^D",
        "PID-7|19790328",
        "PID-8|F",
    )


@pytest.mark.req("REQ-36")
def test_times_are_utc_and_ids_those_of_the_document() -> None:
    made = entry()
    assert made.unique_id == HEADER.id.system
    assert made.creation_time == "20210108101805"
    assert made.service_start_time == "20210108092500"  # 10:25 in Paris, in winter
    assert made.service_stop_time == "20210108095000"


@pytest.mark.req("REQ-36")
def test_hash_and_size_are_those_of_the_exact_bytes() -> None:
    made = entry()
    assert made.hash == hashlib.sha1(CDA).hexdigest()
    assert made.size == len(CDA)


def test_the_author_of_the_document_with_structure_and_specialty() -> None:
    (author,) = entry().authors
    assert author.person is not None
    assert (author.person.id, author.person.family, author.person.given) == (
        "801234560801",
        "BIDEAULT",
        "Jacques",
    )
    assert (author.person.authority, author.person.name_type, author.person.id_type) == (
        "1.2.250.1.71.4.2.1",
        "D",
        "IDNPS",
    )
    assert author.institutions == (
        Xon(name="Centre de radiologie Ambroise", id="1920008059", authority="1.2.250.1.71.4.2.2"),
    )
    assert [code.code for code in author.specialties] == ["G15_10/SM44"]


def test_the_legal_authenticator() -> None:
    found = entry().legal_authenticator
    assert found is not None
    assert found.id == "801234560801"


def test_events_are_acts_with_their_ccam_modality_and_region_once_each() -> None:
    codes = [(code.code, code.system) for code in event_codes(HEADER)]
    assert codes == [
        ("24727-0", "2.16.840.1.113883.6.1"),
        ("ACQH003", "1.2.250.1.215.300.1"),
        ("CT", "1.2.840.10008.2.16.4"),
        ("774007", "2.16.840.1.113883.6.96"),
        ("24628-0", "2.16.840.1.113883.6.1"),
        ("67734004", "2.16.840.1.113883.6.96"),
    ]


def test_references_are_accession_order_and_study() -> None:
    references = reference_ids(HEADER)
    accession, order = "urn:ihe:iti:xds:2013:accession", "urn:ihe:iti:xds:2013:order"
    assert Cx(value="105234751", authority="1.2.250.1.925.994044785528.27", id_type=accession) in references
    assert Cx(value="984375862", authority="1.2.250.1.748.12345678.12", id_type=order) in references
    study = Cx(
        value="1.2.250.1.925.994044785528.27.123.1876350", id_type="urn:ihe:iti:xds:2016:studyInstanceUID"
    )
    assert study in references
    assert len(references) == len(set(references))


# ------------------------------------------------------------ masks, and what the header decides


@pytest.mark.req("REQ-36")
@pytest.mark.parametrize(
    ("flags", "codes"),
    [
        (Flags(), ["N"]),
        (Flags(masked_ps=True), ["N", "MASQUE_PS"]),
        (Flags(invisible_patient=True), ["N", "INVISIBLE_PATIENT"]),
        (Flags(invisible_legal_representatives=True), ["N", "INVISIBLE_REPRESENTANTS_LEGAUX"]),
        (
            Flags(masked_ps=True, invisible_patient=True, invisible_legal_representatives=True),
            ["N", "MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"],
        ),
        (Flags(masked_ps=False, invisible_patient=False), ["N"]),
    ],
)
def test_masks_follow_the_flags_of_the_message(flags: Flags, codes: list[str]) -> None:
    made = entry(flags=flags).confidentiality_codes
    assert [code.code for code in made] == codes
    assert {code.system for code in made[1:]} <= {"1.2.250.1.213.1.1.4.13"}


@pytest.mark.parametrize(
    ("media_type", "roots", "code"),
    [
        ("application/pdf", ["1.3.6.1.4.1.19376.1.2.20"], "urn:ihe:iti:xds-sd:pdf:2008"),
        ("text/plain", ["1.3.6.1.4.1.19376.1.2.20"], "urn:ihe:iti:xds-sd:text:2008"),
        ("text/rtf", ["1.3.6.1.4.1.19376.1.2.20"], "urn:ihe:iti-fr:xds-sd:rtf:2010"),
        ("image/jpeg", ["1.3.6.1.4.1.19376.1.2.20"], "urn:ihe:iti-fr:xds-sd:jpeg:2010"),
        ("image/tiff", ["1.3.6.1.4.1.19376.1.2.20"], "urn:ihe:iti-fr:xds-sd:tiff:2010"),
        ("", ["1.2.250.1.213.1.1.1.45"], "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013"),
        ("", ["1.2.250.1.213.1.1.1.47"], "urn:ans:ci-sis:img-da:2022"),
        ("", ["1.2.250.1.213.1.1.1.1"], "urn:asipSante:modelesHorsProfils:2011"),
    ],
)
@pytest.mark.req("REQ-36")
def test_the_format_follows_body_and_template(media_type: str, roots: list[str], code: str) -> None:
    templates = tuple(Identifier(value="", system=root) for root in roots)
    assert format_code(replace(HEADER, media_type=media_type, template_ids=templates)).code == code


def test_without_ipp_the_source_id_repeats_the_ins() -> None:
    bare = replace(HEADER, patient=replace(HEADER.patient, identifiers=()))
    assert entry(bare).source_patient_id.id_type == "NH"


def test_a_forwarded_document_may_have_an_extension_in_its_id() -> None:
    foreign = replace(HEADER, id=Identifier(value="A71", system="1.2.250.1.71"))
    assert entry(foreign).unique_id == "1.2.250.1.71^A71"


def test_a_device_is_an_author_of_its_own_kind() -> None:
    device = Party(
        type_code="AUT",
        practitioner=Practitioner(),
        id=Identifier(value="3750100125/9762", system="1.2.250.1.71.4.2.1"),
        device_software="Automate X",
        device_model="m1000",
    )
    person = entry(replace(HEADER, authors=(device,))).authors[0].person
    assert person is not None
    assert (person.family, person.given, person.name_type, person.id_type) == (
        "Automate X",
        "m1000",
        "U",
        "RI",
    )


def test_an_id_internal_to_a_structure_is_typed_ei() -> None:
    author = Party(
        type_code="AUT",
        practitioner=Practitioner(family="MARTIN", organization=Organization(name="Centre")),
        id=Identifier(value="3750100125/1453", system="1.2.250.1.71.4.2.1"),
    )
    made = entry(replace(HEADER, authors=(author,))).authors[0]
    assert made.person is not None
    assert made.person.id_type == "EI"
    assert made.institutions == (Xon(name="Centre", authority="1.2.250.1.71.4.2.2"),)


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        (
            Patient(birth_family="LE GOÂT", birth_given_names="Zoé Anne", sex=Sex.UNDIFFERENTIATED),
            ("PID-5|LE GOÂT^Zoé^^^^^L", "PID-8|O"),
        ),
        (
            Patient(birth_family="A&B", birth_given="C", used_family="D", birth_date="1979"),
            ("PID-5|A\\T\\B^C^^^^^L", "PID-5|D^C^^^^^D", "PID-7|1979", "PID-8|U"),
        ),
        (Patient(), ("PID-8|U",)),
    ],
)
def test_source_patient_info(patient: Patient, expected: tuple[str, ...]) -> None:
    assert source_patient_info(patient) == expected


def test_an_hour_without_offset_is_read_in_the_zone_of_the_site() -> None:
    principal = HEADER.principal
    assert principal is not None
    bare = replace(HEADER, service_events=(replace(principal, low="20210708102500", high=""),))
    overseas = replace(MAIL_SITE, timezone="America/Cayenne")
    assert entry(bare).service_start_time == "20210708082500"
    assert entry(bare, site=overseas).service_start_time == "20210708132500"


# ------------------------------------------------------------ what is missing is said, all at once


@pytest.mark.req("REQ-36")
def test_a_document_without_ins_is_refused_by_the_dmp_rule_and_taken_for_a_mail() -> None:
    bare = replace(HEADER, patient=replace(HEADER.patient, ins=None))
    assert ("CDA-INS-MISSING", "recordTarget/patientRole/id") in faults(bare)
    assert entry(bare, ins_required=False).patient_id.id_type == "PI"


def test_a_patient_without_any_identifier_cannot_be_shared_at_all() -> None:
    bare = replace(HEADER, patient=replace(HEADER.patient, ins=None, identifiers=()))
    assert ("XDS-VALUE-MISSING", "recordTarget/patientRole/id") in faults(bare, ins_required=False)


def test_every_missing_value_is_named_with_its_place() -> None:
    empty = CdaHeader(id=Identifier(value="", system="1.2.3"), code=Code(code="11502-2"))
    assert faults(empty) == [
        ("CDA-INS-MISSING", "recordTarget/patientRole/id"),
        ("XDS-VALUE-MISSING", "title"),
        ("XDS-VALUE-MISSING", "effectiveTime/@value"),
        ("XDS-VALUE-MISSING", "languageCode/@code"),
        ("XDS-CODE-UNKNOWN", "code/@code"),
        ("XDS-VALUE-MISSING", "confidentialityCode"),
        ("XDS-VALUE-MISSING", "componentOf/encompassingEncounter/location/healthCareFacility/code"),
        (
            "XDS-VALUE-MISSING",
            "documentationOf/serviceEvent/performer/assignedEntity/representedOrganization"
            "/standardIndustryClassCode",
        ),
        ("XDS-VALUE-MISSING", "author"),
        ("XDS-VALUE-MISSING", "legalAuthenticator"),
        ("XDS-VALUE-MISSING", "documentationOf/serviceEvent/effectiveTime/low/@value"),
    ]


def test_values_of_a_wrong_form_are_named() -> None:
    wrong = replace(HEADER, id=Identifier(value="9" * 120, system="1.2.3.4.5"), effective_time="hier")
    with pytest.raises(CisisError) as raised:
        entry(wrong)
    assert [(found.code, found.location) for found in raised.value.findings] == [
        ("XDS-VALUE-FORM", "id"),
        ("XDS-VALUE-FORM", "effectiveTime/@value"),
    ]


# ------------------------------------------------------------ official documents


@needs_samples
@pytest.mark.samples
@pytest.mark.req("REQ-36")
@pytest.mark.parametrize(
    ("name", "unique_id"),
    [
        ("transmission_initiale_cr_imagerie.xml", "1.2.250.1.213.4.5.4.402"),
        ("remplacement_cr_imagerie.xml", "1.2.250.1.213.4.5.4.403"),
        ("suppression_cr_imagerie.xml", "1.2.250.1.213.4.5.4.403"),
    ],
)
def test_an_official_ris_document(name: str, unique_id: str) -> None:
    data = (SAMPLES / "cda" / name).read_bytes()
    made = document_entry(data, read(data), flags=Flags(), site=Site(name="bare"), entry_id="urn:uuid:1")
    assert made.unique_id == unique_id
    assert made.patient_id == Cx(value="279035121518989", authority=INS_NIR_TEST, id_type="NH")
    assert made.class_code.code == "31"
    assert made.format_code.code == "urn:ihe:iti:xds-sd:pdf:2008"
    assert made.creation_time == "20210108101700"
    assert (made.service_start_time, made.service_stop_time) == ("20210108092500", "20210108101700")
    assert len(made.authors) == 2
    assert made.legal_authenticator is not None
    assert made.legal_authenticator.id == "801234560804"
    assert [item.value for item in made.reference_ids] == ["ACN102", "OPN102", "1.2.250.1.213.4.5.2.1.102"]
