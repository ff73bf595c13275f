"""How values read in French, on every page we set: names, dates, places, telephone numbers, headings."""

import re
from datetime import datetime, tzinfo
from typing import Final

from gateway.model.imaging import Quantity
from gateway.model.people import Patient, Practitioner, Sex
from gateway.model.report import SectionKind
from gateway.model.terms import (
    CIM10,
    INS_NIA,
    INS_NIR,
    INS_NIR_DEMO,
    INS_NIR_TEST,
    SNOMED_CT,
    Address,
    Code,
    Identifier,
    Telecom,
)

DOSES: Final[dict[str, str]] = {
    "111636": "Kerma dans l'air à l'entrée du patient",
    "111637": "Dose glandulaire moyenne totale",
    "113722": "Produit dose surface total",
    "113726": "Produit dose surface de scopie total",
    "113727": "Produit dose surface de graphie total",
    "113730": "Temps total de scopie",
    "113731": "Nombre total d'images radiographiques",
    "113507": "Activité administrée",
    "113813": "Produit dose longueur total",
    "113830": "Indice de dose scanographique volumique moyen",
    "113839": "Dose efficace",
}
"""DCM codes of doses (JDV 1.2.250.1.213.1.1.5.620)."""

Rows = tuple[tuple[str, str], ...]
"""(label, value) pairs, in words."""

NBSP: Final = "\N{NO-BREAK SPACE}"

HEADINGS: Final[dict[SectionKind, str]] = {
    SectionKind.ADDENDUM: "Addendum",
    SectionKind.CLINICAL: "Indication",
    SectionKind.REQUEST: "Motif de la demande",
    SectionKind.HISTORY: "Antécédents",
    SectionKind.PROCEDURE: "Technique",
    SectionKind.COMPLICATIONS: "Complications",
    SectionKind.EXPOSURE: "Exposition aux rayonnements",
    SectionKind.COMPARISON: "Examens comparatifs",
    SectionKind.FINDINGS: "Résultats",
    SectionKind.CONCLUSION: "Conclusion",
    SectionKind.RECOMMENDATION: "Recommandations",
    SectionKind.COMMENT: "Commentaire",
    SectionKind.MEDICAL_HISTORY: "Antécédents médicaux",
    SectionKind.SURGICAL_HISTORY: "Antécédents chirurgicaux",
    SectionKind.CONTRAINDICATIONS: "Contre-indications",
    SectionKind.PRIOR_RESULTS: "Résultats d'examens antérieurs",
    SectionKind.PATIENT_INFORMATION: "Information du patient",
    SectionKind.REPORT: "Compte rendu",
}
"""Heading of a section whose sender wrote none."""

INS_KINDS: Final[dict[str, str]] = {
    INS_NIR: "NIR",
    INS_NIA: "NIA",
    INS_NIR_TEST: "NIR de test",
    INS_NIR_DEMO: "NIR de démonstration",
}

SEXES: Final[dict[Sex | None, str]] = {
    Sex.FEMALE: "Féminin",
    Sex.MALE: "Masculin",
    Sex.UNDIFFERENTIATED: "Indéterminé",
    None: "Non renseigné",
}
BORN: Final[dict[Sex | None, str]] = {Sex.FEMALE: "Née le", Sex.MALE: "Né le"}

WHOLE: Final = HEADINGS[SectionKind.REPORT]
_SHORT_TITLE = re.compile(r"^CR (?=d['’])")

_TITLES = {"DR": "Dr", "PR": "Pr"}
_ARTICLED = frozenset(_TITLES.values())
_CIVILITIES = {"M": "M.", "MME": "Mme"}
_MODALITIES = {
    "BMD": "Ostéodensitométrie",
    "CR": "Radiographie",
    "CT": "Scanner",
    "DX": "Radiographie",
    "MG": "Mammographie",
    "MR": "IRM",
    "NM": "Scintigraphie",
    "PT": "Tomographie par émission de positons",
    "RF": "Radioscopie",
    "RG": "Radiographie",
    "US": "Échographie",
    "XA": "Angiographie",
}
"""What people call an acquisition modality, where an act has no label."""


def document_title(title: str) -> str:
    """`CR d'imagerie médicale - Scanner` → `Compte rendu d'imagerie médicale – Scanner`."""
    return _SHORT_TITLE.sub("Compte rendu ", title).replace(" - ", " – ")


def modality(code: str) -> str:
    return _MODALITIES.get(code, code)


