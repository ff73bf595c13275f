"""Site profiles: the constants, locators and code maps that a site's messages are read with.

Shipped profiles lie in `mappings/sites/`, a site's own in `sites_dir` of the settings. Each inherits
from `default.toml`. Everything is checked at start-up; `SitesError` lists every fault with its line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from gateway.hl7v2 import Message
from gateway.mapping.code_rows import CodeError, Row, TableKind
from gateway.mapping.codes import CodeMaps
from gateway.mapping.locator import Locator, LocatorError, parse
from gateway.mapping.profile_file import (
    CONSTANTS,
    SITE_KEYS,
    SITE_TABLES,
    Problem,
    ProfileFile,
    read_profile,
    read_table,
    shipped,
)
from gateway.mapping.site_faults import CHOICES, faults
from gateway.model.report import SectionKind
from gateway.model.site import Site

DEFAULT = "default"
"""The shipped profile that all others inherit from; its locators are the catalogue of their names."""


class SitesError(Exception):
    """Profiles or code tables are wrong: nothing starts. `problems` holds every fault with file and line."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Profile:
    """One site, ready to map with. `charset` replaces a false MSH-18, "" trusts it."""

    site: Site
    locators: Mapping[str, Locator]
    codes: CodeMaps
    charset: str = ""
    headings: Mapping[str, SectionKind] = field(default_factory=dict)
    """Headings that this profile adds to those of the table `sections`."""
    ignored: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """Segment → field → name of the rule by which it is left out of the coverage."""
    applications: frozenset[str] = frozenset()
    facilities: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.site.name

    def claims(self, application: str, facility: str) -> int:
        """How strongly `[match]` claims a sender: 2 both named, 1 one of them, 0 not at all."""
        score = 0
        for wanted, value in ((self.applications, application), (self.facilities, facility)):
            if wanted and value not in wanted:
                return 0
            score += bool(wanted)
        return score


@dataclass(frozen=True, slots=True)
class Sites:
    """All profiles by name. `default` takes messages that no profile claims."""

    profiles: Mapping[str, Profile]
    default: Profile

    def named(self, name: str) -> Profile:
        """The profile of that name; raises KeyError."""
        return self.profiles[name]

    def match(self, message: Message) -> Profile:
        """The profile whose `[match]` names MSH-3 and MSH-4 most closely; ties go to the first by name."""
        application, facility = message.sending_application, message.sending_facility
        best, score = self.default, 0
        for profile in self.profiles.values():
            if (claim := profile.claims(application, facility)) > score:
                best, score = profile, claim
        return best


def load(folder: Path | None = None, default: str = DEFAULT) -> Sites:
    """Shipped profiles and those of `folder`; `default` names the one for unclaimed messages.

    Raises SitesError listing every fault of every file.
    """
    problems: list[Problem] = []
    found: dict[str, ProfileFile] = {}
    faulty: set[str] = set()
    for file, own in _files(folder):
        profile, wrong = read_profile(file, own)
        problems += wrong
        if profile is not None:
            found[profile.name] = profile
            faulty |= {profile.name} if wrong else set()
    if DEFAULT in faulty or DEFAULT not in found:
        raise SitesError(tuple(problems) or (Problem(f"{DEFAULT}.toml", 0, "no such profile"),))
    profiles: dict[str, Profile] = {}
    for name in sorted(found):
        try:
            profiles[name] = _build(found[name], found[DEFAULT])
        except SitesError as wrong_together:  # said once: what a file shows alone was told above
            problems += [one for one in wrong_together.problems if one not in problems]
        except (LocatorError, TypeError, ValueError, KeyError):
            if name not in faulty:
                raise  # a fault of ours, not of the file
    if default not in found:
        problems.append(Problem(f"{default}.toml", 0, "no such profile"))
    if problems:
        raise SitesError(tuple(problems))
    return Sites(MappingProxyType(profiles), profiles[default])


def _files(folder: Path | None) -> list[tuple[Path | Traversable, Path | None]]:
    own = sorted(folder.glob("*.toml")) if folder is not None else []
    if folder is not None and not folder.is_dir():
        raise SitesError((Problem(str(folder), 0, "sites_dir is no folder"),))
    listed: list[tuple[Path | Traversable, Path | None]] = [
        (file, None) for file in shipped("sites").iterdir() if file.name.endswith(".toml")
    ]
    return listed + [(file, folder) for file in own]


