"""Templates, section codes and small value sets of the imaging volets 2024.01 (cda.md §4, §6, §7).

Labels are French; each table names its value set (JDV). Codes only: the labels are our own words.
"""

from typing import Final, NamedTuple

from gateway.model.terms import CISIS_TERMS, DCM, LOINC, SNOMED_CT, Code, Identifier

SECTIONS: Final = "1.2.250.1.213.1.1.2."
ENTRIES: Final = "1.2.250.1.213.1.1.3."
SOP_CLASSES: Final = "1.2.840.10008.2.6.1"
EMDN: Final = "1.2.250.1.213.2.68"

_COMMON: Final = (
    Identifier(value="", system="2.16.840.1.113883.2.8.2.1"),
    Identifier(value="", system="1.2.250.1.213.1.1.1.1"),
)
N3_TEMPLATES: Final = (
    *_COMMON,
    Identifier(value="", system="1.2.840.10008.9.1"),
    Identifier(value="", system="1.2.840.10008.9.20"),
    Identifier(value="", system="1.2.840.10008.9.21"),
    Identifier(value="2024.01", system="1.2.250.1.213.1.1.1.45"),
)
ORDER_TEMPLATES: Final = (
    *_COMMON,
    Identifier(value="", system="1.2.840.10008.9.20"),
    Identifier(value="2024.01", system="1.2.250.1.213.1.1.1.47"),
)


class SectionSpec(NamedTuple):
    """What never changes in a section: its name among the ids, templates, code and French title."""

    key: str
    templates: tuple[str, ...]
    code: Code
    title: str


def _section(
    key: str, code: str, title: str, *templates: str, label: str = "", system: str = LOINC
) -> SectionSpec:
    return SectionSpec(key, templates, Code(code=code, system=system, display=label or title), title)


ADDENDUM: Final = _section("addendum", "55107-7", "Addendum", "1.2.840.10008.9.6", SECTIONS + "210")
CLINICAL: Final = _section(
    "clinical", "55752-0", "Informations cliniques", "1.2.840.10008.9.2", SECTIONS + "205"
)
REQUEST: Final = _section(
    "request", "55115-0", "Demande d'examen", "1.2.840.10008.9.7", SECTIONS + "211", label="Demande"
)
HISTORY: Final = _section(
    "history", "11329-0", "Historique médical", "2.16.840.1.113883.10.20.22.2.39", SECTIONS + "213"
)
PROCEDURE: Final = _section(
    "procedure",
    "55111-9",
    "Acte d'imagerie",
    "1.2.840.10008.9.3",
    SECTIONS + "206",
    label="Description de l'acte d'imagerie",
)
COMPLICATIONS: Final = _section(
    "complications", "55109-3", "Complications", "2.16.840.1.113883.10.20.22.2.37", SECTIONS + "214"
)
EXPOSURE: Final = _section(
    "exposure", "73569-6", "Exposition aux rayonnements", "1.2.840.10008.9.8", SECTIONS + "215"
)
CATALOGUE: Final = _section(
    "catalogue",
    "121181",
    "Catalogue d'objets DICOM",
    "2.16.840.1.113883.10.20.6.1.1",
    SECTIONS + "217",
    system=DCM,
)
DEVICES: Final = _section(
    "devices",
    "46264-8",
    "Dispositifs médicaux",
    "2.16.840.1.11383.10.20.1.7",  # as in the official example; CCD itself has …113883…
    "1.3.6.1.4.1.19376.1.5.3.1.1.5.3.5",
    SECTIONS + "1",
)
FINDINGS: Final = _section(
    "findings", "59776-5", "Résultats", "2.16.840.1.113883.10.20.6.1.2", SECTIONS + "208"
)
PRIOR_RESULTS: Final = _section(
    "prior-results",
    "30954-2",
    "Résultats d'examens antérieurs",
    "1.3.6.1.4.1.19376.1.5.3.1.3.27",
    SECTIONS + "150",
)
COMPARISON: Final = _section(
    "comparison", "18834-2", "Examens comparatifs", "1.2.840.10008.9.4", SECTIONS + "207"
)
CONCLUSION: Final = _section("conclusion", "19005-8", "Conclusion", "1.2.840.10008.9.5", SECTIONS + "209")
COMMENT: Final = _section("comment", "55112-7", "Commentaire", SECTIONS + "73")
DOCUMENTS: Final = _section("documents", "55107-7", "Documents ajoutés", SECTIONS + "37")
EDUCATION: Final = _section(
    "education",
    "34895-3",
    "Information du patient",
    "1.3.6.1.4.1.19376.1.5.3.1.1.9.38",
    "1.3.6.1.4.1.19376.1.5.3.1.1.9.39",
    SECTIONS + "107",
)
PLAN: Final = _section(
    "plan",
    "18776-5",
    "Actes d'imagerie demandés",
    "2.16.840.1.113883.10.20.1.10",
    "1.3.6.1.4.1.19376.1.5.3.1.3.36",
    SECTIONS + "158",
    SECTIONS + "158.3",
    label="Plan de soins",
)

