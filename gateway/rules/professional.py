"""National identifiers of professionals (PS_IdNat) and structures (Struct_IdNat): spec dmp-mss.md §1.2.

Both carry a type digit before the number: `8` + RPPS, `0` + ADELI…; `1` + FINESS, `2` + SIREN, `3` + SIRET,
`4` + RPPS-rang, `0` + ADELI-rang.
"""

import re

from gateway.model.findings import Finding, Severity, finding

PS_FORM = re.compile(r"8\d{11}|0[0-9A-Z]{9}|1[0-9A-Z]{9}/\S+|[345][0-9A-Z]{9,14}/\S+|6\d{11}/\S+")
"""PS_IdNat: RPPS, ADELI, or a number internal to a structure (structure `/` number)."""
RPPS_FORM = re.compile(r"8\d{11}")
STRUCTURE_FORM = re.compile(r"1[0-9AB]{9}|2\d{9}|3\d{14}|4\d{13}|0[0-9A-Z]{9,11}")

_PS_TYPES = ((re.compile(r"\d{11}"), "8"), (re.compile(r"\d[0-9AB]\d{7}"), "0"))
"""(form of the bare number, type digit): RPPS, ADELI (starts with a department, Corsica 2A and 2B)."""

_STRUCTURE_TYPES = {
    "FINEG": (9, "1"),
    "FINEJ": (9, "1"),
    "FINESS": (9, "1"),
    "SIREN": (9, "2"),
    "SIRET": (14, "3"),
    "RPPSRG": (13, "4"),
    "INTRN": (13, "4"),
    "ADELIRG": (11, "0"),
}
"""Type of the identifier (FR Core v2-0203) → (length of the bare number, type digit)."""
_STRUCTURE_LENGTHS = {9: "1", 14: "3", 13: "4"}
"""The same by length alone, when nobody names the type: 9 characters are then a FINESS."""


def ps_idnat(value: str, kind: str = "") -> str:
    """`value` with its type digit; `kind` is CX.5/XCN.13 or the FHIR type code (RPPS, ADELI, IDNPS, "").

    11 digits become 8 + RPPS; 9 characters become 0 + ADELI; 12 digits and unknown forms stay as they are.
    """
    bare = "".join(value.split())
    if kind == "IDNPS":
        return f"8{bare}" if re.fullmatch(r"\d{11}", bare) else bare
    for form, digit in _PS_TYPES:
        if form.fullmatch(bare):
            return digit + bare
    return bare


def struct_idnat(value: str, kind: str = "") -> str:
    """`value` with its type digit; `kind` is XON.7 or the FHIR type code (FINEG, SIRET, IDNST, "").

    A value that carries its type digit already, or has an unknown form, stays as it is.
    """
    bare = "".join(value.split())
    if kind == "IDNST" and STRUCTURE_FORM.fullmatch(bare):
        return bare
    length, digit = _STRUCTURE_TYPES.get(kind, (len(bare), _STRUCTURE_LENGTHS.get(len(bare), "")))
    return digit + bare if len(bare) == length else bare


def check_professional(ps: str, location: str) -> tuple[Finding, ...]:
    """RPPS-MISSING (no identifier), RPPS-FORM (not a PS_IdNat; a warning when one without RPPS)."""
    if not ps:
        return (finding("RPPS-MISSING", location),)
    if RPPS_FORM.fullmatch(ps):
        return ()
    if PS_FORM.fullmatch(ps):
        return (finding("RPPS-FORM", location, f"PS_IdNat of type {ps[0]}", Severity.WARNING),)
    return (finding("RPPS-FORM", location, f"{len(ps)} characters"),)


def check_structure(structure: str, location: str) -> tuple[Finding, ...]:
    """STRUCTURE-MISSING (no identifier), STRUCTURE-ID-FORM (no known type and length)."""
    if not structure:
        return (finding("STRUCTURE-MISSING", location),)
    if STRUCTURE_FORM.fullmatch(structure):
        return ()
    return (finding("STRUCTURE-ID-FORM", location, f"{len(structure)} characters"),)
