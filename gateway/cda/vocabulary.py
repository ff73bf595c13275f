"""Names that the French CDA header fixes: namespaces, template ids, code systems, small tables.

The tables hold codes only as far as the header needs them; value sets of the sender's codes are data under
`mappings/codes/`. Labels are those of the ANS value sets (JDV) named beside each table.
"""

from typing import Final

from gateway.model.terms import CIM10

HL7: Final = "urn:hl7-org:v3"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
PS3_20: Final = "urn:dicom-org:ps3-20"
SDTC: Final = "urn:hl7-org:sdtc"

TEMPLATE_HL7_FRANCE: Final = "2.16.840.1.113883.2.8.2.1"
TEMPLATE_CISIS_HEADER: Final = "1.2.250.1.213.1.1.1.1"
TEMPLATE_UNSTRUCTURED: Final = "1.3.6.1.4.1.19376.1.2.20"
"""IHE XDS-SD as the CI-SIS uses it: a body that is a PDF or a plain text (N1)."""

N1_TEMPLATES: Final = (TEMPLATE_HL7_FRANCE, TEMPLATE_CISIS_HEADER, TEMPLATE_UNSTRUCTURED)
"""Exactly these three on an unstructured document; one more is an error (cda.md §3.1)."""

REPORT_CODE: Final = "18748-4"
REPORT_LABEL: Final = "CR d'imagerie médicale"

ACT_CODE: Final = "2.16.840.1.113883.5.4"
GENDER: Final = "2.16.840.1.113883.5.1"
CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
PARTICIPATION_FUNCTION: Final = "2.16.840.1.113883.5.88"
PRACTICE_SETTING: Final = "1.2.250.1.213.1.1.4.9"
PROFESSION: Final = "1.2.250.1.213.1.1.4.5"
FACILITY_TYPE: Final = "1.2.250.1.71.4.2.4"
ENCOUNTER_FRENCH: Final = "1.2.250.1.213.1.1.4.2.291"

QUALIFIER_MODALITY: Final = "121139"
"""DCM « Modality »: names the translation that holds a modality."""
QUALIFIER_REGION: Final = "39111-0"
"""LOINC « Body site »: names the translation that holds an anatomic region."""

CODE_SYSTEM_NAMES: Final[dict[str, str]] = {
    "2.16.840.1.113883.6.1": "LOINC",
    "2.16.840.1.113883.6.96": "SNOMED CT",
    "1.2.840.10008.2.16.4": "DCM",
    "1.2.250.1.215.300.1": "CCAM",
    "1.2.250.1.213.2.5": "CCAM",
    CIM10: "CIM-10",
}

GENDERS: Final[dict[str, str]] = {"F": "Féminin", "M": "Masculin", "UN": "Indéterminé"}
"""JDV_J143; `U` is not in it."""

ENCOUNTER_KINDS: Final[dict[str, tuple[str, str]]] = {
    "AMB": (ACT_CODE, "Ambulatoire (hors établissement)"),
    "IMP": (ACT_CODE, "Hospitalisation"),
    "EMER": (ACT_CODE, "Passage aux urgences"),
    "FLD": (ACT_CODE, "Terrain"),
    "HH": (ACT_CODE, "Soins à domicile"),
    "VR": (ACT_CODE, "Virtuelle"),
    "EXTERNE": (ENCOUNTER_FRENCH, "Acte et consultation externe"),
    "SEANCE": (ENCOUNTER_FRENCH, "Séance"),
}
"""JDV_J142 (1.2.250.1.213.1.1.5.589): code → (code system, label)."""

FUNCTIONS: Final[dict[str, tuple[str, str]]] = {
    "ADMPHYS": (PARTICIPATION_FUNCTION, "Responsable de l'admission"),
    "ATTPHYS": (PARTICIPATION_FUNCTION, "Référent - Responsable du patient dans la structure de soins"),
    "CORRE": ("1.2.250.1.213.1.1.4.2.280", "Correspondant"),
    "DISPHYS": (PARTICIPATION_FUNCTION, "Responsable de la sortie"),
    "PCP": (PARTICIPATION_FUNCTION, "Médecin traitant"),
}
"""JDV_J47 (1.2.250.1.213.1.1.5.124), the rows a report uses: code → (code system, label)."""

PRACTICE_SETTINGS: Final = frozenset(
    {
        *("AMBULATOIRE", "AMO", "DEPISTAGE", "ESSMS", "ETABLISSEMENT", "HAD", "MAD", "PALLIATIF", "SAD"),
        *("SAMU_SMUR", "EXP_PATIENT", "SNR"),
    }
)
"""JDV_J04 (1.2.250.1.213.1.1.5.467)."""

CIVILITIES: Final = frozenset({"M", "MME"})
"""JDV_J245."""
TITLES: Final = frozenset({"DR", "MC", "MG", "PC", "PG", "PR"})
"""JDV_J246."""

TELECOM_SCHEMES: Final = ("tel:", "fax:", "mailto:", "http:", "ftp:", "mllp:")
TELECOM_USES: Final = frozenset({"H", "HP", "HV", "WP", "DIR", "PUB", "EC", "MC", "PG"})
ADDRESS_USES: Final = frozenset({"H", "HP", "HV", "WP", "TMP"})

NULL_FLAVORS: Final = frozenset({"UNK", "NASK", "ASKU", "NAV", "MSK"})
"""The only ones of the French header (IG document-core, structuration générale)."""

MODALITIES: Final = frozenset(
    (
        *("AR", "BDUS", "BI", "BMD", "CR", "CT", "DG", "DMS", "DX", "ECG", "EEG", "EMG", "EOG", "EPS", "ES"),
        *("GM", "HD", "IO", "IVOCT", "IVUS", "KER", "LEN", "LS", "MG", "MR", "NM", "OAM", "OCT", "OP", "OPM"),
        *("OPT", "OPTBSV", "OPTENF", "OPV", "OSS", "POS", "PT", "PX", "RESP", "RF", "RG", "RTIMAGE", "SM"),
        *("SRF", "TG", "US", "VA", "XA", "XC"),
    )
)
"""DCM codes of 1.2.250.1.213.1.1.5.618 (acquisition modalities: MR, never RM; no SR, KO, OT)."""

REGIONS: Final = frozenset(
    (
        *("63337009", "38266002", "53120007", "61685007", "67734004", "774007", "113257007", "80891009"),
        *("76752008", "737561001"),
    )
)
"""SNOMED CT codes of 1.2.250.1.213.1.1.5.695 (anatomic regions)."""