def title(who: Practitioner) -> str:
    """`Dr`, `Pr`, else the civility, "" when nothing is known."""
    for value in (who.suffix, who.prefix):
        plain = value.replace(".", "").upper()
        found = _TITLES.get(plain) or _CIVILITIES.get(plain)
        if found:
            return found
    return ""


def person(who: Practitioner) -> str:
    """`Dr Jacques BIDEAULT`: title and name do not part at a line end."""
    name = " ".join(filter(None, (who.given, who.family.upper())))
    return NBSP.join(filter(None, (title(who), name)))


def by_person(who: Practitioner) -> str:
    """`par le Dr …`, `par Mme …`."""
    return f"par le {person(who)}" if title(who) in _ARTICLED else f"par {person(who)}"


def day(moment: datetime, tz: tzinfo) -> str:
    return moment.astimezone(tz).strftime("%d/%m/%Y")


def moment(value: datetime, tz: tzinfo) -> str:
    """`08/01/2021 à 11:17`, in the site's local time."""
    return f"{day(value, tz)} à {value.astimezone(tz):%H:%M}"


def iso_day(value: str) -> str:
    """`1979-03-28` → `28/03/1979`; partial dates keep what they have (`03/1979`, `1979`)."""
    return "/".join(reversed(value.split("-")))


def place(code: str, name: str) -> str:
    """`DOMPREMY (51215)`: birth place with its COG code."""
    return f"{name} ({code})" if name and code else name or code


def postal(found: Address | None) -> tuple[str, ...]:
    """Lines of an address as on an envelope; the country only abroad."""
    if found is None:
        return ()
    town = " ".join(filter(None, (found.postal_code, found.city)))
    country = "" if found.country.upper() in ("FRA", "FR", "FRANCE") else found.country
    return tuple(filter(None, (*found.lines, town, country)))


_SCHEMES = {"tel": "Tél.", "fax": "Fax", "mailto": "Courriel"}


def telecom(found: Telecom) -> str:
    """`Tél. : 01 46 00 00 00`; "" for a scheme that no letterhead shows."""
    scheme, _, value = found.value.partition(":")
    label = _SCHEMES.get(scheme, "")
    if scheme in ("tel", "fax") and len(value) == 10 and value.isdecimal():
        value = NBSP.join(value[i : i + 2] for i in range(0, 10, 2))
    return f"{label}{NBSP}: {value}" if label and value else ""


def identity(who: Patient, ins: Identifier | None) -> Rows:
    """The five reference traits, the used name where it differs, INS with its OID, local identifiers.

    `ins` is the matricule to print, None for an identity that is not qualified (référentiel INS; REQ-15).
    """
    used_family = who.used_family if who.used_family != who.birth_family else ""
    used_given = who.used_given if who.used_given != who.birth_given else ""
    rows = [
        ("Nom de naissance", who.birth_family),
        ("Prénom(s) de naissance", who.birth_given_names or who.birth_given),
        ("Nom utilisé", used_family),
        ("Prénom utilisé", used_given),
        (BORN.get(who.sex, "Né(e) le"), iso_day(who.birth_date)),
        ("Lieu de naissance", place(who.birth_place_code, who.birth_place_name)),
        ("Sexe", SEXES[who.sex]),
    ]
    if ins is not None:
        kind = INS_KINDS.get(ins.system, "")
        rows.append(("Matricule INS", f"{ins.value} ({kind})" if kind else ins.value))
        rows.append(("OID", ins.system))
    rows.append(("IPP", ", ".join(found.value for found in who.identifiers)))
    return filled(rows)


_NUMBER = re.compile(r"-?\d+(\.\d+)?")


_SYSTEMS: Final = {CIM10: "CIM-10 ", SNOMED_CT: "SNOMED CT "}


def coded(code: Code) -> str:
    """`Céphalée [CIM-10 R51]`: what it means, and the code for who looks it up."""
    return " ".join(filter(None, (code.display, f"[{_SYSTEMS.get(code.system, '')}{code.code}]")))


def quantity(found: Quantity | None) -> str:
    """`1140,26 mGy.cm`: as French readers write it; what is no number stays as it came."""
    if found is None:
        return ""
    value = found.value.replace(".", ",") if _NUMBER.fullmatch(found.value) else found.value
    return f"{value} {found.unit}" if found.unit not in ("", "1") else value


def filled(rows: list[tuple[str, str]]) -> Rows:
    """The rows that say something."""
    return tuple((label, value) for label, value in rows if value)