TOPOGRAPHY: Final = Code(code="106233006", system=SNOMED_CT, display="Modificateur topographique")
MODALITY_NAME: Final = Code(code="121139", system=DCM, display="Modalité")

RIGHT, LEFT, ONE_SIDE, BOTH_SIDES = "24028007", "7771000", "66459002", "51440002"
SIDES: Final[dict[str, str]] = {
    RIGHT: "Droit",
    LEFT: "Gauche",
    ONE_SIDE: "Unilatéral",
    BOTH_SIDES: "Bilatéral",
}

PREGNANCY: Final[dict[str, str]] = {
    "60001007": "Absence de grossesse",
    "77386006": "Enceinte",
    "261665006": "Inconnu",
}
"""JDV 1.2.250.1.213.1.1.5.671."""
NOT_PREGNANT, PREGNANCY_UNKNOWN = "60001007", "261665006"

PRODUCT_UNITS: Final = frozenset(
    (
        *("mL", "ml", "cL", "dL", "L", "l", "ug", "mg", "g", "kg", "mmol", "mol", "[iU]", "mg/mL", "mL/s"),
        *("Bq", "kBq", "MBq", "GBq"),
    )
)
"""UCUM units that products come in."""

DOSE_UNITS: Final[dict[str, tuple[str, str]]] = {
    **{unit: (unit, "1") for unit in ("Gy", "mGy", "mGy.cm", "Sv", "s", "min", "h")},
    "": ("", "1"),
    "1": ("", "1"),
    "mSv": ("Sv", "0.001"),
    "uSv": ("Sv", "0.000001"),
    "uGy": ("mGy", "0.001"),
    "cGy": ("mGy", "10"),
    "Gy.cm": ("mGy.cm", "1000"),
    "Bq": ("Bq", "1"),
    "kBq": ("Bq", "1000"),
    "MBq": ("Bq", "1000000"),
    "GBq": ("Bq", "1000000000"),
}
"""Unit of a measured dose → (unit that the rules' list of UCUM holds, factor); "" is a number alone.

That list (terminologies, 2.16.840.1.113883.6.8) is short: no mSv, no 1, and no unit of a dose area product.
"""

CONTRAINDICATIONS: Final = frozenset(
    {
        *((SNOMED_CT, "77386006"), (SNOMED_CT, "1260078007")),
        *((CISIS_TERMS, f"MED-{number}") for number in (*range(1105, 1121), 1122)),
        (CISIS_TERMS, "GEN-092.01.20"),
        *(("2.16.840.1.113883.6.3", "N18.9"), ("2.16.840.1.113883.6.3", "I50.9")),
    }
)
"""(code system, code) of JDV 1.2.250.1.213.1.1.5.659."""

REGION_SITES: Final[dict[str, tuple[Code, ...]]] = {
    region: tuple(Code(code=code, system=SNOMED_CT, display=label) for code, label in sites)
    for region, sites in {
        "63337009": (("822978001", "Cavité abdominopelvienne"),),
        "38266002": (("38266002", "Corps entier"),),
        "53120007": (("182245002", "Membre supérieur"),),
        "61685007": (("182281004", "Membre inférieur"),),
        "67734004": (("302551006", "Thorax"),),
        "774007": (("302548004", "Tête"), ("302550007", "Cou")),
        "80891009": (("302509004", "Cœur"),),
        "76752008": (("181131000", "Sein"),),
        "737561001": (("44300000", "Colonne vertébrale"),),
    }.items()
}
"""Region (JDV 5.695) → the site or sites (JDV 5.694) of the same extent.

An act whose message names only a region needs a site (SCH). The cardiovascular system has none.
"""
