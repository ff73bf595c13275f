"""FHIR → canonical, element by element: one change of the fixture a case (spec fhir.md §1, §2, §6)."""

from datetime import datetime

import pytest

from gateway.model.base import replace
from gateway.model.report import ImagingReport, OrderReference
from gateway.model.submission import Flags, Mapped
from gateway.model.terms import Identifier
from tests.fhir_cases import Change, Json, bundle, codes, mapped, places, resource, setting, url, without

FRC = "https://hl7.fr/ig/fhir/core/CodeSystem/"
REPORT = "Bundle.entry[10].resource"


def report(*changes: Change) -> ImagingReport:
    made = mapped(*changes)
    assert made.report is not None, made.findings
    return made.report


def in_patient(**fields: object) -> Change:
    return setting("Patient", **fields)


def status_coding(system: str, code: str) -> Change:
    def change(tree: Json) -> None:
        reliability = resource(tree, "Patient")["extension"][1]
        reliability["extension"] = [
            {"url": "identityStatus", "valueCoding": {"system": system, "code": code}}
        ]

    return change


# --- what is a report


@pytest.mark.req("REQ-06")
@pytest.mark.parametrize(
    ("system", "code", "imaging"),
    [
        ("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", True),
        ("http://terminology.hl7.org/CodeSystem/v2-0074", "NMS", True),
        ("http://loinc.org", "LP29684-5", True),
        ("http://snomed.info/sct", "4201000179104", True),
        ("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB", False),
        ("http://terminology.hl7.org/CodeSystem/v2-0074", "PAT", False),
        ("http://loinc.org", "LP29708-2", False),  # cardiology
        ("http://example.org", "RAD", False),
    ],
)
def test_only_imaging_reports_are_taken(system: str, code: str, imaging: bool) -> None:
    fields = {"category": [{"coding": [{"system": system, "code": code}]}], "code": {"text": "CR"}}
    made = mapped(setting("DiagnosticReport", **fields))
    assert (made.report is not None, places(made, "NOT-IMAGING")) == (
        imaging,
        [] if imaging else [f"{REPORT}.category"],
    )


@pytest.mark.parametrize(
    ("fhir", "canonical", "action"),
    [
        ("registered", "registered", "create"),
        ("partial", "preliminary", "create"),
        ("preliminary", "preliminary", "create"),
        ("final", "final", "create"),
        ("amended", "corrected", "replace"),
        ("corrected", "corrected", "replace"),
        ("appended", "appended", "replace"),
        ("cancelled", "cancelled", "delete"),
        ("entered-in-error", "entered-in-error", "delete"),
    ],
)
def test_status(fhir: str, canonical: str, action: str) -> None:
    made = mapped(setting("DiagnosticReport", status=fhir))
    assert made.report is not None
    assert (made.report.status, made.context.action) == (canonical, action)


@pytest.mark.parametrize("status", ["unknown", "FINAL", "done"])
def test_any_other_status_is_refused(status: str) -> None:
    made = mapped(setting("DiagnosticReport", status=status))
    assert (made.report, places(made, "STATUS-UNKNOWN")) == (None, [f"{REPORT}.status"])


def set_of(*changes: Change) -> tuple[str, str]:
    found = report(*changes).report_set
    return found.value, found.system


def test_the_report_set_is_the_reports_identifier_else_filler_else_accession() -> None:
    own = ("CR-2021-000042", "1.2.250.1.925.994044785528.30")
    assert set_of() == own
    nameless = setting("DiagnosticReport", identifier=None)
    assert set_of(nameless) == own  # FILL of the ServiceRequest

    def only_accession(tree: Json) -> None:
        request = resource(tree, "ServiceRequest")
        request["identifier"] = [
            one for one in request["identifier"] if one["type"]["coding"][0]["code"] == "ACSN"
        ]

    assert set_of(nameless, only_accession) == ("105234751", "1.2.250.1.925.994044785528.27")


def test_a_report_without_any_number_is_refused_with_all_its_other_faults() -> None:
    made = mapped(
        setting("DiagnosticReport", identifier=None, basedOn=None, issued=None),
        setting("Patient", identifier=None),
    )
    assert made.report is None
    assert codes(made) == [
        "CODE-UNKNOWN",
        "REPORT-SET-MISSING",
        "VALIDATION-TIME-MISSING",
        "REQUESTER-MISSING",
        "PATIENT-MISSING",
    ]


