"""FHIR Patient, Practitioner(Role), Organization → canonical people (FR Core; spec fhir.md §1, §2)."""

from gateway.fhir import Node
from gateway.mapping.fhir_walk import INSEE_CODE, Walk, address, code, identifier, telecoms, type_codes
from gateway.model.base import replace
from gateway.model.people import Guardian, Organization, Patient, Practitioner, Sex
from gateway.model.terms import INS_ROOTS, PS_IDNAT, STRUCT_IDNAT, Identifier
from gateway.rules import identity
from gateway.rules.professional import ps_idnat, struct_idnat

_FRC = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
RELIABILITY = _FRC + "fr-core-identity-reliability"
BIRTH_LIST = _FRC + "fr-core-patient-birth-list-given-name"
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"

INS_TYPES = frozenset({"INS-NIR", "INS-NIA", "INS-NIR-TEST", "INS-NIR-DEMO"})
WRONG_INS_SYSTEMS = ("urn:oid:1.2.250.1.213.1.4.5", "urn:oid:1.2.250.1.213.1.1.1", "http://ameli.fr/")
"""Systems under which third-party software sends an INS by mistake: told, not guessed (spec fhir.md §1)."""

SEXES = {
    "female": Sex.FEMALE,
    "male": Sex.MALE,
    "other": Sex.UNDIFFERENTIATED,
    "unknown": Sex.UNDIFFERENTIATED,
}
_GUARDIANS = frozenset({"GUARD", "POWATT"})
"""v3-RoleCode of a contact who answers for the patient."""

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


# --- patient


def patient(walk: Walk, node: Node) -> Patient:
    """The canonical patient with the status that the rule gives (REQ-11)."""
    official, usual = _names(walk, node)
    birth_place = node.extension(BIRTH_PLACE).get("valueAddress")
    home = next((one for one in node.all("address") if one.text("use") not in ("old", "billing")), None)
    given = walk.take("patient.birth_given", official, "given")
    listed = walk.take("patient.birth_given_names", official.extension(BIRTH_LIST), "valueString")
    sex = SEXES.get(walk.take("patient.sex", node, "gender"))
    made = Patient(
        ins=_ins(walk, node),
        identifiers=_local_identifiers(walk, node),
        birth_family=walk.take("patient.birth_family", official, "family"),
        birth_given=given,
        birth_given_names=listed or " ".join(one.text() for one in official.all("given")),
        used_family=walk.take("patient.used_family", usual, "family"),
        used_given=walk.take("patient.used_given", usual, "given"),
        birth_date=walk.take("patient.birth_date", node, "birthDate"),
        sex=sex,
        birth_place_code=_birth_place_code(walk, birth_place),
        birth_place_name=walk.take("patient.birth_place_name", birth_place, "city"),
        address=address(walk, "patient.address", home) if home else None,
        telecoms=telecoms(walk, "patient.telecoms", node),
        guardians=_guardians(walk, node),
        deceased=node.flag("deceasedBoolean") or bool(node.text("deceasedDateTime")),
        multiple_birth_order=int(node.text("multipleBirthInteger") or 0),
    )
    walk.trail.source("patient", node.path)
    return _with_status(walk, node, made)


def _names(walk: Walk, node: Node) -> tuple[Node, Node]:
    """(birth name, used name). FR Core: `official` is the birth name, `usual` the used one."""
    names = {name.text("use"): name for name in reversed(node.all("name")) if name.text("use") != "old"}
    nothing = Node(None, f"{node.path}.name", node.reads)
    official = names.get("official") or names.get("maiden")
    usual = names.get("usual", nothing)
    if official:
        return official, usual
    other = next(iter(name for name in node.all("name") if name.text("use") != "old"), nothing)
    if other:
        walk.trail.at("NAME-TYPE-MISSING", other.path)
    return other, nothing


def _ins(walk: Walk, node: Node) -> Identifier | None:
    """The INS under a known root; else what claims to be one, so that the rule refuses it by name."""
    current = [one for one in node.all("identifier") if one.text("use") != "old" and one.text("value")]
    known = [one for one in current if one.text("system").removeprefix("urn:oid:") in INS_ROOTS]
    claimed = [
        one
        for one in current
        if type_codes(one) & INS_TYPES or one.text("system").startswith(WRONG_INS_SYSTEMS)
    ]
    known.sort(key=lambda one: one.text("use") != "official")  # NIR (official) before NIA (temp)
    for one in (*known, *claimed):
        return Identifier(
            value=walk.take("patient.ins", one, "value"), system=one.text("system").removeprefix("urn:oid:")
        )
    return None


