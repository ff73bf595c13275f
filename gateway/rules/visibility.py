"""Flags of the message (MetaDMPMSS) against the MSSanté decision matrix, as data.

Volet Transmission 2.1 §1.6, règles de gestion MSSanté. The official samples break the matrix, so anything
outside it is a warning that a site may sharpen; only INVISIBLE_PATIENT with a patient mail is always refused.
"""

from typing import NamedTuple

from gateway.model.findings import Finding, Severity, finding
from gateway.model.submission import Flags, Mapped
from gateway.rules.places import locate

FLAG_NAMES = {
    "masked_ps": "MASQUE_PS",
    "invisible_patient": "INVISIBLE_PATIENT",
    "invisible_legal_representatives": "INVISIBLE_REP_LEGAUX",
    "secret_connection": "CONNEXION_SECRETE",
    "to_dmp": "DESTDMP",
    "to_professionals": "DESTMSSANTEPS",
    "to_patient": "DESTMSSANTEPAT",
}
"""Field of `Flags` → OBX-3.1, in the order of the matrix's columns."""


class MatrixRow(NamedTuple):
    """One allowed combination; each column is the set of values it takes (Y, N)."""

    case: str
    masked_ps: str
    invisible_patient: str
    invisible_legal_representatives: str
    secret_connection: str
    to_dmp: str
    to_professionals: str
    to_patient: str

    def allows(self, flags: Flags) -> bool:
        """A flag that the message does not send counts as N."""
        return all(("Y" if getattr(flags, name) else "N") in getattr(self, name) for name in FLAG_NAMES)


MATRIX = (
    #          case  masked  inv.pat  inv.rep  secret  dmp   PS   patient
    MatrixRow("a", "N", "N", "N", "YN", "YN", "Y", "Y"),
    MatrixRow("b", "N", "Y", "N", "YN", "YN", "Y", "N"),
    MatrixRow("c", "YN", "N", "YN", "N", "N", "N", "Y"),
)
"""The official rows: both mails; professionals only; patient only. *Any other combination = error* there."""

TOLERATED = (
    # The most common case of all, professionals only for a visible document, is missing from the matrix.
    MatrixRow("PS only, visible", "N", "N", "N", "YN", "YN", "Y", "N"),
)
"""Rows of our own that draw no finding. [O]"""


def check(mapped: Mapped) -> tuple[Finding, ...]:
    """INVISIBLE-TO-PATIENT-MAIL (error) and MSS-MATRIX (warning) for the flags of the message."""
    flags = mapped.context.flags
    found: list[Finding] = []
    if flags.invisible_patient and flags.to_patient:
        place = locate(mapped.provenance, "context.flags.to_patient")
        found.append(finding("INVISIBLE-TO-PATIENT-MAIL", place, severity=Severity.ERROR))
    elif (flags.to_professionals or flags.to_patient) and not any(
        row.allows(flags) for row in MATRIX + TOLERATED
    ):
        detail = ", ".join(label for name, label in FLAG_NAMES.items() if getattr(flags, name))
        found.append(finding("MSS-MATRIX", locate(mapped.provenance, "context.flags"), f"Y: {detail}"))
    return tuple(found)
