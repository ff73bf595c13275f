"""Who the gateway says it is, in the VIHF of one delivery (CI-SIS volet Transmission 2.1, « Mapping VIHF »).

The sender of the message (PRT, PRT-4 = SB) answers for the processing. Only when their profession is known
do they appear as a professional; otherwise the software speaks, as AUTOMATE, in their name or in that of the
person whom the site profile names.
"""

import re
from collections.abc import Iterator

from gateway.dmp.values import DmpError
from gateway.model.findings import Finding, finding
from gateway.model.people import Practitioner
from gateway.model.report import ImagingReport
from gateway.model.site import Site
from gateway.model.version import DeliveryJob
from gateway.security.vihf import AUTOMATE, Role, VihfClaims
from gateway.xds import Cx
from gateway.xds.hl7types import cx

PROFESSIONS = "1.2.250.1.71.1.2.7"
"""TRE_G15, codes of JDV_J65 for the first role."""
SKILLS = "1.2.250.1.71.4.2.5"
"""TRE_R38 and the like: savoir-faire, second role."""

PROFESSION_LABELS = {
    "10": "Médecin",
    "26": "Audioprothésiste",
    "28": "Opticien-Lunetier",
    "31": "Assistant dentaire",
    "32": "Physicien médical",
    "40": "Chirurgien-Dentiste",
    "50": "Sage-Femme",
    "60": "Infirmier",
    "69": "Infirmier psychiatrique",
    "70": "Masseur-Kinésithérapeute",
    "80": "Pédicure-Podologue",
    "81": "Orthoprothésiste",
    "82": "Podo-Orthésiste",
    "83": "Orthopédiste-Orthésiste",
    "84": "Oculariste",
    "85": "Epithésiste",
    "86": "Technicien de laboratoire médical",
    "91": "Orthophoniste",
    "92": "Orthoptiste",
    "94": "Ergothérapeute",
    "95": "Diététicien",
    "96": "Psychomotricien",
    "98": "Manipulateur ERM",
}
"""TRE_G15 as it stands in JDV_J01. Pharmacists are missing on purpose: their second role is of another
terminology (TRE_G05) whose OID no public example shows, so the software speaks for them."""

_SPECIALTY = re.compile(r"G15_(?P<profession>\d+)(?:/(?P<skill>\w+))?")
"""A JDV_J01 code, `G15_10/SM44`; its label reads « Médecin - Radio-diagnostic (SM) »."""
_PHYSICIAN = "10"


def claims_for(job: DeliveryJob) -> VihfClaims:
    """The claims of `job`. Raises DmpError naming every value that the site profile or the report lacks."""
    version = job.version
    site, context, report = version.site, version.context, version.report
    organization = context.sender_organization or (context.sender and context.sender.organization)
    sender_id = context.sender.id if context.sender else ""
    structure_id = (organization.id if organization else "") or site.structure.id
    user_id = sender_id or site.automaton_id
    missing = (*_missing(structure_id, user_id, site), *_identity(report))
    if missing:
        raise DmpError(*missing)
    roles = _professional(context.sender, report) if context.sender else ()
    return VihfClaims(
        patient=patient_id(report),
        structure_id=structure_id,
        sector=site.sector,
        user_id=user_id,
        roles=roles or (AUTOMATE,),
        subject_name=_person(context.sender) if roles and context.sender else _automate(site),
        software=site.software,
        version=site.vihf_version,
        secret_connection=bool(context.flags.secret_connection),
    )


def patient_id(report: ImagingReport) -> str:
    """`<INS>^^^&<OID>&ISO^NH`; "" without INS."""
    ins = report.patient.ins
    return cx(Cx(value=ins.value, authority=ins.system, id_type="NH")) if ins else ""


def _missing(structure_id: str, user_id: str, site: Site) -> Iterator[Finding]:
    if not structure_id:
        yield finding("STRUCTURE-MISSING", "site.structure.id")
    needed = {
        "site.sector": site.sector,
        "site.automaton_id": user_id,
        "site.software.name": site.software.name,
        "site.software.version": site.software.version,
        "site.software.homologation": site.software.homologation,
    }
    for place, value in needed.items():
        if not value:
            yield finding("DMP-PROFILE-INCOMPLETE", place)


def _identity(report: ImagingReport) -> Iterator[Finding]:
    """No feed without a qualified identity (spec dmp-mss.md §0.4): the rules block it, this makes sure."""
    if not report.patient.qualified or report.patient.ins is None:
        yield finding("DMP-NOT-QUALIFIED", "patient.identity_status", str(report.patient.identity_status))


def _professional(sender: Practitioner, report: ImagingReport) -> tuple[Role, ...]:
    """First and second role of a sender whose profession is known; empty when it is not.

    PRT carries no profession: it is that of the same person among the report's authors, or a directory's.
    """
    known = (sender, report.legal_authenticator, *report.authors)
    same = (person for person in known if person is not None and person.id == sender.id)
    specialty = next((person.specialty for person in same if person.specialty is not None), None)
    found = _SPECIALTY.fullmatch(specialty.code) if specialty else None
    if specialty is None or found is None or found["profession"] not in PROFESSION_LABELS:
        return ()
    label = PROFESSION_LABELS[found["profession"]]
    role = Role(code=found["profession"], system=PROFESSIONS, display=label, system_name="professions")
    if role.code != _PHYSICIAN:
        return (role,)
    if not found["skill"]:
        return ()  # the second role of a physician is mandatory
    skill = specialty.display.removeprefix(f"{label} - ")
    return (role, Role(code=found["skill"], system=SKILLS, display=skill))


def _person(sender: Practitioner) -> str:
    """« Nom Prénom »."""
    return " ".join(part for part in (sender.family, sender.given) if part)


def _automate(site: Site) -> str:
    """« Nom du logiciel, nom du modèle, service » of an automatic processing."""
    parts = (site.software.name, site.software.version, site.structure.name)
    return ", ".join(part for part in parts if part)
