"""FHIR Patient → canonical patient: INS, traits, status of the identity (FR Core; spec fhir.md §1, §2)."""

from gateway.fhir import Node
from gateway.mapping.fhir_walk import INSEE_CODE, Walk, address, identifier, telecoms, type_codes
from gateway.model.base import replace
from gateway.model.people import Guardian, Patient, Sex
from gateway.model.terms import INS_ROOTS, Identifier
from gateway.rules import identity

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
        multiple_birth_order=_order(node.text("multipleBirthInteger")),
    )
    walk.trail.source("patient", node.path)
    return _with_status(walk, node, made)


def _order(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0


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
