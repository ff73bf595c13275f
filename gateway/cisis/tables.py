"""Code derivations of the CI-SIS sharing profile, as data; each table names its source.

Value sets and associations: NOS (ANS), `JDV_J…` and `ASS_…`; spec dmp-mss.md §1.3.
"""

from gateway.model.submission import Action
from gateway.model.terms import Code

TRE_A03 = "1.2.250.1.213.1.1.4.1"
TRE_A06 = "1.2.250.1.213.1.1.4.2.282"
TRE_A07 = "1.2.250.1.213.1.1.4.13"
TRE_A11 = "1.3.6.1.4.1.19376.1.2.3"
TRE_R209 = "1.2.250.1.213.2.2"
TRE_A00 = "1.2.250.1.213.1.1.4.6"

IMAGING = Code(code="31", system=TRE_A03, display="Imagerie médicale")
REQUEST = Code(code="42", system=TRE_A03)

CLASS_CODES: dict[str, Code] = {
    "18748-4": IMAGING,
    "55115-0": REQUEST,
}
"""classCode by typeCode: ASS_X16 (DMP, v20240223), the same in ASS_X04 (CI-SIS, v20240426)."""

XDS_SD = "1.3.6.1.4.1.19376.1.2.20"
"""templateId of an unstructured document (N1)."""

UNSTRUCTURED_FORMATS: dict[str, Code] = {
    "application/pdf": Code(
        code="urn:ihe:iti:xds-sd:pdf:2008",
        system=TRE_A11,
        display="Document à corps non structuré en Pdf/A-1",
    ),
    "text/plain": Code(
        code="urn:ihe:iti:xds-sd:text:2008",
        system=TRE_A11,
        display="Document à corps non structuré en texte brut",
    ),
    "text/rtf": Code(
        code="urn:ihe:iti-fr:xds-sd:rtf:2010",
        system=TRE_A11,
        display="Document à corps non structuré en format rtf",
    ),
    "image/jpeg": Code(
        code="urn:ihe:iti-fr:xds-sd:jpeg:2010",
        system=TRE_A11,
        display="Document à corps non structuré en format jpeg",
    ),
    "image/tiff": Code(
        code="urn:ihe:iti-fr:xds-sd:tiff:2010",
        system=TRE_A11,
        display="Document à corps non structuré en format tiff",
    ),
}
"""formatCode of an N1 by nonXMLBody/text/@mediaType: ASS_A12; displays JDV_J60 (DMP)."""

STRUCTURED_FORMATS: dict[str, Code] = {
    "1.2.250.1.213.1.1.1.45": Code(
        code="urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013",
        system=TRE_A11,
        display="Compte-rendu d'imagerie médicale",
    ),
    "1.2.250.1.213.1.1.1.47": Code(
        code="urn:ans:ci-sis:img-da:2022",
        system=TRE_A06,
        display="Demande d'actes d'imagerie",
    ),
}
"""formatCode of an N3 by templateId: ASS_A11."""

UNLISTED_FORMAT = Code(
    code="urn:asipSante:modelesHorsProfils:2011",
    system=TRE_A06,
    display="Document non référencé IHE ou CI-SIS",
)
"""JDV_J60: a model that no profile lists."""

MASKS: tuple[tuple[str, Code], ...] = (
    ("masked_ps", Code(code="MASQUE_PS", system=TRE_A07, display="Masqué aux professionnels de santé")),
    (
        "invisible_patient",
        Code(code="INVISIBLE_PATIENT", system=TRE_A07, display="Non visible par le patient"),
    ),
    (
        "invisible_legal_representatives",
        Code(
            code="INVISIBLE_REPRESENTANTS_LEGAUX",
            system=TRE_A07,
            display="Non visible par les représentants légaux du patient",
        ),
    ),
)
"""(flag of the message, confidentialityCode added after that of the CDA): JDV_J08. HL7 v2 cuts
INVISIBLE_REP_LEGAUX to 20 characters, the XDS code is written in full (volet Transmission 2.1 §1.6)."""

CONTENT_TYPES: dict[str, Code] = {
    "03": Code(
        code="03",
        system=TRE_R209,
        display="Hospitalisation complète (non compris hospitalisation de semaine)",
    ),
    "07": Code(code="07", system=TRE_R209, display="Consultations soins externes"),
    "19": Code(code="19", system=TRE_R209, display="Traitement et cure ambulatoire"),
    "97": Code(code="97", system=TRE_R209, display="Type d'activité indifférencié"),
}
"""contentTypeCode: JDV_J59 (DMP), TRE_R209."""

CONTENT_TYPE_BY_PATIENT_CLASS: dict[str, str] = {"I": "03", "O": "07", "R": "19", "N": "97", "E": "07"}
"""PV1-2 → contentTypeCode: volet Transmission 2.1, "Mapping VIHF et XDS"."""

CONTENT_TYPE_BY_ENCOUNTER: dict[str, str] = {"IMP": "03", "ACUTE": "03", "AMB": "07", "EMER": "07"}
"""HL7 ActEncounterCode → contentTypeCode, for messages without PV1-2 (FHIR); same meaning as above."""

UNKNOWN_CONTENT_TYPE = "97"

DEVICE = Code(code="DISPOSITIF", system=TRE_A00, display="dispositif médical")
"""authorSpecialty of an automaton."""

SEXES: dict[str, str] = {"M": "M", "F": "F", "UN": "O"}
"""administrativeGenderCode → PID-8 of sourcePatientInfo (of table 0001, IHE ITI TF-3 keeps M, F, O, U)."""

ACCESSION = "urn:ihe:iti:xds:2013:accession"
ORDER = "urn:ihe:iti:xds:2013:order"
STUDY_UID = "urn:ihe:iti:xds:2016:studyInstanceUID"
"""Types of referenceIdList: JDV_J231 (DMP) allows exactly these three."""

ACTION_SLOT = "urn:action:extraMetadataSlot"
ACTION_REPLACE = "C"
ACTION_DELETE = "D"
EXCHANGE_ACTIONS: dict[Action, str] = {
    Action.CREATE: "",
    Action.REPLACE: ACTION_REPLACE,
    Action.DELETE: ACTION_DELETE,
}
"""Extra metadata of a mail that replaces or withdraws (volet Transmission 2.1, examples; spec §3.1)."""
