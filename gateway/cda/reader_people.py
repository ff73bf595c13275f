"""Persons and organisations of a CDA header → model values (cda.md §3.2–3.4)."""

from typing import Final

from gateway.cda.reader_parts import code, identifier, identifiers, interval, iso_date
from gateway.cda.tree import Element
from gateway.cda.values import Party
from gateway.cda.xml import attribute, child, children, text
from gateway.model.people import Guardian, Organization, Patient, Practitioner, Sex
from gateway.model.terms import INS_ROOTS, Address, Telecom

_STREET: Final = ("houseNumber", "houseNumberNumeric", "streetNameType", "streetName", "streetNameBase")
_EXTRA_LINES: Final = ("additionalLocator", "unitID", "postBox", "precinct")
_SEXES: Final = {sex.value: sex for sex in Sex}


def address(node: Element | None) -> Address | None:
    """AD: parts, or streetAddressLine; None for a nullFlavor or an empty element.

    The street's parts make one line; complements follow, one line each. `county` is the COG.
    """
    if node is None:
        return None
    parts: dict[str, list[str]] = {}
    for part in node.children:
        parts.setdefault(part.tag, []).append(text(part))
    first = {tag: values[0] for tag, values in parts.items()}
    street = " ".join(first[tag] for tag in _STREET if first.get(tag))
    extra = [value for tag in _EXTRA_LINES for value in parts.get(tag, ())]
    found = Address(
        lines=tuple(filter(None, (*parts.get("streetAddressLine", ()), street, *extra))),
        postal_code=first.get("postalCode", ""),
        city=first.get("city", ""),
        country=first.get("country", ""),
        insee_code=first.get("county", ""),
        use=attribute(node, "use"),
    )
    return found if found != Address(use=found.use) else None


def telecoms(node: Element | None) -> tuple[Telecom, ...]:
    return tuple(
        Telecom(value=value, use=attribute(item, "use"))
        for item in children(node, "telecom")
        if (value := attribute(item, "value"))
    )


def patient(role: Element | None) -> Patient:
    """recordTarget/patientRole. Family SP (of older documents) is read as the used name."""
    person = child(role, "patient")
    ids = identifiers(role, "id")
    families, givens = _names(child(person, "name"))
    birth_place = child(person, "birthplace/place/addr")
    deceased = attribute(child(person, "sdtc:deceasedInd"), "value") == "true"
    order = attribute(child(person, "sdtc:multipleBirthOrderNumber"), "value")
    return Patient(
        ins=next((item for item in ids if item.system in INS_ROOTS), None),
        identifiers=tuple(item for item in ids if item.system not in INS_ROOTS),
        birth_family=families.get("BR") or families.get("", ""),
        birth_given=givens.get("BR", ""),
        birth_given_names=givens.get("", ""),
        used_family=families.get("CL") or families.get("SP", ""),
        used_given=givens.get("CL") or givens.get("SP", ""),
        birth_date=iso_date(attribute(child(person, "birthTime"), "value")),
        sex=_SEXES.get(attribute(child(person, "administrativeGenderCode"), "code")),
        birth_place_code=text(child(birth_place, "county")),
        birth_place_name=text(child(birth_place, "city")),
        address=next(filter(None, map(address, children(role, "addr"))), None),
        telecoms=telecoms(role),
        guardians=tuple(_guardian(item) for item in children(person, "guardian")),
        deceased=deceased,
        multiple_birth_order=int(order) if order.isdecimal() else 0,
    )


def _names(node: Element | None) -> tuple[dict[str, str], dict[str, str]]:
    """Family and given names by qualifier, the first of each; "" = without qualifier."""
    families: dict[str, str] = {}
    givens: dict[str, str] = {}
    for tag, found in (("family", families), ("given", givens)):
        for item in children(node, tag):
            found.setdefault(attribute(item, "qualifier"), text(item))
    return families, givens


def _guardian(node: Element) -> Guardian:
    name = child(node, "guardianPerson/name")
    organization = child(node, "guardianOrganization/name")
    return Guardian(
        family=text(child(name, "family")) or text(organization),
        given=text(child(name, "given")),
        prefix=text(child(name, "prefix")),
        address=address(child(node, "addr")),
        telecoms=telecoms(node),
    )


def organization(node: Element | None) -> Organization | None:
    if node is None:
        return None
    found = identifier(child(node, "id"))
    return Organization(
        id=found.value if found else "",
        name=text(child(node, "name")),
        telecoms=telecoms(node),
        address=address(child(node, "addr")),
        practice_setting=code(child(node, "standardIndustryClassCode")),
    )


def _party(
    type_code: str,
    wrapper: Element,
    entity: Element | None,
    *,
    person: str = "assignedPerson",
    structure: str = "representedOrganization",
) -> Party:
    """A role element (`entity`) inside its participation (`wrapper`)."""
    found = identifier(child(entity, "id"))
    name = child(entity, f"{person}/name")
    device = child(entity, "assignedAuthoringDevice")
    value, low, high = interval(child(wrapper, "time"))
    return Party(
        type_code=type_code,
        id=found,
        organization_id=identifier(child(entity, f"{structure}/id")),
        time=value,
        time_low="" if low == value else low,
        time_high=high,
        device_model=text(child(device, "manufacturerModelName")),
        device_software=text(child(device, "softwareName")),
        practitioner=Practitioner(
            id=found.value if found else "",
            family=text(child(name, "family")),
            given=text(child(name, "given")),
            prefix=text(child(name, "prefix")),
            suffix=text(child(name, "suffix")),
            specialty=code(child(entity, "code")),
            function=code(child(wrapper, "functionCode")),
            organization=organization(child(entity, structure)),
            address=address(child(entity, "addr")),
            telecoms=telecoms(entity),
        ),
    )


def author(node: Element) -> Party:
    return _party("AUT", node, child(node, "assignedAuthor"))


def assigned(type_code: str, node: Element) -> Party:
    """legalAuthenticator (LA), authenticator (AUTHEN), performer (PRF): all hold an assignedEntity."""
    return _party(type_code, node, child(node, "assignedEntity"))


def participant(node: Element) -> Party:
    entity = child(node, "associatedEntity")
    return _party(
        attribute(node, "typeCode"), node, entity, person="associatedPerson", structure="scopingOrganization"
    )


def recipient(node: Element) -> Party:
    entity = child(node, "intendedRecipient")
    return _party("PRCP", node, entity, person="informationRecipient", structure="receivedOrganization")


def custodian(node: Element | None) -> Party | None:
    """The keeping organisation, as a party without a person."""
    if node is None:
        return None
    return Party(
        type_code="CST",
        practitioner=Practitioner(organization=organization(node)),
        organization_id=identifier(child(node, "id")),
    )
