"""Who: patient, professionals, organisations."""

from enum import StrEnum

from gateway.model.base import Value
from gateway.model.terms import INS_ROOTS, Address, Code, Identifier, Telecom


class Sex(StrEnum):
    """Administrative sex; CDA codes (cs 2.16.840.1.113883.5.1). `U` does not exist in the French header."""

    FEMALE = "F"
    MALE = "M"
    UNDIFFERENTIATED = "UN"


class IdentityStatus(StrEnum):
    """The four exclusive statuses of RNIV EXI SI 07."""

    PROVISOIRE = "provisoire"
    RECUPEREE = "recuperee"
    VALIDEE = "validee"
    QUALIFIEE = "qualifiee"


class Guardian(Value):
    """A person who answers for the patient (legal representative of a minor…)."""

    family: str
    given: str = ""
    prefix: str = ""
    address: Address | None = None
    telecoms: tuple[Telecom, ...] = ()


class Patient(Value):
    """The person whose report this is: INS, local identifiers, the five reference traits, what contacts need.

    `birth_given_names` is the full list in order, space-separated as the INS gives it; `birth_given` the
    first one. `birth_date` is ISO 8601, possibly partial (`1979-03-28`, `1979`).
    `birth_place_code` is the INSEE COG (5 characters, 99xxx abroad).
    """

    ins: Identifier | None = None
    """Matricule with its 2-digit key (15 characters) under one of INS_ROOTS."""
    identifiers: tuple[Identifier, ...] = ()
    """Local identifiers (IPP), each with its authority."""
    birth_family: str = ""
    birth_given: str = ""
    birth_given_names: str = ""
    used_family: str = ""
    used_given: str = ""
    birth_date: str = ""
    sex: Sex | None = None
    birth_place_code: str = ""
    birth_place_name: str = ""
    identity_status: IdentityStatus = IdentityStatus.PROVISOIRE
    """As computed from status code, INS and traits (spec fhir.md §2, hl7v2.md §1.5)."""
    address: Address | None = None
    telecoms: tuple[Telecom, ...] = ()
    guardians: tuple[Guardian, ...] = ()
    deceased: bool = False
    multiple_birth_order: int = 0

    @property
    def qualified(self) -> bool:
        return self.identity_status is IdentityStatus.QUALIFIEE

    @property
    def ins_root_known(self) -> bool:
        return self.ins is not None and self.ins.system in INS_ROOTS


class Organization(Value):
    """A structure. `id`: Struct_IdNat with its type digit (`1` + FINESS), authority STRUCT_IDNAT."""

    id: str = ""
    name: str = ""
    telecoms: tuple[Telecom, ...] = ()
    address: Address | None = None
    practice_setting: Code | None = None
    """JDV_J04 (AMBULATOIRE, ETABLISSEMENT…)."""
    facility_type: Code | None = None
    """JDV_J02 (SA01, SA08…)."""


class Practitioner(Value):
    """A professional in a role. `id` is a PS_IdNat value with its type digit (`8` + 11-digit RPPS)."""

    id: str = ""
    family: str = ""
    given: str = ""
    prefix: str = ""
    """M or MME (JDV_J245)."""
    suffix: str = ""
    """DR, PR… (JDV_J246)."""
    specialty: Code | None = None
    """JDV_J01, e.g. G15_10/SM44."""
    function: Code | None = None
    """JDV_J47, e.g. ATTPHYS, PCP."""
    organization: Organization | None = None
    address: Address | None = None
    telecoms: tuple[Telecom, ...] = ()

    @property
    def rpps(self) -> str:
        """The 11-digit RPPS, "" when the identifier is of another kind."""
        return self.id[1:] if len(self.id) == 12 and self.id.isdigit() and self.id[0] == "8" else ""
