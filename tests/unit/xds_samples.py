"""One complete fictive submission for the tests of xds, cisis and mssante."""

from gateway.model.terms import DCM, INS_NIR_TEST, LOINC, PS_IDNAT, STRUCT_IDNAT, Code
from gateway.xds import Author, Cx, DocumentEntry, Submission, SubmissionSet, Xcn, Xon

DOCUMENT = b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"
ENTRY_ID = "urn:uuid:6f1f62f0-6d0c-5d3a-9c41-5d3f4b5e2a10"
SET_ID = "urn:uuid:0a9e7b1c-58a4-5f55-8a33-2c1d0e9f8b71"
INS = Cx(value="279035121518989", authority=INS_NIR_TEST, id_type="NH")
RADIOLOGIST = Xcn(id="801234560801", family="BIDEAULT", given="Jacques", authority=PS_IDNAT)
CENTRE = Xon(name="Centre de radiologie Ambroise", id="1920008059", authority=STRUCT_IDNAT)

ENTRY = DocumentEntry(
    entry_id=ENTRY_ID,
    unique_id="2.25.117",
    patient_id=INS,
    source_patient_id=Cx(value="IPP101", authority="1.2.250.1.213.4.5.2.4", id_type="PI"),
    source_patient_info=("PID-5|PAT-TROIS^DOMINIQUE^^^^^L", "PID-7|19790328", "PID-8|F"),
    title="CR d'imagerie médicale",
    creation_time="20210108101700",
    language_code="fr-FR",
    mime_type="text/xml",
    class_code=Code(code="31", system="1.2.250.1.213.1.1.4.1", display="Imagerie médicale"),
    type_code=Code(code="18748-4", system=LOINC, display="CR d'imagerie médicale"),
    format_code=Code(code="urn:ihe:iti:xds-sd:pdf:2008", system="1.3.6.1.4.1.19376.1.2.3", display="PDF"),
    confidentiality_codes=(Code(code="N", system="2.16.840.1.113883.5.25", display="Normal"),),
    healthcare_facility_type_code=Code(code="SA08", system="1.2.250.1.71.4.2.4", display="Cabinet de groupe"),
    practice_setting_code=Code(code="AMBULATOIRE", system="1.2.250.1.213.1.1.4.9", display="Ambulatoire"),
    authors=(
        Author(
            person=RADIOLOGIST,
            institutions=(CENTRE,),
            roles=("Correspondant",),
            specialties=(
                Code(
                    code="G15_10/SM44",
                    system="1.2.250.1.213.1.1.4.5",
                    display="Médecin - Radio-diagnostic (SM)",
                ),
            ),
        ),
    ),
    legal_authenticator=RADIOLOGIST,
    event_codes=(
        Code(code="24802-1", system=LOINC, display="IRM genou"),
        Code(code="MR", system=DCM, display="IRM"),
    ),
    reference_ids=(
        Cx(value="ACN102", authority="1.2.250.1.213.4.5.2.5", id_type="urn:ihe:iti:xds:2013:accession"),
    ),
    service_start_time="20210108092500",
    service_stop_time="20210108101700",
    hash="2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
    size=len(DOCUMENT),
)

SUBMISSION = Submission(
    submission_set=SubmissionSet(
        set_id=SET_ID,
        unique_id="2.25.118",
        source_id="1.2.250.1.213.4.5.2.9",
        patient_id=INS,
        submission_time="20210108101800",
        content_type_code=Code(code="07", system="1.2.250.1.213.2.2", display="Consultations soins externes"),
        authors=(Author(person=RADIOLOGIST, institutions=(CENTRE,)),),
        title="CR d'imagerie médicale",
    ),
    entries=(ENTRY,),
)
