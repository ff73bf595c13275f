"""Data types of HL7 2.5 (chapter 2A) → values of the model: CX, EI, XPN, XAD, XTN, XCN, NDL, XON, CE.

Each function reads one repetition of one field. French constraints: spec hl7v2.md §1.4, §1.5, §4.3.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.hl7v2 import Segment
from gateway.mapping.hl7_reader import Group
from gateway.model.people import Organization, Practitioner
from gateway.model.terms import CCAM, INS_ROOTS, LOINC, OID, PS_IDNAT, Address, Code, Identifier, Telecom
from gateway.rules.professional import ps_idnat, struct_idnat

UID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*)){2,}")
"""A DICOM UID of at least three arcs; PS3.5 §9.1 allows at most 64 characters (checked by `valid_uid`)."""

NATIONAL_TYPES: Final = frozenset({"RPPS", "IDNPS", "ADELI"})
"""XCN.13 of national identifiers of professionals."""
_NATIONAL_FORM: Final = re.compile(r"8?\d{11}")


def valid_uid(text: str) -> bool:
    return len(text) <= 64 and UID.fullmatch(text) is not None


@lru_cache(maxsize=1024)  # authorities are few
def oid_of(*candidates: str) -> str:
    """The first candidate that is an OID, without `urn:oid:`; "" when none is."""
    for candidate in candidates:
        bare = candidate.strip().removeprefix("urn:oid:")
        if "." in bare and OID.fullmatch(bare):
            return bare
    return ""


def _authority(scope: Group, segment: Segment, place: tuple[int, int, int], namespace: str) -> str:
    """OID of the HD at (field, repetition, component): its universal id, else a bare OID as namespace."""
    parts = scope.divided(segment, *place)
    return oid_of(*parts[1:2], namespace)


def cx(scope: Group, segment: Segment, field: int, repetition: int) -> Identifier:
    """CX: number and assigning authority (CX.4)."""
    value = scope.texts(segment, field, repetition, 4)
    return Identifier(
        value=_plain(value[0]), system=_authority(scope, segment, (field, repetition, 4), value[3])
    )


def ei(scope: Group, segment: Segment, field: int, repetition: int = 1) -> Identifier:
    """EI: number, with its authority in EI.3 (OID) or a bare OID in EI.2."""
    value = scope.texts(segment, field, repetition, 3)
    return Identifier(value=value[0], system=oid_of(value[2], value[1]))


def _plain(value: str) -> str:
    """A matricule or number without the blanks that people group digits with."""
    return value if value.isalnum() else "".join(value.split())


class Name(NamedTuple):
    """XPN. `further` is XPN.3: in France all given names in order, elsewhere the middle names."""

    family: str
    given: str
    further: str
    prefix: str


def xpn(scope: Group, segment: Segment, field: int, repetition: int) -> Name:
    value = scope.texts(segment, field, repetition, 5)
    return Name(value[0], value[1], value[2], value[4])


_ADDRESS_USES: Final = {"H": "H", "C": "TMP", "O": "WP", "B": "WP"}
"""XAD.7 (HL7 table 0190) → AddressUse; other types say nothing of the use."""


def xad(scope: Group, segment: Segment, field: int, repetition: int) -> Address | None:
    """XAD; None when only the type stands there. XAD.9 is the COG of the place."""
    value = scope.texts(segment, field, repetition, 9)
    lines = tuple(line for line in (value[0], value[1]) if line)
    if not (lines or value[2] or value[4]):
        return None
    return Address(
        lines=lines,
        city=value[2],
        postal_code=value[4],
        country=value[5],
        insee_code=value[8],
        use=_ADDRESS_USES.get(value[6], ""),
    )


_PHONE_USES: Final = {"PRN": "H", "ORN": "H", "VHN": "HV", "WPN": "WP", "EMR": "EC"}
"""XTN.2 (HL7 table 0201) → TelecomUse."""
_PUNCTUATION: Final = dict.fromkeys(map(ord, "().-"))
_SCHEMES: Final = {"FX": "fax:", "INTERNET": "mailto:", "X.400": "mailto:"}
"""XTN.3 (HL7 table 0202) → scheme; everything else is a telephone."""


def xtn(scope: Group, segment: Segment, field: int, repetition: int) -> Telecom | None:
    """XTN: telephone, fax or mailbox. Number in XTN.1, XTN.12 or XTN.6/7; address in XTN.4."""
    value = scope.texts(segment, field, repetition, 12)
    equipment = value[2].upper()
    scheme = _SCHEMES.get(equipment, "mailto:" if value[1] == "NET" or "@" in value[0] else "tel:")
    if scheme == "mailto:":
        number = value[3] or (value[0] if "@" in value[0] else "")
    else:
        written = value[0] or value[11] or value[5] + value[6]
        number = written if written.isalnum() else "".join(written.translate(_PUNCTUATION).split())
    if not number:
        return None
    use = "MC" if equipment == "CP" else _PHONE_USES.get(value[1], "")
    return Telecom(value=number if number.startswith(scheme) else scheme + number, use=use)


@lru_cache(maxsize=4096)  # and so are the professionals of a site
def _national(value: str, system: str, kind: str) -> str:
    """PS_IdNat of an identifier: by its authority or type, or by its form when neither is named; else ""."""
    bare = _plain(value)
    if not bare or (bool(system or kind) and system != PS_IDNAT and kind not in NATIONAL_TYPES):
        return ""
    if system == PS_IDNAT or kind in NATIONAL_TYPES or _NATIONAL_FORM.fullmatch(bare):
        return ps_idnat(bare, kind)
    return ""


_XCN_TYPES: Final = frozenset({"D", "L", "U", ""})


def xcn(scope: Group, segment: Segment, field: int, repetition: int) -> Practitioner | None:
    """XCN, or an NDL whose name stands in subcomponents of its first component; None without any name or id.

    The identifier is kept when it is national: by authority, by type, or by its form when neither is said.
    """
    read = scope.texts(segment, field, repetition, 13)
    if parts := scope.divided(segment, field, repetition, 1):
        value = [*parts, *[""] * 11]
        system, kind = oid_of(value[9], value[8]), ""
        number, family, given, suffix, prefix, degree = (value[i].strip() for i in (0, 1, 2, 4, 5, 6))
    else:
        number, given, suffix, prefix, degree, kind = (read[i] for i in (0, 2, 4, 5, 6, 12))
        family = read[1]
        system = _authority(scope, segment, (field, repetition, 9), read[8])
    found = Practitioner(
        id=_national(number, system, kind),
        family=family,
        given=given,
        prefix=prefix,
        suffix=suffix or degree,
    )
    return found if found.id or found.family else None


def xon(scope: Group, segment: Segment, field: int, repetition: int = 1) -> Organization | None:
    """XON: name (.1), identifier (.10, else .3) with its type (.7); None when empty."""
    value = scope.texts(segment, field, repetition, 10)
    name, number, kind = value[0], _plain(value[9] or value[2]), value[6]
    if not (name or number):
        return None
    return Organization(id=struct_idnat(number, kind) if number else "", name=name)


_LOINC_SYSTEMS: Final = frozenset({"LN", "LOINC", LOINC})
_LOINC_FORM: Final = re.compile(r"\d{1,6}-\d")
_CCAM_FORM: Final = re.compile(r"[A-Z]{4}\d{3}(?:[-+ ]?\d{1,3})?")


class Coded(NamedTuple):
    """One triple of a CE: what `system` the model knows it under ("" local), code and text."""

    system: str
    code: str
    text: str

    def as_code(self) -> Code:
        return Code(code=self.code, system=self.system, display=self.text)


def ce(scope: Group, segment: Segment, field: int, repetition: int = 1) -> tuple[Coded, ...]:
    """The two triples of a CE or CWE, each under LOINC, CCAM or "" (the sender's own codes).

    CCAM and LOINC are known by their system, or by the form of the code when no system is named.
    """
    read: list[Coded] = []
    value = scope.texts(segment, field, repetition, 6)
    for code, text, system in (value[:3], value[3:6]):
        if code or text:
            read.append(Coded(_coding(code, system.upper()), code, text))
    return tuple(read)


def _coding(code: str, system: str) -> str:
    if system in _LOINC_SYSTEMS or (not system and _LOINC_FORM.fullmatch(code)):
        return LOINC
    if "CCAM" in system or (_CCAM_FORM.fullmatch(code) and system in ("", "L", "99CCAM", CCAM)):
        return CCAM
    return ""


def is_ins(identifier: Identifier, kind: str) -> bool:
    """A matricule INS, by its root or by CX.5 (INS, INS-NIR…)."""
    return identifier.system in INS_ROOTS or kind.startswith("INS")


def document_id(scope: Group, segment: Segment, field: int, repetition: int = 1) -> str:
    """TXA-12, TXA-13 as an XDS unique id, `root` or `root^extension` (volet Transmission 2.1 §1.4).

    The root stands alone in EI.1, or as `extension^^root^ISO`. EI.2 is not read: official samples put an
    organisation there against the rule.
    """
    first, _, third = scope.texts(segment, field, repetition, 3)[:3]
    root = oid_of(third)
    return f"{root}^{first}" if root and first != root else first