def _build(own: ProfileFile, base: ProfileFile) -> Profile:
    data = _inherit(own, base)
    problems = [
        own.problem(f"unknown locator `{name}`", "locators", name)
        for name in data["locators"]
        if name not in base.data["locators"]
    ]
    site, wrong = _site(own, data)
    known = set(SectionKind)
    headings = {text: SectionKind(code) for text, code in data["headings"].items() if code in known}
    codes, wrong_codes = _codes(own, base, headings)
    problems += wrong + wrong_codes
    if problems or site is None or codes is None:
        raise SitesError(tuple(problems))
    return Profile(
        site=site,
        locators=MappingProxyType({name: parse(text) for name, text in data["locators"].items()}),
        codes=codes,
        charset=data["input"]["charset"],
        headings=MappingProxyType(headings),
        ignored=_by_segment(data["ignored"]),
        applications=frozenset(data["match"]["sending_application"]),
        facilities=frozenset(data["match"]["sending_facility"]),
    )


def _by_segment(ignored: dict[str, str]) -> Mapping[str, Mapping[int, str]]:
    """`OBX-1` → rule, as read."""
    made: dict[str, dict[int, str]] = {}
    for place, rule in ignored.items():
        segment, _, field = place.partition("-")
        made.setdefault(segment, {})[int(field)] = rule
    return MappingProxyType(made)


def _inherit(own: ProfileFile, base: ProfileFile) -> dict[str, Any]:
    """`base` overlaid by `own`, key by key inside each table.

    A real house (`fictive = false`) inherits no constant of the fictive one, and no profile inherits whom
    another one claims.
    """
    real = own.data.get("fictive") is False
    merged: dict[str, Any] = {}
    for key, value in base.data.items():
        if own is not base and (key == "match" or (real and key in CONSTANTS)):
            value = {} if isinstance(value, dict) else ""
        merged[key] = dict(value) if isinstance(value, dict) else value
    for key, value in own.data.items():
        merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    merged["match"] = {"sending_application": [], "sending_facility": [], **merged["match"]}
    return merged


def _site(own: ProfileFile, data: Mapping[str, Any]) -> tuple[Site | None, list[Problem]]:
    fields = {key: data[key] for key in (SITE_KEYS | SITE_TABLES) & data.keys()}
    fields = {key: value for key, value in fields.items() if value != {}}
    fields |= {
        "name": own.name,
        "structures": [{"id": number, **known} for number, known in data["structures"].items()],
        "directory": tuple(data["directory"].items()),
        "policies": tuple(data["policies"].items()),
    }
    try:
        site = msgspec.convert(fields, Site)
    except msgspec.ValidationError as wrong:
        keys = re.findall(r"[a-z_]+", str(wrong).partition("`$")[2])
        named = re.search(r"unknown field `([^`]+)`", str(wrong))
        where = [*keys[:1], *((named[1],) if named else keys[1:2])]
        choices = CHOICES.get(keys[-1]) if keys else None
        value = re.search(r"'([^']*)'", str(wrong))
        told = choices and value and f"`{value[1]}` is none of {', '.join(choices)}"
        return None, [own.problem(told or str(wrong), *(where or ("fictive",)))]
    problems = [own.problem(said, *place) for said, place in faults(site)]
    problems.sort(key=lambda one: one.line)
    return (None, problems) if problems else (site, [])


def _codes(
    own: ProfileFile, base: ProfileFile, headings: Mapping[str, SectionKind]
) -> tuple[CodeMaps | None, list[Problem]]:
    problems: list[Problem] = []
    rows: dict[TableKind, tuple[Row, ...]] = {}
    for profile in (base,) if own is base else (base, own):
        for key, names in profile.data.get("codes", {}).items():
            for name in names:
                file = _table_file(name, profile.folder)
                if file is None:
                    problems.append(profile.problem(f"code table `{name}` not found", "codes", key))
                    continue
                read, wrong = read_table(file, TableKind(key))
                rows[TableKind(key)] = rows.get(TableKind(key), ()) + read
                problems += wrong
    found, wrong_cells = _code_maps(rows, headings, f"{own.file}:headings")
    problems += wrong_cells
    return (None, problems) if problems else (found, [])


_MOST_CELLS = 50
"""Faults of cells told at once; a table that has more is not a table of codes."""


def _code_maps(
    rows: dict[TableKind, tuple[Row, ...]], headings: Mapping[str, SectionKind], rule: str
) -> tuple[CodeMaps | None, list[Problem]]:
    """The code maps; with a wrong cell, every wrong cell: what is left without its row is read again."""
    problems: list[Problem] = []
    while len(problems) < _MOST_CELLS:
        try:
            made = CodeMaps(rows, headings, rule)
        except CodeError as wrong:
            problems.append(Problem(wrong.row.file, wrong.row.line, str(wrong)))
            rows = {kind: tuple(one for one in kept if one is not wrong.row) for kind, kept in rows.items()}
        else:
            return made, problems
    return None, problems


def _table_file(name: str, folder: Path | None) -> Path | Traversable | None:
    """The site's own table first, then the shipped one."""
    candidates: list[Path | Traversable] = [] if folder is None else [folder / name, folder / "codes" / name]
    candidates.append(shipped("codes") / name)
    return next((file for file in candidates if file.is_file()), None)