def test_a_system_that_is_a_url_becomes_a_fixed_oid() -> None:
    first = set_of(
        setting("DiagnosticReport", identifier=[{"system": "http://ris.example/reports", "value": "7"}])
    )
    assert first[0] == "7"
    assert first[1].startswith("2.25.")
    assert first == set_of(
        setting("DiagnosticReport", identifier=[{"system": "http://ris.example/reports", "value": "7"}])
    )


# --- patient


@pytest.mark.req("REQ-11")
@pytest.mark.parametrize(
    ("system", "code", "status"),
    [
        (FRC + "fr-core-v2-0445", "VALI", "qualifiee"),
        (FRC + "fr-core-v2-0445", "PROV", "provisoire"),
        (FRC + "fr-core-cs-fiabilite-identite", "VALI", "qualifiee"),
        (FRC + "fr-core-cs-identity-status", "QUAL", "qualifiee"),
        (FRC + "fr-core-cs-identity-status", "VALI", "validee"),
        ("http://example.org", "VALI", "provisoire"),
    ],
)
def test_identity_status(system: str, code: str, status: str) -> None:
    assert report(status_coding(system, code)).patient.identity_status == status


@pytest.mark.req("REQ-16")
def test_a_doubt_travels_in_the_comment() -> None:
    def doubt(tree: Json) -> None:
        resource(tree, "Patient")["extension"][1]["extension"].append(
            {
                "url": "comment",
                "valueCoding": {"system": FRC + "fr-core-cs-identity-status-comment", "code": "DOUT"},
            }
        )

    assert report(doubt).patient.identity_status == "provisoire"


@pytest.mark.parametrize("identifier", [None, [{"system": "urn:oid:1.2.3", "value": "000003"}]])
def test_vali_without_ins_is_not_qualified(identifier: object) -> None:
    assert report(in_patient(identifier=identifier)).patient.identity_status == "validee"


def ins_in(*identifiers: Json) -> Identifier | None:
    return report(in_patient(identifier=list(identifiers))).patient.ins


