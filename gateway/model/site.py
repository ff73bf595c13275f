"""One site's constants: what its messages do not say, stated once in `mappings/sites/*.toml`."""

from datetime import tzinfo
from enum import StrEnum
from functools import cached_property
from zoneinfo import ZoneInfo

from gateway.model.base import Value
from gateway.model.people import Organization
from gateway.model.terms import Code


class CdaLevel(StrEnum):
    """Ségur wave 1: `n1` (a PDF in the body); wave 2: `n3` (structured body, IMG-CR-IMG 2024.01)."""

    N1 = "n1"
    N3 = "n3"


class PdfAlone(StrEnum):
    """When a mail goes with its PDF and without IHE_XDM.ZIP (degraded mode)."""

    NEVER = "never"
    """A mail whose archive cannot be made is blocked, with the reason."""
    FALLBACK = "fallback"
    """Where the archive cannot be made: the report reaches its reader, and no software files it."""
    ALWAYS = "always"


class Software(Value):
    """How this gateway names itself in VIHF, mails and device authors."""

    name: str
    version: str
    publisher: str = ""
    homologation: str = ""
    """Number given by the DMP homologation (LPS_ID_HOMOLOGATION_DMP)."""


class Mail(Value):
    """The applicative mailbox from which mails go, and product data of every mail."""

    mailbox: str = ""
    display_name: str = ""
    nil: str = ""
    """Product reference declared to the ANS (header X-MSS-NIL)."""
    trusted_domains: tuple[str, ...] = ("mssante.fr",)
    """A recipient's domain must be one of these or a subdomain (REQ-54)."""
    pdf_alone: PdfAlone = PdfAlone.NEVER


class Authorities(Value):
    """OIDs under which local numbers stand when the message names no authority."""

    patient: str = ""
    placer_order: str = ""
    filler_order: str = ""
    accession: str = ""
    encounter: str = ""


class Site(Value, dict=True, gc=True):
    """Profile constants. `fictive` profiles are refused when the environment is production."""

    name: str
    fictive: bool = False
    timezone: str = "Europe/Paris"
    structure: Organization = Organization()
    """The imaging structure: author's organisation, performer; facility_type and practice_setting set."""
    custodian: Organization | None = None
    """Default: the structure."""
    structures: tuple[Organization, ...] = ()
    """Other structures that messages name by number: what documents need of them beyond it."""
    author_specialty: Code | None = None
    """Specialty of a radiologist whose message names none (JDV_J01)."""
    sector: str = ""
    """Secteur_Activite of the VIHF, e.g. `SA07^1.2.250.1.71.4.2.4` (JDV_J61), never guessed."""
    automaton_id: str = ""
    """PS_IdNat of the automate that sends (VIHF NameID, SubmissionSet author)."""
    source_id: str = ""
    """XDSSubmissionSet.sourceId, an OID ≤ 64 characters."""
    vihf_version: str = "3.0"
    cda_level: CdaLevel = CdaLevel.N1
    """Body of the CDA that we build; n3 falls back to n1 where a report's structure does not allow it."""
    viewer: str = ""
    """Address of the image viewer (IHE Invoke Image Display) that reports link to; "": no link anywhere."""
    software: Software = Software(name="", version="")
    mail: Mail = Mail()
    authorities: Authorities = Authorities()
    directory: tuple[tuple[str, str], ...] = ()
    """(RPPS or PS_IdNat, mailbox) pairs of the profile's small directory."""
    policies: tuple[tuple[str, str], ...] = ()
    """(finding code, severity) overrides."""

    @cached_property
    def tz(self) -> tzinfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def known(self) -> dict[str, Organization]:
        """`structures` by Struct_IdNat."""
        return {one.id: one for one in self.structures}

    @property
    def keeper(self) -> Organization:
        return self.custodian or self.structure