def _local_identifiers(walk: Walk, node: Node) -> tuple[Identifier, ...]:
    """IPP and others that are no INS (INS-C, of 22 digits, is history)."""
    made: list[Identifier] = []
    for one in node.all("identifier"):
        system = one.text("system")
        if system.removeprefix("urn:oid:") in INS_ROOTS or type_codes(one) & (INS_TYPES | {"INS-C"}):
            continue
        if system.startswith(WRONG_INS_SYSTEMS) or one.text("use") == "old":
            continue
        local = identifier(walk, f"patient.identifiers[{len(made)}]", one)
        if local is not None:
            made.append(local)
    return tuple(made)


def _birth_place_code(walk: Walk, place: Node) -> str:
    """COG from the extension; else `district`, which a published ANS example uses, when it has its form."""
    coded = walk.take("patient.birth_place_code", place.extension(INSEE_CODE), "valueCoding", "code")
    district = place.text("district")
    if coded or len(district) != 5 or not district[2:].isdigit():
        return coded
    return walk.take("patient.birth_place_code", place, "district")


def _guardians(walk: Walk, node: Node) -> tuple[Guardian, ...]:
    made: list[Guardian] = []
    for contact in node.all("contact"):
        roles = {coding.text("code") for role in contact.all("relationship") for coding in role.all("coding")}
        family = contact.text("name", "family")
        if not roles & _GUARDIANS or not family:
            continue
        path = f"patient.guardians[{len(made)}]"
        walk.trail.source(path, contact.path)
        made.append(
            Guardian(
                family=family,
                given=contact.text("name", "given"),
                prefix=contact.text("name", "prefix"),
                address=address(walk, f"{path}.address", contact.get("address")),
                telecoms=telecoms(walk, f"{path}.telecoms", contact),
            )
        )
    return tuple(made)


def _with_status(walk: Walk, node: Node, made: Patient) -> Patient:
    """identityStatus by its code system; further 0445 flags travel in `comment` (FR Core 2.2.0)."""
    reliability = node.extension(RELIABILITY)
    stated = reliability.extension("identityStatus")
    flags = [
        coding.text("code")
        for comment in reliability.extensions("comment")
        for coding in (comment.get("valueCoding"), comment.get("valueCodeableConcept", "coding"))
        if coding
    ]
    status = identity.status(
        code=walk.take("patient.identity_status", stated, "valueCoding", "code"),
        system=stated.text("valueCoding", "system"),
        has_ins=made.ins_root_known,
        traits_complete=not identity.traits(made),
        flags=flags,
    )
    return replace(made, identity_status=status)


# --- professionals


def practitioner(walk: Walk, path: str, node: Node | None) -> Practitioner | None:
    """A Practitioner, or a PractitionerRole with its practitioner, specialty and organisation; None for any
    other resource."""
    if node is None or node.kind not in ("Practitioner", "PractitionerRole"):
        return None
    role = node if node.kind == "PractitionerRole" else Node(None, node.path, node.reads)
    person = walk.follow(role.get("practitioner")) if role else node
    person = person or Node(None, role.path, node.reads)
    logical = role.get("practitioner", "identifier")
    name = _person_name(person)
    specialties = [
        one for item in role.all("specialty") for coding in item.all("coding") if (one := code(coding))
    ]
    specialty = next((one for one in specialties if one.system == _SPECIALTIES), None)
    employer = walk.follow(role.get("organization")) if role else None
    made = Practitioner(
        id=_number(
            walk, f"{path}.id", (*person.all("identifier"), logical, *role.all("identifier")), ps=True
        ),
        family=walk.take(f"{path}.family", name, "family"),
        given=walk.take(f"{path}.given", name, "given"),
        prefix=name.text("prefix"),
        suffix=name.text("suffix"),
        specialty=specialty,
        organization=organization(walk, f"{path}.organization", employer),
        telecoms=telecoms(walk, f"{path}.telecoms", role) or telecoms(walk, f"{path}.telecoms", person),
        address=address(walk, f"{path}.address", person.get("address")),
    )
    if not made.id and not made.family:
        return None
    walk.trail.source(path, person.path)
    return made


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