NIR = {"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "279035121518989"}
NIA = {"use": "temp", "system": "urn:oid:1.2.250.1.213.1.4.9", "value": "255069999999932"}


def test_the_official_nir_comes_before_the_temporary_nia() -> None:
    found = ins_in(NIA, {"use": "official", **NIR})
    assert found == Identifier(value="279035121518989", system="1.2.250.1.213.1.4.10")


def test_an_old_ins_does_not_count() -> None:
    assert ins_in({"use": "old", **NIR}) is None


@pytest.mark.req("REQ-13")
@pytest.mark.parametrize(
    "system", ["urn:oid:1.2.250.1.213.1.4.5", "urn:oid:1.2.250.1.213.1.1.1", "http://ameli.fr/nir"]
)
def test_an_ins_under_a_wrong_system_is_kept_so_that_the_rule_names_it(system: str) -> None:
    made = report(in_patient(identifier=[{"system": system, "value": "279035121518989"}])).patient
    assert made.ins == Identifier(value="279035121518989", system=system.removeprefix("urn:oid:"))
    assert made.identity_status == "validee"


@pytest.mark.parametrize(
    ("names", "birth", "used", "found"),
    [
        (
            [
                {"use": "official", "family": "A", "given": ["B"]},
                {"use": "usual", "family": "C", "given": ["D"]},
            ],
            ("A", "B", "B"),
            ("C", "D"),
            [],
        ),
        ([{"use": "maiden", "family": "A", "given": ["B", "E"]}], ("A", "B", "B E"), ("", ""), []),
        ([{"family": "A", "given": ["B"]}], ("A", "B", "B"), ("", ""), ["NAME-TYPE-MISSING"]),
        (
            [{"use": "old", "family": "X"}, {"family": "A", "given": ["B"]}],
            ("A", "B", "B"),
            ("", ""),
            ["NAME-TYPE-MISSING"],
        ),
    ],
)
def test_names(names: list[Json], birth: tuple[str, ...], used: tuple[str, str], found: list[str]) -> None:
    made = mapped(in_patient(name=names))
    assert made.report is not None
    patient = made.report.patient
    assert (patient.birth_family, patient.birth_given, patient.birth_given_names) == birth
    assert (patient.used_family, patient.used_given) == used
    assert codes(made) == found


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ({"city": "DOMPREMY", "district": "51215"}, "51215"),  # published ANS example without the extension
        ({"city": "AJACCIO", "district": "2A004"}, "2A004"),
        ({"city": "PARIS", "district": "Marne"}, ""),
    ],
)
def test_birth_place_code(place: Json, code: str) -> None:
    extension = [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": place}]
    assert report(in_patient(extension=extension)).patient.birth_place_code == code


@pytest.mark.parametrize(
    ("gender", "sex"), [("female", "F"), ("male", "M"), ("unknown", "UN"), ("other", "UN"), (None, None)]
)
def test_gender(gender: str | None, sex: str | None) -> None:
    assert report(in_patient(gender=gender)).patient.sex == sex


def test_the_rest_of_the_patient() -> None:
    guardian = {
        "relationship": [{"coding": [{"code": "GUARD"}]}],
        "name": {"family": "NESSI", "given": ["Jeanne"]},
        "telecom": [{"system": "phone", "value": "01.02.03.04.05"}],
    }
    friend = {"relationship": [{"coding": [{"code": "C"}]}], "name": {"family": "AUTRE"}}
    patient = report(
        in_patient(contact=[guardian, friend], deceasedBoolean=True, multipleBirthInteger=2)
    ).patient
    assert [(one.family, one.given, one.telecoms[0].value) for one in patient.guardians] == [
        ("NESSI", "Jeanne", "tel:0102030405")
    ]
    assert (patient.deceased, patient.multiple_birth_order) == (True, 2)


def test_an_absent_patient_is_an_error_and_the_report_is_still_shown() -> None:
    made = mapped(without("Patient"))
    assert places(made, "PATIENT-MISSING") == [f"{REPORT}.subject"]
    assert f"{REPORT}.subject.reference" in places(made, "REF-DANGLING")
    assert made.report is not None


@pytest.mark.parametrize(("kind", "entry"), [("ServiceRequest", 6), ("ImagingStudy", 7), ("Observation", 8)])
def test_a_resource_about_another_patient_is_an_error(kind: str, entry: int) -> None:
    def swap(tree: Json) -> None:
        tree["entry"].append({"fullUrl": "urn:uuid:other", "resource": {"resourceType": "Patient"}})
        resource(tree, kind)["subject"] = {"reference": "urn:uuid:other"}

    assert places(mapped(swap), "SUBJECT-MISMATCH") == [f"Bundle.entry[{entry}].resource.subject"]


# --- professionals and structures


def radiologist(*identifiers: Json) -> str:
    made = report(setting("Practitioner", identifier=list(identifiers) or None)).legal_authenticator
    assert made is not None
    return made.id


@pytest.mark.req("REQ-19")
def test_national_numbers_get_their_type_digit() -> None:
    rpps = {"system": "https://rpps.esante.gouv.fr", "value": "01234560801"}
    idnps = {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "801234560899"}
    assert radiologist(rpps) == "801234560801"
    assert radiologist(rpps, idnps) == "801234560899"  # the prefixed number first
    assert radiologist({"system": "http://example.org", "value": "01234560801"}) == ""
    assert radiologist() == ""


@pytest.mark.req("REQ-20")
@pytest.mark.parametrize(
    ("system", "kind", "value", "made"),
    [
        ("urn:oid:1.2.250.1.71.4.2.2", "IDNST", "1920008059", "1920008059"),
        ("https://finess.esante.gouv.fr", "FINEG", "920008059", "1920008059"),
        ("https://finess.esante.gouv.fr", "FINEJ", "920008059", "1920008059"),
        ("https://sirene.fr", "SIRET", "12345678901234", "312345678901234"),
        ("https://sirene.fr", "SIREN", "123456789", "2123456789"),
        ("https://rppsrang.esante.gouv.fr", "INTRN", "1012345678911", "41012345678911"),
    ],
)
def test_structure_numbers(system: str, kind: str, value: str, made: str) -> None:
    identifier = {"system": system, "value": value, "type": {"coding": [{"code": kind}]}}
    performer = report(setting("Organization", identifier=[identifier])).performer
    assert performer is not None
    assert performer.id == made


@pytest.mark.req("REQ-05")
def test_a_requester_named_by_number_alone_is_read() -> None:
    named = {
        "identifier": {"system": "https://rpps.esante.gouv.fr", "value": "01234567891"},
        "display": "Dr MARTIN",
    }
    made = mapped(setting("ServiceRequest", requester=named))
    assert made.report is not None
    assert made.report.requester is not None
    assert (made.report.requester.id, made.report.requester.family) == ("801234567891", "Dr MARTIN")
    assert codes(made) == []


def test_a_performer_answers_for_nothing_and_is_author_where_nobody_interpreted() -> None:
    def performer_only(tree: Json) -> None:
        node = resource(tree, "DiagnosticReport")
        del node["resultsInterpreter"]
        node["performer"].append({"reference": url(tree, "Practitioner")})

    made = report(performer_only)
    assert [one.family for one in made.authors] == ["BIDEAULT"]
    assert made.legal_authenticator is None


def attested(**fields: object) -> Change:
    def change(tree: Json) -> None:
        attester = {"mode": "legal", "party": {"reference": url(tree, "Practitioner", 1)}, **fields}
        composition = {
            "resourceType": "Composition",
            "status": "final",
            "type": {"text": "CR"},
            "date": "2021-01-08",
            "author": [{"display": "x"}],
            "title": "CR",
            "attester": [attester],
            "relatesTo": [
                {"code": "replaces", "targetIdentifier": {"system": "urn:oid:1.2.3", "value": "D1"}}
            ],
        }
        tree["entry"].insert(0, {"fullUrl": "urn:uuid:composition", "resource": composition})

    return change


def test_a_legal_attester_of_the_composition_answers_for_the_report() -> None:
    made = report(attested(time="2021-01-08T12:00:00+01:00"))
    assert made.legal_authenticator is not None
    assert made.legal_authenticator.family == "DUPONT"
    assert made.validated_at == datetime.fromisoformat("2021-01-08T11:17:00+01:00")  # issued stays first
    assert made.replaces == Identifier(value="1.2.3^D1"), "as XDS names a document"
    later = report(attested(time="2021-01-08T12:00:00+01:00"), setting("DiagnosticReport", issued=None))
    assert later.validated_at == datetime.fromisoformat("2021-01-08T12:00:00+01:00")


@pytest.mark.req("REQ-26")
def test_the_exam_time_never_stands_in_for_the_validation_time() -> None:
    assert report(setting("DiagnosticReport", issued=None)).validated_at is None


# --- orders, acts, studies


@pytest.mark.req("REQ-05", "REQ-27")
def test_logical_identifiers_stand_for_absent_resources() -> None:
    fields = {
        "basedOn": [
            {
                "identifier": {
                    "type": {"coding": [{"code": "ACSN"}]},
                    "system": "urn:oid:1.2.3",
                    "value": "ACC-1",
                }
            }
        ],
        "imagingStudy": [{"identifier": {"system": "urn:dicom:uid", "value": "1.2.840.1.5"}}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "24727-0"}]},
    }
    made = mapped(setting("DiagnosticReport", **fields))
    assert made.report is not None
    accession = Identifier(value="ACC-1", system="1.2.3")
    assert made.report.orders == (OrderReference(accession=accession),)
    assert [(one.uid, one.accession) for one in made.report.studies] == [("1.2.840.1.5", accession)]
    (act,) = made.report.acts
    assert act.code is not None
    assert (act.code.code, act.study_uid, act.accession) == ("24727-0", "1.2.840.1.5", accession)
    assert codes(made) == []


