"""Small building blocks: identifiers, codes, names, addresses."""

import re
from typing import Final

from gateway.model.base import Value

OID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")

INS_NIR = "1.2.250.1.213.1.4.8"
INS_NIA = "1.2.250.1.213.1.4.9"
INS_NIR_TEST = "1.2.250.1.213.1.4.10"
INS_NIR_DEMO = "1.2.250.1.213.1.4.11"
INS_ROOTS = frozenset({INS_NIR, INS_NIA, INS_NIR_TEST, INS_NIR_DEMO})
"""OIDs under which an INS matricule may stand (ANS, référentiel INS; FR Core 2.x)."""

PS_IDNAT = "1.2.250.1.71.4.2.1"
"""Authority of PS_IdNat (professionals): type digit + number, 8 + RPPS = 12 digits."""
STRUCT_IDNAT = "1.2.250.1.71.4.2.2"
"""Authority of Struct_IdNat (structures): 1 + FINESS, 3 + SIRET, 4 + RPPS-rang…"""

LOINC = "2.16.840.1.113883.6.1"
SNOMED_CT = "2.16.840.1.113883.6.96"
DCM = "1.2.840.10008.2.16.4"
CCAM = "1.2.250.1.215.300.1"
"""Current CCAM OID (since February 2025); the older one is read, never written."""
CCAM_OLD = "1.2.250.1.213.2.5"
CIM10 = "2.16.840.1.113883.6.3"
ATC = "2.16.840.1.113883.6.73"
CISIS_TERMS = "1.2.250.1.213.1.1.4.322"
"""The CI-SIS terminology (MED-…, GEN-…, ORG-…)."""


class Identifier(Value):
    """`value` assigned under `system` (an OID without `urn:oid:`, "" when the sender named none)."""

    value: str
    system: str = ""


class Code(Value):
    """A coded concept: `code` in `system` (an OID), French `display`."""

    code: str
    system: str = ""
    display: str = ""


class Address(Value):
    """Postal address. `lines` are free lines (number and street); `insee_code` is the COG of the place."""

    lines: tuple[str, ...] = ()
    postal_code: str = ""
    city: str = ""
    country: str = ""
    insee_code: str = ""
    use: str = ""
    """HL7 AddressUse (H, WP, TMP…), "" unknown."""


class Telecom(Value):
    """`value` is a URL with its scheme (`tel:0144534551`, `mailto:…`); `use` an HL7 code (H, MC, WP…)."""

    value: str
    use: str = ""
