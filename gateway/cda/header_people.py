"""Persons, organisations, addresses and telecoms of the header (cda.md §3.2–3.4)."""

import re
from typing import Final

from gateway.cda.tree import Element
from gateway.cda.vocabulary import (
    ADDRESS_USES,
    CIVILITIES,
    FUNCTIONS,
    PRACTICE_SETTING,
    PRACTICE_SETTINGS,
    TELECOM_SCHEMES,
    TELECOM_USES,
    TITLES,
)
from gateway.cda.writer import Writer
from gateway.model.base import replace
from gateway.model.people import Organization, Practitioner
from gateway.model.terms import PS_IDNAT, STRUCT_IDNAT, Address, Code, Telecom

_HOUSE_NUMBER: Final = re.compile(r"(\d+(?: (?:bis|ter|quater))?) (.+)", re.IGNORECASE)
_COMPLEMENTS: Final = ("additionalLocator", "unitID", "postBox", "precinct")
"""Parts that hold the lines beside the street; each may stand once (SM, addr)."""
_MOST_LINES: Final = 7


def address(out: Writer, parent: Element, found: Address | None, source: str) -> None:
    """AD as parts, which keep postal code and city apart; as streetAddressLine when it has too many lines.

    The rules allow one or the other, never both (SM addr).
    """
    if found is None or not (found.lines or found.postal_code or found.city or found.country):
        return
    use = found.use if found.use in ADDRESS_USES else ""
    node = out.add(parent, "addr", "", source, use=use)
    if len(found.lines) > 1 + len(_COMPLEMENTS):
        place = " ".join(filter(None, (found.postal_code, found.city)))
        for line in [*found.lines[: _MOST_LINES - 2], *filter(None, (place, found.country))]:
            out.add(node, "streetAddressLine", line)
        return
    lines = list(found.lines)
    if lines:
        street = next((line for line in lines if line[:1].isdigit()), lines[0])
        lines.remove(street)
        match = _HOUSE_NUMBER.fullmatch(street)
        if match:
            out.add(node, "houseNumber", match[1])
        out.add(node, "streetName", match[2] if match else street)
    for tag, line in zip(_COMPLEMENTS, lines, strict=False):
        out.text(node, tag, line)
    out.text(node, "postalCode", found.postal_code)
    out.text(node, "city", found.city)
    out.text(node, "county", found.insee_code)
    out.text(node, "country", found.country)


def telecoms(out: Writer, parent: Element, found: tuple[Telecom, ...], source: str, most: int = 99) -> None:
    """TEL values with a scheme that the header knows; others are left out with a finding."""
    usable = [item for item in found if item.value.startswith(TELECOM_SCHEMES)]
    if len(usable) < len(found):
        out.find("CDA-ADVICE", f"{source}.telecoms", "telecom without tel:, fax: or mailto: left out")
    for item in usable[:most]:
        use = item.use if item.use in TELECOM_USES else ""
        out.add(parent, "telecom", "", f"{source}.telecoms", value="".join(item.value.split()), use=use)


def person_name(out: Writer, parent: Element, who: Practitioner, source: str) -> None:
    """prefix ∈ JDV_J245, given, family, suffix ∈ JDV_J246; a title sent as prefix goes to suffix."""
    prefix, suffix = _bare(who.prefix), _bare(who.suffix)
    if prefix in TITLES and not suffix:
        prefix, suffix = "", prefix
    node = out.add(parent, "name", "", source)
    for value, allowed, part in ((prefix, CIVILITIES, "prefix"), (suffix, TITLES, "suffix")):
        if value and value not in allowed:
            out.find("CODE-UNKNOWN", f"{source}.{part}", "civility or title outside JDV_J245, JDV_J246")
    if prefix in CIVILITIES:
        out.add(node, "prefix", prefix)
    out.text(node, "given", who.given)
    out.text(node, "family", who.family)
    if suffix in TITLES:
        out.add(node, "suffix", suffix)


_LONG_FORMS: Final = {"DOCTEUR": "DR", "PROFESSEUR": "PR", "MR": "M", "MONSIEUR": "M", "MADAME": "MME"}


def _bare(title: str) -> str:
    """`Dr.` → `DR`, `Monsieur` → `M`: the value sets hold capitals without dots."""
    plain = title.replace(".", "").strip().upper()
    return _LONG_FORMS.get(plain, plain)


def organization(
    out: Writer,
    parent: Element,
    tag: str,
    found: Organization,
    source: str,
    *,
    keeper: bool = False,
) -> None:
    """An organisation: id (Struct_IdNat), name, telecom, addr, then its practice setting (JDV_J04).

    A `keeper` (custodian) must have an id, at most one telecom, and no practice setting.
    """
    node = out.add(parent, tag, "", source)
    if found.id:
        out.add(node, "id", "", f"{source}.id", root=STRUCT_IDNAT, extension=found.id)
    elif keeper:
        out.null(node, "id")
        out.find("STRUCTURE-MISSING", f"{source}.id")
    out.text(node, "name", found.name, f"{source}.name")
    telecoms(out, node, found.telecoms, source, 1 if keeper else 99)
    address(out, node, found.address, f"{source}.address")
    if found.practice_setting is not None and not keeper:
        practice_setting(out, node, found.practice_setting, f"{source}.practice_setting")


def practice_setting(out: Writer, parent: Element, found: Code, source: str) -> None:
    """standardIndustryClassCode; outside JDV_J04 it is an error of the rules since October 2025."""
    if found.code not in PRACTICE_SETTINGS:
        out.find("CODE-UNKNOWN", source, "practice setting outside JDV_J04")
        return
    system = found.system or PRACTICE_SETTING
    out.code(parent, "standardIndustryClassCode", replace(found, system=system), source)


def function_code(out: Writer, parent: Element, found: Code | None, source: str) -> None:
    """functionCode ∈ JDV_J47; a code that we do not know is written only with its own system."""
    if found is None:
        return
    system, label = FUNCTIONS.get(found.code, (found.system, ""))
    if not system:
        out.find("CODE-UNKNOWN", f"{source}.function", "function without code system")
        return
    out.code(
        parent,
        "functionCode",
        Code(code=found.code, system=system, display=found.display or label),
        f"{source}.function",
    )


def entity(
    out: Writer,
    parent: Element,
    who: Practitioner,
    source: str,
    *,
    person: str = "assignedPerson",
    structure: str = "representedOrganization",
    specialty: Code | None = None,
    employer: tuple[Organization, str] | None = None,
    id_required: bool = True,
) -> None:
    """The content shared by assignedAuthor, assignedEntity, associatedEntity and intendedRecipient.

    `specialty` and `employer` (with its canonical path) stand in for what the message does not say. An id is
    required of authors and entities (RPPS-MISSING), optional elsewhere.
    """
    if who.id:
        out.add(parent, "id", "", f"{source}.id", root=PS_IDNAT, extension=who.id)
    elif id_required:
        out.null(parent, "id")
        out.find("RPPS-MISSING", f"{source}.id")
    profession = who.specialty or specialty
    if profession is not None and person != "informationRecipient":
        out.code(parent, "code", profession, f"{source}.specialty")
    address(out, parent, who.address, f"{source}.address")
    telecoms(out, parent, who.telecoms, source)
    if who.family:
        person_name(out, out.add(parent, person), who, source)
    if who.organization is not None:
        organization(out, parent, structure, who.organization, f"{source}.organization")
    elif employer is not None:
        organization(out, parent, structure, *employer)