@pytest.mark.req("REQ-27")
@pytest.mark.parametrize("value", ["1.2.840.1.5", "urn:oid:1.2.840.1.5"])
def test_a_study_uid_comes_bare_or_as_a_urn(value: str) -> None:
    made = report(setting("ImagingStudy", identifier=[{"system": "urn:dicom:uid", "value": value}]))
    assert [one.uid for one in made.studies] == ["1.2.840.1.5"]


@pytest.mark.parametrize("value", ["1.2.840.01.5", "x", "1." * 33 + "1", "1"])
def test_a_study_uid_of_a_wrong_form_is_a_finding_and_no_pointer(value: str) -> None:
    made = mapped(setting("ImagingStudy", identifier=[{"system": "urn:dicom:uid", "value": value}]))
    assert places(made, "STUDY-UID-FORM") == ["Bundle.entry[7].resource.identifier[0].value"]
    assert made.report is not None
    assert made.report.studies == ()


def second_study(tree: Json) -> None:
    """A second order with a study of its own."""
    request, study = dict(resource(tree, "ServiceRequest")), dict(resource(tree, "ImagingStudy"))
    request["identifier"] = [
        {"type": {"coding": [{"code": "ACSN"}]}, "system": "urn:oid:1.2.3", "value": "ACC-2"}
    ]
    request["code"] = {
        "coding": [{"system": "urn:oid:1.2.250.1.215.300.1", "code": "ZBQH001"}],
        "text": "Thorax",
    }
    study["identifier"] = [{"system": "urn:dicom:uid", "value": "1.2.840.1.6"}]
    study["basedOn"] = [{"reference": "urn:uuid:second"}]
    report = resource(tree, "DiagnosticReport")
    tree["entry"].append({"fullUrl": "urn:uuid:second", "resource": request})
    tree["entry"].append({"fullUrl": "urn:uuid:second-study", "resource": study})
    report["basedOn"].append({"reference": "urn:uuid:second"})
    report["imagingStudy"].insert(0, {"reference": "urn:uuid:second-study"})


