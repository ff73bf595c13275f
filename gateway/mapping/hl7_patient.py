"""PID → Patient, PV1 → Encounter (spec hl7v2.md §1.5, §4.6; REQ-11, REQ-16)."""

from typing import Final

from gateway.hl7v2 import Segment, parse_date
from gateway.mapping import hl7_types as types
from gateway.mapping.code_rows import TableKind
from gateway.mapping.hl7_guardians import guardians
from gateway.mapping.hl7_reader import Reader
from gateway.mapping.locator import Found
from gateway.model.base import replace
from gateway.model.findings import Severity
from gateway.model.people import Patient, Sex
from gateway.model.report import Encounter
from gateway.model.terms import Address, Identifier, Telecom
from gateway.rules import identity

_INS: Final = "patient.ins"


def patient(reader: Reader) -> Patient:
    """The patient of the message; what is missing stays empty and is judged by the rules."""
    birth, birth_date = _birth_name(reader), _birth_date(reader)
    used = reader.find("patient.used_name")
    used_name = types.xpn(reader.scope, used.segment, used.field, used.repetition) if used else None
    if used is not None:
        reader.trail.source("patient.used_family", used.location)
    found = Patient(
        ins=_ins(reader),
        identifiers=_identifiers(reader),
        birth_family=birth.family,
        birth_given=birth.given,
        birth_given_names=_all_given(birth),
        used_family=used_name.family if used_name else "",
        used_given=used_name.given if used_name else "",
        birth_date=birth_date,
        sex=_sex(reader),
        birth_place_code=reader.text("patient.birth_place_code", "patient.birth_place_code"),
        birth_place_name=reader.text("patient.birth_place_name", "patient.birth_place_name"),
        address=_address(reader),
        telecoms=_telecoms(reader),
        guardians=guardians(reader, birth_date) if reader.scope.first("NK1") is not None else (),
        deceased=reader.text("patient.deceased", "patient.deceased").upper() == "Y",
        multiple_birth_order=_number(reader.text("patient.multiple_birth_order", "patient.birth_order")),
    )
    return _with_status(found, reader)


def _with_status(found: Patient, reader: Reader) -> Patient:
    code, flags, place = status_codes(reader)
    if place:
        reader.trail.source("patient.identity_status", place)
    status = identity.status(
        code=code,
        system=identity.HL7_0445,
        has_ins=found.ins is not None,
        traits_complete=not identity.traits(found),
        flags=flags,
    )
    return replace(found, identity_status=status)


def status_codes(reader: Reader) -> tuple[str, tuple[str, ...], str]:
    """(code, further codes, location) of PID-32, table 0445: its repetitions are flags beside the first."""
    every = reader.find_all("patient.identity_status")
    if not every:
        return "", (), ""
    return every[0].value, tuple(found.value for found in every[1:]), every[0].location


def _ins(reader: Reader) -> Identifier | None:
    found = reader.find(_INS)
    if found is None:
        return None
    reader.trail.source(_INS, found.location)
    return types.cx(reader.scope, found.segment, found.field, found.repetition)


def _identifiers(reader: Reader) -> tuple[Identifier, ...]:
    """Local identifiers; a matricule without type is none of them."""
    made: list[Identifier] = []
    for found in reader.find_all("patient.identifiers"):
        identifier = types.cx(reader.scope, found.segment, found.field, found.repetition)
        kind = reader.scope.texts(found.segment, found.field, found.repetition, 5)[4]
        if types.is_ins(identifier, kind) or identifier in made:
            continue
        reader.trail.source(f"patient.identifiers[{len(made)}]", found.location)
        made.append(identifier)
    return tuple(made)


def _birth_name(reader: Reader) -> types.Name:
    found = reader.find("patient.birth_name")
    if found is None:
        return types.Name("", "", "", "")
    if not reader.scope.texts(found.segment, found.field, found.repetition, 7)[6]:
        reader.trail.at("NAME-TYPE-MISSING", found.location)
    place = found.location
    for path in ("patient.birth_family", "patient.birth_given", "patient.birth_given_names"):
        reader.trail.source(path, place)
    return types.xpn(reader.scope, found.segment, found.field, found.repetition)


def _all_given(name: types.Name) -> str:
    """The list of birth given names: XPN.3 when it starts with the first one (France), else both joined."""
    if not name.further or name.further.casefold().startswith(name.given.casefold()):
        return name.further or name.given
    return f"{name.given} {name.further}"


def _birth_date(reader: Reader) -> str:
    found = reader.find("patient.birth_date")
    if found is None:
        return ""
    date = parse_date(found.value)
    if not date:
        reader.trail.at("HL7-DATATYPE", found.location, "not a date", Severity.WARNING)
        return ""
    reader.punctuated(found)
    reader.trail.source("patient.birth_date", found.location)
    return date


def _sex(reader: Reader) -> Sex | None:
    found = reader.find("patient.sex")
    if found is None:
        return None
    hit = reader.profile.codes.sex(found.value)
    if hit is None:
        reader.trail.at("CODE-UNKNOWN", found.location, f"sex {found.value[:8]}")
        return None
    reader.trail.source("patient.sex", found.location, hit.rule)
    return hit.value


def _address(reader: Reader) -> Address | None:
    found = reader.find("patient.address")
    if found is None:
        return None
    reader.trail.source("patient.address", found.location)
    return types.xad(reader.scope, found.segment, found.field, found.repetition)


def _telecoms(reader: Reader) -> tuple[Telecom, ...]:
    """PID-13 and PID-14, in order, each number once; the number may stand in any component of the XTN."""
    made: list[Telecom] = []
    for name in ("patient.telecoms", "patient.work_telecoms"):
        for path in reader.profile.locators[name].paths:
            for segment in reader.scope.all(path.segment):
                _telecoms_of(segment, path.field, reader, made)
    return tuple(made)


def _telecoms_of(segment: Segment, field: int, reader: Reader, made: list[Telecom]) -> None:
    for repetition in range(1, len(segment.leaves(field)) + 1):
        telecom = types.xtn(reader.scope, segment, field, repetition)
        reader.mark(segment, field)
        if telecom is not None and telecom not in made:
            reader.trail.source(f"patient.telecoms[{len(made)}]", segment.location(field, repetition))
            made.append(telecom)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 3 else 0


def encounter(reader: Reader) -> Encounter:
    """PV1; without PV1-2 the patient is taken as ambulatory, which is said."""
    found = reader.find("encounter.kind")
    return Encounter(
        kind=_kind(reader, found),
        number=_visit(reader),
        start=reader.time("encounter.start", "encounter.start"),
        end=reader.time("encounter.end", "encounter.end"),
    )


def _kind(reader: Reader, found: Found | None) -> str:
    codes = reader.profile.codes
    if found is None:
        reader.trail.at("ENCOUNTER-CLASS-GUESSED", "PV1-2")
        return "AMB"
    if (hit := codes.encounter(found.value)) is None:
        near = ", ".join(codes.nearest(TableKind.PATIENT_CLASS, found.value))
        reader.trail.at(
            "CODE-UNKNOWN", found.location, f"patient class; known: {near}" if near else "patient class"
        )
        return "AMB"
    reader.trail.source("encounter.kind", found.location, hit.rule)
    return hit.value


def _visit(reader: Reader) -> Identifier | None:
    found = reader.find("encounter.number")
    if found is None:
        return None
    reader.trail.source("encounter.number", found.location)
    return types.cx(reader.scope, found.segment, found.field, found.repetition)
