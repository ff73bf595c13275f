"""Help for the tests of the mapping: the canonical ORU, changed in one place, and what becomes of it."""

from functools import cache

from gateway.hl7v2 import read
from gateway.mapping import hl7, sites
from gateway.mapping.sites import Profile
from gateway.model.report import ImagingReport
from gateway.model.submission import Mapped
from tests.support import FIXTURES

ORU = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes().decode("utf-8")


@cache
def profile() -> Profile:
    return sites.load().default


def changed(*pairs: tuple[str, str], message: str = ORU) -> str:
    """`message` with each text replaced; fails when a text is not there, so that no case tests nothing."""
    for old, new in pairs:
        assert old in message, f"not in the message: {old}"
        message = message.replace(old, new)
    return message


def with_field(segment: str, field: int, value: str, message: str = ORU) -> str:
    """`message` with one whole field of the first such segment replaced."""
    lines = message.split("\r")
    place = next(number for number, line in enumerate(lines) if line.startswith(segment + "|"))
    fields = lines[place].split("|")
    index = field if segment != "MSH" else field - 1
    fields += [""] * (index + 1 - len(fields))
    fields[index] = value
    lines[place] = "|".join(fields)
    return "\r".join(lines)


def with_observations(*observations: str, message: str = ORU) -> str:
    """`message` with these OBX (and NTE) in place of its own."""
    kept = [line for line in message.split("\r") if line and not line.startswith("OBX|")]
    return "\r".join((*kept, *observations)) + "\r"


def all_mapped(message: str, own: Profile | None = None) -> tuple[Mapped, ...]:
    return hl7.reports(read(message.encode("utf-8")), own or profile())


def mapped(message: str, own: Profile | None = None) -> Mapped:
    every = all_mapped(message, own)
    assert len(every) == 1
    return every[0]


def report(message: str, own: Profile | None = None) -> ImagingReport:
    made = mapped(message, own)
    assert made.report is not None, [str(found) for found in made.findings]
    return made.report


def codes(made: Mapped) -> set[str]:
    return {found.code for found in made.findings}


def places(made: Mapped) -> set[tuple[str, str]]:
    """(code, location) of every finding."""
    return {(found.code, found.location) for found in made.findings}
