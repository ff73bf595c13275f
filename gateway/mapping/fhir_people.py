"""FHIR Practitioner(Role), Organization → canonical people, by national numbers (spec fhir.md §1)."""

from gateway.fhir import Node
from gateway.mapping.fhir_walk import Walk, address, code, telecoms, type_codes
from gateway.model.people import Organization, Practitioner
from gateway.model.terms import PS_IDNAT, STRUCT_IDNAT
from gateway.rules.professional import ps_idnat, struct_idnat

RPPS, FINESS, RPPS_RANG, SIRENE = (
    "https://rpps.esante.gouv.fr",
    "https://finess.esante.gouv.fr",
    "https://rppsrang.esante.gouv.fr",
    "https://sirene.fr",
)
_PROFESSIONAL_SYSTEMS = {f"urn:oid:{PS_IDNAT}": "IDNPS", RPPS: "RPPS"}
_STRUCTURE_SYSTEMS = {f"urn:oid:{STRUCT_IDNAT}": "IDNST", FINESS: "FINEG", RPPS_RANG: "RPPSRG", SIRENE: ""}
"""System → type of the number, best first; sirene.fr holds SIREN and SIRET, told by type code or length."""

_SPECIALTIES = "1.2.250.1.213.1.1.4.5"
_FACILITY_TYPES = "1.2.250.1.71.4.2.4"
_PRACTICE_SETTINGS = "1.2.250.1.213.1.1.4.9"


def practitioner(walk: Walk, path: str, node: Node | None) -> Practitioner | None:
    """A Practitioner, or a PractitionerRole with its practitioner, specialty and organisation; None for any
    other resource."""
    if node is None or node.kind not in ("Practitioner", "PractitionerRole"):
        return None
    role = node if node.kind == "PractitionerRole" else Node(None, node.path, node.reads)
    person = walk.follow(role.get("practitioner")) if role else node
    if person is None or person.kind != "Practitioner":
        person = Node(None, role.path, node.reads)
    logical = role.get("practitioner", "identifier")
    name = _person_name(person)
    specialties = [
        one for item in role.all("specialty") for coding in item.all("coding") if (one := code(coding))
    ]
    specialty = next((one for one in specialties if one.system == _SPECIALTIES), None)
    made = Practitioner(
        id=_number(
            walk, f"{path}.id", (*person.all("identifier"), logical, *role.all("identifier")), ps=True
        ),
        family=walk.take(f"{path}.family", name, "family"),
        given=walk.take(f"{path}.given", name, "given"),
        prefix=name.text("prefix"),
        suffix=name.text("suffix"),
        specialty=specialty,
        organization=structure(walk, f"{path}.organization", role.get("organization")),
        telecoms=telecoms(walk, f"{path}.telecoms", role) or telecoms(walk, f"{path}.telecoms", person),
        address=address(walk, f"{path}.address", person.get("address")),
    )
    if not made.id and not made.family:
        return None
    walk.trail.source(path, person.path)
    return made


def professional(walk: Walk, path: str, reference: Node) -> Practitioner | None:
    """Who a Reference names: a resource of the Bundle, or a national number with a display (REQ-05)."""
    found = practitioner(walk, path, walk.follow(reference))
    if found is not None:
        return found
    number = _number(walk, f"{path}.id", reference.all("identifier"), ps=True)
    if not number:
        return None
    walk.trail.source(path, reference.path)
    return Practitioner(id=number, family=walk.take(f"{path}.family", reference, "display"))


def structure(walk: Walk, path: str, reference: Node) -> Organization | None:
    """Which structure a Reference names: an Organization, that of a role, or a national number alone."""
    found = walk.follow(reference)
    if found is not None and found.kind == "PractitionerRole":
        reference = found.get("organization")
        found = walk.follow(reference)
    made = organization(walk, path, found)
    if made is not None:
        return made
    number = _number(walk, f"{path}.id", reference.all("identifier"), ps=False)
    if not number:
        return None
    walk.trail.source(path, reference.path)
    return Organization(id=number, name=walk.take(f"{path}.name", reference, "display"))


def _person_name(person: Node) -> Node:
    names = [name for name in person.all("name") if name.text("use") != "old"]
    return next(iter(names), Node(None, f"{person.path}.name", person.reads))


def organization(walk: Walk, path: str, node: Node | None) -> Organization | None:
    """An Organization; None for any other resource, or one that tells neither number nor name."""
    if node is None or node.kind != "Organization":
        return None
    types = {
        one.system: one for item in node.all("type") for coding in item.all("coding") if (one := code(coding))
    }
    made = Organization(
        id=_number(walk, f"{path}.id", node.all("identifier"), ps=False),
        name=walk.take(f"{path}.name", node, "name"),
        telecoms=telecoms(walk, f"{path}.telecoms", node),
        address=address(walk, f"{path}.address", node.get("address")),
        facility_type=types.get(_FACILITY_TYPES),
        practice_setting=types.get(_PRACTICE_SETTINGS),
    )
    if not made.id and not made.name:
        return None
    walk.trail.source(path, node.path)
    return made


def _number(walk: Walk, path: str, identifiers: tuple[Node, ...], *, ps: bool) -> str:
    """The national number with its type digit, from the best identifier; "" when none is national."""
    systems, normal = (_PROFESSIONAL_SYSTEMS, ps_idnat) if ps else (_STRUCTURE_SYSTEMS, struct_idnat)
    order = list(systems)
    known = [one for one in identifiers if one.text("system") in systems and one.text("value")]
    for one in sorted(known, key=lambda one: order.index(one.text("system"))):
        kinds = type_codes(one) & {"IDNPS", "RPPS", "ADELI", "IDNST", "FINEG", "FINEJ", "SIREN", "SIRET"}
        kind = next(iter(sorted(kinds)), systems[one.text("system")])
        return normal(walk.take(path, one, "value"), kind)
    return ""