def test_each_study_belongs_to_the_order_that_it_answers() -> None:
    made = report(second_study)
    assert [(act.label, act.study_uid, act.accession and act.accession.value) for act in made.acts] == [
        ("Scanner du crâne et du tronc avec injection", "1.2.250.1.925.994044.27.123.1876360", "105234751"),
        ("Thorax", "1.2.840.1.6", "ACC-2"),
    ]


def test_two_studies_of_one_order_are_two_acts() -> None:
    def more(tree: Json) -> None:
        study = dict(resource(tree, "ImagingStudy"))
        study["identifier"] = [{"system": "urn:dicom:uid", "value": "1.2.840.1.6"}]
        tree["entry"].append({"fullUrl": "urn:uuid:more", "resource": study})
        resource(tree, "DiagnosticReport")["imagingStudy"].append({"reference": "urn:uuid:more"})

    made = report(more)
    assert [act.study_uid[-4:] for act in made.acts] == ["6360", "40.1.6"[-4:]]
    assert {act.ccam.code for act in made.acts if act.ccam} == {"ACQH004"}


def test_words_of_a_ris_become_codes_and_unknown_ones_findings() -> None:
    modality = [{"system": "http://example.org", "code": "RM"}, {"code": "QQ"}]
    site = [
        {
            "coding": [
                {"system": "http://snomed.info/sct", "code": "1"},
                {"system": "http://snomed.info/sct", "code": "67734004"},
            ]
        }
    ]
    made = mapped(setting("ImagingStudy", modality=modality), setting("ServiceRequest", bodySite=site))
    assert made.report is not None
    assert [one.code for one in made.report.acts[0].modalities] == ["MR"]
    assert [one.code for one in made.report.acts[0].regions] == ["67734004"]
    assert set(places(made, "CODE-UNKNOWN")) == {
        "Bundle.entry[7].resource.modality[1].code",
        "Bundle.entry[6].resource.bodySite[0].coding[0].code",
    }


@pytest.mark.parametrize(
    ("fields", "start", "end"),
    [
        ({"effectiveDateTime": "2021-01-08T09:25:00Z"}, "2021-01-08T10:25:00+01:00", None),
        ({"effectiveDateTime": "2021-07-08"}, "2021-07-08T00:00:00+02:00", None),
        (
            {
                "effectiveDateTime": None,
                "effectivePeriod": {"start": "2021-01-08T10:25:00+01:00", "end": "2021-01-08T10:50:00+01:00"},
            },
            "2021-01-08T10:25:00+01:00",
            "2021-01-08T10:50:00+01:00",
        ),
    ],
)
def test_times_of_the_exam_stand_in_the_offset_of_the_site(fields: Json, start: str, end: str | None) -> None:
    (act,) = report(setting("DiagnosticReport", **fields), setting("ImagingStudy", started=None)).acts
    assert (act.start and act.start.isoformat(), act.end and act.end.isoformat()) == (start, end)


@pytest.mark.parametrize(("kind", "patient_class"), [("AMB", "O"), ("IMP", "I"), ("EMER", "E")])
def test_encounter(kind: str, patient_class: str) -> None:
    made = mapped(setting("Encounter", **{"class": {"code": kind}}))
    assert made.report is not None
    assert (made.report.encounter.kind, made.context.patient_class) == (kind, patient_class)


