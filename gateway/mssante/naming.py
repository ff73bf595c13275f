"""Names that a receiving software shows or parses: subject and PDF name (spec dmp-mss.md §3.1)."""

import re
import unicodedata
from functools import lru_cache

from gateway.cda import CdaHeader

PREFIX = "XDM/1.0/DDM+"
LONGEST_LABEL = 40
_LIGATURES = str.maketrans(
    {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "’": "'", "ʼ": "'", "–": "-"}
)
_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9-]+")


@lru_cache(maxsize=256)
def plain(text: str) -> str:
    """`text` in ASCII on one line: accents dropped, ligatures opened, typographic signs replaced."""
    opened = unicodedata.normalize("NFKD", text.translate(_LIGATURES))
    return " ".join(opened.encode("ascii", "ignore").decode("ascii").split())


def label(header: CdaHeader) -> str:
    """The document type: displayName of the CDA code, at most 40 characters."""
    return plain(header.code.display or header.title)[:LONGEST_LABEL].rstrip()


def birth_names(header: CdaHeader) -> tuple[str, str]:
    """(birth name in capitals, first given name), both without accents."""
    patient = header.patient
    given = patient.birth_given or patient.birth_given_names.partition(" ")[0]
    return plain(patient.birth_family).upper(), plain(given)


def french_date(iso: str) -> str:
    """`1979-03-28` → `28/03/1979`; "" for a date that lacks its day or month."""
    year, month, day = (*iso.split("-"), "", "")[:3]
    return f"{day}/{month}/{year}" if day else ""


def subject(header: CdaHeader, *, archive: bool = True) -> str:
    """`XDM/1.0/DDM+CR d'imagerie medicale PAT-TROIS DOMINIQUE 28/03/1979` (ECO.2.1.3).

    A birth date that is not whole is left out: it is optional. The prefix announces an archive, and stands
    before nothing else.
    """
    parts = (label(header), *birth_names(header), french_date(header.patient.birth_date))
    return (PREFIX if archive else "") + " ".join(part for part in parts if part)


def pdf_name(header: CdaHeader) -> str:
    """`20210108_CR_d_imagerie_medicale_PAT-TROIS_DOMINIQUE.pdf`: date of the act, type, names (ECO.2.1.6)."""
    act = header.principal
    day = (act.low if act is not None and act.low else header.effective_time)[:8]
    parts = (day, label(header), *birth_names(header))
    return "_".join(_NOT_IN_FILE_NAMES.sub("_", part).strip("_") for part in parts if part) + ".pdf"
