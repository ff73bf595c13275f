"""Qualification of an identity: one of the four exclusive statuses of RNIV EXI SI 07 (REQ-11, REQ-16).

Three encodings circulate, and in one of them `VALI` means *not* qualified (spec fhir.md §2, hl7v2.md §1.5):
the code system decides how a code is read, never the code alone.
"""

from collections.abc import Iterable
from typing import Final

from gateway.model.people import IdentityStatus, Patient

HL7_0445: Final = "0445"
"""Name by which PID-32 (HL7 table 0445, PAM.FR) is passed as `system`."""

_FRC: Final = "https://hl7.fr/ig/fhir/core/CodeSystem/"
SYSTEMS_0445: Final = frozenset(
    {HL7_0445, "HL70445", _FRC + "fr-core-v2-0445", _FRC + "fr-core-cs-fiabilite-identite"}
)
"""Systems in which `VALI` with an INS means qualified (FR Core invariant fr-core-1)."""
SYSTEMS_RNIV: Final = frozenset({_FRC + "fr-core-cs-identity-status"})
"""Systems with the four RNIV codes, where only `QUAL` means qualified."""

_S = IdentityStatus
_WITH_INS_0445: Final = {"VALI": _S.QUALIFIEE, "QUAL": _S.QUALIFIEE, "RECUP": _S.RECUPEREE}
_WITH_INS_RNIV: Final = {"VALI": _S.VALIDEE, "QUAL": _S.QUALIFIEE, "RECUP": _S.RECUPEREE}
_WITHOUT_INS: Final = {"VALI": _S.VALIDEE, "QUAL": _S.VALIDEE}
"""Whoever controlled a document keeps that; without the matricule nobody is récupéré nor qualifié."""

DOUBTFUL: Final = frozenset({"DOUT", "FICT"})
"""Douteuse, fictive: can only be provisoire (RNIV EXI SI 09)."""
CONTESTED: Final = frozenset({"DOUB", "COLP", "COLV", "USUR", "ANOM", "INVA"})
"""Duplicate, collision, usurpation, anomaly, invalidated: the matricule may be another person's. [O]"""

TRAITS: Final = ("birth_family", "birth_given_names", "birth_date", "sex", "birth_place_code")
"""The five reference traits of the INS, by their canonical names."""


def status(
    *, code: str, system: str, has_ins: bool, traits_complete: bool, flags: Iterable[str] = ()
) -> IdentityStatus:
    """Status from the sender's `code` of `system`, the presence of an INS, the five traits and the flags.

    `system` is HL7_0445 for PID-32, the CodeSystem URL for FHIR. `flags` are further 0445 codes (other
    repetitions of PID-32, sub-extension `comment`); a flag given as `code` counts as one too.
    """
    marks = {code, *flags}
    if marks & DOUBTFUL:
        return _S.PROVISOIRE
    table = _WITH_INS_0445 if system in SYSTEMS_0445 else _WITH_INS_RNIV if system in SYSTEMS_RNIV else {}
    if not has_ins and table:
        table = _WITHOUT_INS
    found = table.get(code, _S.PROVISOIRE)
    if found is _S.QUALIFIEE and (not traits_complete or marks & CONTESTED):
        return _S.VALIDEE
    return found


def traits(patient: Patient) -> tuple[str, ...]:
    """Canonical names of the traits that are missing; a first name alone stands for the list."""
    present = {
        "birth_family": patient.birth_family,
        "birth_given_names": patient.birth_given_names or patient.birth_given,
        "birth_date": patient.birth_date,
        "sex": patient.sex,
        "birth_place_code": patient.birth_place_code,
    }
    return tuple(name for name in TRAITS if not present[name])
