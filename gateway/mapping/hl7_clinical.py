"""Why an exam is asked for, in words and codes (OBR-31, DG1), and allergies (AL1)."""

from typing import Final

from gateway.hl7v2 import Segment
from gateway.mapping.allergies import Allergy, contraindication
from gateway.mapping.hl7_exam import SYSTEMS
from gateway.mapping.hl7_reader import Reader
from gateway.mapping.locator import Found
from gateway.model.imaging import ContraIndication
from gateway.model.terms import CISIS_TERMS, Code

KINDS: Final = {
    "DA": "Allergie médicamenteuse",
    "FA": "Allergie alimentaire",
    "EA": "Allergie à un facteur de l'environnement",
    "AA": "Allergie à un animal",
    "PA": "Allergie à une plante",
    "LA": "Allergie à un pollen",
    "MC": "Contre-indication",
}
"""HL7 table 0127; MA (miscellaneous) and what is not in it is an allergy."""
SEVERITIES: Final = {"SV": "sévère", "MO": "modérée", "MI": "légère"}
"""HL7 table 0128."""


def reasons(reader: Reader, name: str, path: str) -> tuple[str, tuple[Code, ...]]:
    """(words, codes) of the locators `name` and `name_codes`; `path` is that of what they belong to.

    A code whose system no document can name is words. Diagnoses (DG1) outside the order are those of the
    stay, and no reason.
    """
    made: dict[tuple[str, str], Code] = {}
    for found in _own(reader, f"{name}_codes"):
        if (code := _coded(found)) is not None and (code.system, code.code) not in made:
            reader.trail.source(f"{path}reasons[{len(made)}]", found.location)
            reader.mark(found.segment, found.field, *((2, 4) if found.segment.name == "DG1" else ()))
            made[code.system, code.code] = code
    return _words(reader, name, f"{path}reason", {code for _, code in made}), tuple(made.values())


def _words(reader: Reader, name: str, path: str, coded: set[str]) -> str:
    """All values of the first path that says more than the codes, one a line."""
    for locator in reader.profile.locators[name].paths:
        every = [one for one in locator.matches(reader.scope) if _within(one, reader)]
        if words := [one for one in every if one.value not in coded]:
            for one in words:
                reader.mark(one.segment, one.field)
                reader.trail.source(path, one.location)
            return "\n".join(dict.fromkeys(one.value for one in words))
    return ""


def _own(reader: Reader, name: str) -> list[Found]:
    paths = reader.profile.locators[name].paths
    return [one for path in paths for one in path.matches(reader.scope) if _within(one, reader)]


def _within(found: Found, reader: Reader) -> bool:
    return found.segment.name != "DG1" or found.segment in reader.scope.segments


def _coded(found: Found) -> Code | None:
    """The CE at `found`; the system of a diagnosis may stand in DG1-2, its words in DG1-4."""
    segment, field, repetition = found.segment, found.field, found.repetition
    display, system = (segment.value(field, repetition, part).strip() for part in (2, 3))
    if segment.name == "DG1":
        display, system = display or segment.text(4).strip(), system or segment.value(2).strip()
    known = SYSTEMS.get(system.upper())
    return Code(code=found.value, system=known, display=display) if known else None


def allergies(reader: Reader, before: int) -> tuple[ContraIndication, ...]:
    """One contra-indication for each AL1 of the message; `before`: how many there are already."""
    made: list[ContraIndication] = []
    for segment in reader.scope.all("AL1"):
        told = _allergy(segment)
        if told.code is None and not told.words:
            continue
        stated, rule = contraindication(told, reader.profile.codes)
        reader.mark(segment, 2, 3, 4, 5)
        reader.trail.source(f"contraindications[{before + len(made)}]", segment.location(3), rule)
        made.append(stated)
    return tuple(made)


def _allergy(segment: Segment) -> Allergy:
    value, words, system = (segment.leaf(3, part) for part in (1, 2, 3))
    known = SYSTEMS.get(system.upper(), "") or (CISIS_TERMS if value.startswith(("MED-", "GEN-")) else "")
    code = Code(code=value, system=known, display=words) if value and known else None
    told = segment.leaf(2, 1).upper()
    return Allergy(
        kind=KINDS.get(told, "Allergie"),
        code=code,
        words=words or ("" if code is not None else value),
        severity=SEVERITIES.get(segment.leaf(4).upper(), ""),
        reactions=tuple(row[0] for row in segment.leaves(5) if row),
    )