@pytest.mark.parametrize("change", [without("Encounter"), setting("DiagnosticReport", encounter=None)])
def test_without_encounter_ambulatory_is_assumed_and_said(change: Change) -> None:
    made = mapped(change)
    assert made.report is not None
    assert made.report.encounter.kind == "AMB"
    assert places(made, "ENCOUNTER-CLASS-GUESSED") == [f"{REPORT}.encounter"]


# --- context


@pytest.mark.req("REQ-38", "REQ-39")
@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("INVISIBLE_PATIENT", "invisible_patient"),
        ("MASQUE_PS", "masked_ps"),
        ("INVISIBLE_REPRESENTANTS_LEGAUX", "invisible_legal_representatives"),
    ],
)
def test_masks_of_meta_security_become_flags(code: str, field: str) -> None:
    security = [{"system": "urn:oid:1.2.250.1.213.1.1.4.13", "code": code}, {"code": "N"}]
    made = mapped(setting("DiagnosticReport", meta={"security": security}))
    assert made.context.flags == Flags(**{field: True})


def test_the_context_says_how_the_report_came() -> None:
    context = mapped().context
    assert (context.protocol, context.site, context.message_type) == ("fhir", "default", "Bundle/transaction")
    assert (context.control_id, context.flags) == ("20210108111705-42", Flags())
    assert context.sent_at == datetime.fromisoformat("2021-01-08T11:17:05+01:00")


# --- references, provenance, coverage


@pytest.mark.req("REQ-07")
@pytest.mark.parametrize(
    ("kind", "element"),
    [
        ("Practitioner", "Bundle.entry[4].resource.practitioner.reference"),
        ("ServiceRequest", f"{REPORT}.basedOn[0].reference"),
        ("ImagingStudy", f"{REPORT}.imagingStudy[0].reference"),
        ("PractitionerRole", f"{REPORT}.resultsInterpreter[0].reference"),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error_told_once(kind: str, element: str) -> None:
    made = mapped(without(kind))
    assert places(made, "REF-DANGLING").count(element) == 1


def test_provenance_leads_back_to_the_element() -> None:
    made = mapped()
    source = {one.path: one.source for one in made.provenance if one.source}
    assert source["patient.birth_family"] == "Bundle.entry[0].resource.name[0].family"
    assert source["patient.ins"] == "Bundle.entry[0].resource.identifier[0].value"
    assert source["validated_at"] == f"{REPORT}.issued"
    assert source["legal_authenticator.id"] == "Bundle.entry[1].resource.identifier[0].value"
    assert source["orders[0].accession"] == "Bundle.entry[6].resource.identifier[2].value"
    assert source["status"] == f"{REPORT}.status"
    assert [one.rule for one in made.provenance if one.path == "custodian"] == ["default.toml:custodian"]


def test_every_value_of_the_bundle_is_mapped_kept_or_ignored_by_a_rule() -> None:
    made = mapped(setting("Patient", maritalStatus={"text": "M"}))
    coverage = made.coverage
    ignored = {path for path, _ in coverage.ignored}
    everything = [*coverage.mapped, *coverage.kept, *ignored]
    assert len(everything) == len(set(everything))
    assert "Bundle.entry[0].resource.maritalStatus.text" in coverage.kept
    assert f"{REPORT}.conclusion" in coverage.mapped
    assert dict(coverage.ignored)["Bundle.entry[0].fullUrl"] == "bundle-envelope"
    missing = {"Bundle.type", f"{REPORT}.issued", "Bundle.entry[0].resource.birthDate"} - set(coverage.mapped)
    assert missing == set()


def test_several_reports_of_one_bundle_are_mapped_each_for_itself() -> None:
    from gateway.fhir import read
    from gateway.mapping import fhir
    from tests.fhir_cases import encode, profile

    def second(tree: Json) -> None:
        other = dict(resource(tree, "DiagnosticReport"), status="preliminary")
        other["identifier"] = [{"system": "urn:oid:1.2.3", "value": "OTHER"}]
        tree["entry"].append({"fullUrl": "urn:uuid:other", "resource": other})

    made = fhir.reports(read(encode(bundle(second))), profile())
    assert [one.report and one.report.report_set.value for one in made] == ["CR-2021-000042", "OTHER"]
    assert made[0] == replace(mapped(), trace=replace(mapped().traced, coverage=made[0].coverage))
    assert isinstance(made[1], Mapped)
