"""Persons, devices and structures of a CDA header or a message as XCN and XON (spec dmp-mss.md §1.2)."""

from gateway.cda import Party
from gateway.cisis import tables
from gateway.cisis.findings import Faults
from gateway.model.people import Organization, Practitioner
from gateway.model.site import Site
from gateway.model.terms import PS_IDNAT, STRUCT_IDNAT, Identifier
from gateway.xds import Author, Xcn, Xon


def person(identifier: Identifier, family: str, given: str) -> Xcn:
    """A professional. XCN.13 is IDNPS; EI for an id internal to a structure (it holds "/")."""
    return Xcn(
        id=identifier.value,
        family=family,
        given=given,
        authority=identifier.system or PS_IDNAT,
        id_type="EI" if "/" in identifier.value else "IDNPS",
    )


def device(identifier: Identifier, name: str, model: str) -> Xcn:
    """A device or automaton: XCN.10 U, XCN.13 RI (logical model AuthorPersonSystem)."""
    return Xcn(
        id=identifier.value,
        family=name,
        given=model,
        authority=identifier.system or PS_IDNAT,
        name_type="U",
        id_type="RI",
    )


def party(found: Party) -> Xcn:
    """The person or device of a participation in the header."""
    identifier = found.id or Identifier(value="")
    if found.is_device:
        return device(identifier, found.device_software, found.device_model)
    return person(identifier, found.practitioner.family, found.practitioner.given)


def institution(organization: Organization | None, identifier: Identifier | None = None) -> tuple[Xon, ...]:
    """authorInstitution: name, and Struct_IdNat when there is one; nothing for a structure without both."""
    if organization is None:
        return ()
    number = identifier or Identifier(value=organization.id, system=STRUCT_IDNAT)
    if not number.value and not organization.name:
        return ()
    return (Xon(name=organization.name, id=number.value, authority=number.system or STRUCT_IDNAT),)


def author(found: Party, faults: Faults) -> Author:
    """CDA author → XDS author; a fault when neither an id nor a name says who it is."""
    who = party(found)
    faults.needed(who.id or who.family, "author/assignedAuthor/id")
    role, specialty = found.practitioner.function, found.practitioner.specialty
    return Author(
        person=who,
        institutions=institution(found.practitioner.organization, found.organization_id),
        roles=(role.display,) if role is not None and role.display else (),
        specialties=(specialty,) if specialty is not None and specialty.code else (),
    )


def legal_authenticator(found: Party | None, faults: Faults) -> Xcn | None:
    if found is None:
        faults.needed("", "legalAuthenticator")
        return None
    who = party(found)
    faults.needed(who.id, "legalAuthenticator/assignedEntity/id")
    return who


def sender(who: Practitioner | None, organization: Organization | None, site: Site, faults: Faults) -> Author:
    """SubmissionSet.author: who sends, not who wrote. PRT SB, else the automaton of the site (§1.4)."""
    institutions = institution(organization or (who.organization if who else None) or site.structure)
    if who is not None and who.id:
        return Author(
            person=person(Identifier(value=who.id, system=PS_IDNAT), who.family, who.given),
            institutions=institutions,
            specialties=(who.specialty,) if who.specialty is not None and who.specialty.code else (),
        )
    automaton = faults.needed(site.automaton_id, "site profile: automaton_id")
    return Author(
        person=device(
            Identifier(value=automaton, system=PS_IDNAT), site.software.name, site.software.version
        ),
        institutions=institutions,
        specialties=(tables.DEVICE,),
    )
