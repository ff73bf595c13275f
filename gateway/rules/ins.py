"""The INS matricule: form, key and environment (REQ-13, REQ-14)."""

import re

from gateway.model.findings import Finding, finding
from gateway.model.terms import INS_NIA, INS_NIR, INS_NIR_DEMO, INS_NIR_TEST, INS_ROOTS, Identifier

PATH = "patient.ins"
"""Canonical path of the matricule: the default location of the findings of this module."""

_FORM = re.compile(r"\d{5}(?:\d\d|2A|2B)\d{8}")
"""13 characters (sex, year, month, department, commune, order) and the key of 2 digits."""

_CORSICA = {"2A": "19", "2B": "18"}
"""Departments of Corsica, as digits for the key (arrêté of the NIR; référentiel INS)."""

ENVIRONMENT_ROOTS = {
    "test": frozenset({INS_NIR_TEST, INS_NIR_DEMO}),
    "production": frozenset({INS_NIR, INS_NIA}),
}
"""Roots that each environment takes: real matricules never reach a test gateway, nor the reverse."""


def key(nir13: str) -> int:
    """Key of the first 13 characters: 97 − (number mod 97), 1 to 97; Corsica 2A → 19, 2B → 18.

    Raises ValueError for anything but 13 characters of that form.
    """
    if not _FORM.fullmatch(f"{nir13}00"):
        raise ValueError("a matricule has 13 characters before its key")
    department = nir13[5:7]
    return 97 - int(nir13[:5] + _CORSICA.get(department, department) + nir13[7:]) % 97


def check(ins: Identifier, environment: str, location: str = PATH) -> tuple[Finding, ...]:
    """INS-SYSTEM (unknown root), INS-ENV (root of the other environment), INS-KEY (form or key)."""
    found: list[Finding] = []
    if ins.system not in INS_ROOTS:
        found.append(finding("INS-SYSTEM", location, "root unknown" if ins.system else "no root"))
    elif ins.system not in ENVIRONMENT_ROOTS[environment]:
        found.append(finding("INS-ENV", location, f"root .{ins.system.rsplit('.', 1)[1]} in {environment}"))
    if len(ins.value) != 15:
        found.append(finding("INS-KEY", location, f"{len(ins.value)} characters"))
    elif not _FORM.fullmatch(ins.value):
        found.append(finding("INS-KEY", location, "characters other than digits"))
    elif key(ins.value[:13]) != int(ins.value[13:]):
        found.append(finding("INS-KEY", location, "15 characters, key does not fit"))
    return tuple(found)
