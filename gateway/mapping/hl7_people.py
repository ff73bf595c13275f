"""Professionals and the performing structure of a report message (spec hl7v2.md §4.6; REQ-19, REQ-20)."""

from collections.abc import Callable
from typing import NamedTuple

from gateway.mapping import hl7_types as types
from gateway.mapping.hl7_reader import Reader
from gateway.mapping.locator import Found
from gateway.model.people import Organization, Practitioner


class People(NamedTuple):
    """Everybody but the patient. `authors` ends with the validator when there is one."""

    authors: tuple[Practitioner, ...]
    legal_authenticator: Practitioner | None
    requester: Practitioner | None
    attending: Practitioner | None
    copies_to: tuple[Practitioner, ...]


def people(reader: Reader) -> People:
    """Radiologist (validator), assistants as further authors, requester, médecin traitant, copies.

    An assistant without a national identifier is no author: CDA and XDS authors need one.
    """
    validator = one_person(reader, "radiologist", "legal_authenticator")
    if validator is None:
        validator = one_person(reader, "radiologist.responsible", "legal_authenticator")
    known = validator.id if validator is not None else ""
    assistants = all_persons(
        reader, "assistants", "authors", lambda person: bool(person.id) and person.id != known
    )
    authors = assistants
    if validator is not None:
        reader.trail.rule(f"authors[{len(assistants)}]", "legal_authenticator")
        authors = (*assistants, validator)
    return People(
        authors=authors,
        legal_authenticator=validator,
        requester=one_person(reader, "requester", "requester"),
        attending=one_person(reader, "attending", "attending"),
        copies_to=all_persons(reader, "copies_to", "copies_to"),
    )


def one_person(reader: Reader, name: str, path: str) -> Practitioner | None:
    """The person at the locator's first field with any; of its repetitions the one with a national number.

    Feeds repeat one person with several identifiers (OBR-32, OBR-16).
    """
    every = reader.find_all(name)
    read = [(found, person) for found in every if (person := _xcn(reader, found)) is not None]
    if not read:
        return None
    found, person = next(((found, person) for found, person in read if person.id), read[0])
    _trace(reader, path, found, person)
    return person


def _anybody(_: Practitioner) -> bool:
    return True


def all_persons(
    reader: Reader, name: str, path: str, accept: Callable[[Practitioner], bool] = _anybody
) -> tuple[Practitioner, ...]:
    """Everybody at the locator's first field with any whom `accept` takes, nobody twice."""
    made: list[Practitioner] = []
    for found in reader.find_all(name):
        person = _xcn(reader, found)
        if person is not None and accept(person) and person not in made:
            _trace(reader, f"{path}[{len(made)}]", found, person)
            made.append(person)
    return tuple(made)


def _xcn(reader: Reader, found: Found) -> Practitioner | None:
    return types.xcn(reader.scope, found.segment, found.field, found.repetition)


def _trace(reader: Reader, path: str, found: Found, person: Practitioner) -> None:
    place = found.segment.location(found.field, found.repetition)
    reader.trail.source(path, place)
    reader.trail.source(f"{path}.id", found.segment.location(found.field, found.repetition, 1))
    if not person.id and found.segment.value(found.field, found.repetition).strip():
        # A number stood there, but a local one: documents carry national numbers only.
        reader.trail.rule(f"{path}.id", "no national identifier")


def performer(reader: Reader) -> Organization | None:
    """The structure that did the exam, when the message names it: PRT-8 of the sender, ORC-21."""
    found = reader.find("performer")
    if found is None:
        return None
    reader.trail.source("performer", found.segment.location(found.field, found.repetition))
    return types.xon(reader.scope, found.segment, found.field, found.repetition)
