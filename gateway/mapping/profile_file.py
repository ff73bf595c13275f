"""One profile file (TOML) and one code table (CSV), read strictly: every fault with file and line."""

import csv
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from gateway.hl7v2.charsets import codec_of
from gateway.mapping.code_rows import COLUMNS, OPTIONAL_COLUMNS, Row, TableKind
from gateway.mapping.locator import LocatorError, parse
from gateway.model.findings import CATALOGUE, Severity
from gateway.model.report import SectionKind

SITE_KEYS = frozenset(
    {"fictive", "timezone", "sector", "automaton_id", "source_id", "vihf_version", "cda_level", "viewer"}
)
"""Top-level values of a profile."""
SITE_TABLES = frozenset({"structure", "custodian", "author_specialty", "software", "mail", "authorities"})
"""Tables that become fields of `Site` as they stand."""
TABLES = SITE_TABLES | {
    "structures",
    "match",
    "input",
    "directory",
    "policies",
    "codes",
    "headings",
    "locators",
    "ignored",
}
CONSTANTS = frozenset(
    {"sector", "automaton_id", "source_id", "structure", "structures", "custodian", "mail"}
    | {"authorities", "directory", "viewer"}
)
"""What identifies one house: a profile with `fictive = false` never inherits it from a fictive one."""

_MATCH_KEYS = ("sending_application", "sending_facility")
_SEVERITIES = frozenset(str(severity) for severity in Severity)
_STRUCTURE = re.compile(r"[0-9][0-9A-Za-z./-]+")
"""Struct_IdNat: a type digit and the number."""
_FIELD = re.compile(r"[A-Z][A-Z0-9]{2}-\d{1,3}")


class Problem(NamedTuple):
    """One fault of a profile or table, by file name and line (0: the file as a whole)."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class ProfileFile(NamedTuple):
    """A profile as its file states it, before inheritance. `folder` is where its own code tables lie."""

    name: str
    file: str
    text: str
    data: dict[str, Any]
    folder: Path | None

    def line(self, *keys: str) -> int:
        """Line of a key: (`structure`, `name`), (`locators`, `patient.ins`), (`fictive`,). 0: not found."""
        table = ""
        wanted_table, wanted_key = (keys[0], keys[-1]) if len(keys) > 1 else ("", keys[0])
        for number, line in enumerate(self.text.splitlines(), 1):
            if header := re.match(r"\s*\[+([^\]]+)\]", line):
                table = header[1].strip()
                if keys == (table,):
                    return number
            elif (
                table.split(".")[0] == wanted_table
                and (key := re.match(r"""\s*["']?([^"'=]+?)["']?\s*=""", line))
                and key[1] == wanted_key
            ):
                return number
        return self.line(keys[0]) if len(keys) > 1 else 0

    def problem(self, message: str, *keys: str) -> Problem:
        return Problem(self.file, self.line(*keys), message)


def shipped(folder: str) -> Traversable:
    """`mappings/<folder>` of the installed package."""
    return files("mappings") / folder


def read_profile(
    file: Path | Traversable, folder: Path | None
) -> tuple[ProfileFile | None, tuple[Problem, ...]]:
    """The profile of one file with its own faults; None when it is no TOML at all."""
    try:
        text = file.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except UnicodeDecodeError:
        return None, (Problem(file.name, 0, "is not UTF-8"),)
    except tomllib.TOMLDecodeError as wrong:
        place = re.search(r"\(at line (\d+)", str(wrong))
        return None, (Problem(file.name, int(place[1]) if place else 0, str(wrong)),)
    profile = ProfileFile(file.name.removesuffix(".toml"), file.name, text, data, folder)
    return profile, tuple(_check(profile))


def _check(profile: ProfileFile) -> Iterator[Problem]:
    """Faults that this file shows alone; what needs its parent is checked after inheritance."""
    for key, value in profile.data.items():
        if key not in SITE_KEYS | TABLES:
            yield profile.problem(f"unknown key `{key}`", key)
        elif (key in TABLES) != isinstance(value, dict):
            yield profile.problem(f"`{key}` must {'' if key in TABLES else 'not '}be a table", key)
    yield from _check_names(profile, "match", _MATCH_KEYS)
    yield from _check_names(profile, "input", ("charset",))
    yield from _check_names(profile, "codes", tuple(TableKind))
    yield from _check_lists(profile, "match", "codes")
    for name, text in _table(profile, "input"):
        if name == "charset" and text and codec_of(text) is None:
            yield profile.problem(f"`{text}` is no character set of HL7 table 0211", "input", name)
    for name, text in _table(profile, "locators"):
        try:
            parse(text)
        except LocatorError as wrong:
            yield profile.problem(f"locator `{name}`: {wrong}", "locators", name)
    for code, severity in _table(profile, "policies"):
        if code not in CATALOGUE:
            yield profile.problem(f"policy for unknown finding `{code}`", "policies", code)
        elif severity not in _SEVERITIES:
            yield profile.problem(f"policy `{code}`: `{severity}` is no severity", "policies", code)
    for number, content in _table(profile, "structures"):
        if not _STRUCTURE.fullmatch(number) or not content.startswith("{"):
            yield profile.problem(
                f"`{number}` must be a table [structures.<Struct_IdNat>]", "structures", number
            )
    for heading, code in _table(profile, "headings"):
        if code not in set(SectionKind):
            yield profile.problem(f"heading `{heading}`: `{code}` is no section code", "headings", heading)
    for field, _ in _table(profile, "ignored"):
        if not _FIELD.fullmatch(field):
            yield profile.problem(f"`{field}` is no field: expected SEG-n", "ignored", field)


def _table(profile: ProfileFile, name: str) -> list[tuple[str, str]]:
    table = profile.data.get(name)
    return [(key, str(value)) for key, value in table.items()] if isinstance(table, dict) else []


def _check_names(profile: ProfileFile, table: str, known: tuple[str, ...]) -> Iterator[Problem]:
    for key, _ in _table(profile, table):
        if key not in known:
            yield profile.problem(f"unknown key `{key}` in [{table}]", table, key)


def _check_lists(profile: ProfileFile, *tables: str) -> Iterator[Problem]:
    """A bare text where a list belongs would be read letter by letter."""
    for table in tables:
        content = profile.data.get(table)
        for key, value in content.items() if isinstance(content, dict) else ():
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                yield profile.problem(f"`{key}` must be a list of texts", table, key)


def read_table(file: Path | Traversable, kind: TableKind) -> tuple[tuple[Row, ...], tuple[Problem, ...]]:
    """The rows of a code table, each with its line; every row needs all columns, its key and its source."""
    every = COLUMNS[kind]
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return (), (Problem(file.name, 0, "is not UTF-8"),)
    reader = csv.DictReader(text.splitlines())
    columns = tuple(reader.fieldnames or ())
    if columns != tuple(one for one in every if one in columns or one not in OPTIONAL_COLUMNS):
        optional = ", ".join(one for one in every if one in OPTIONAL_COLUMNS)
        may = f" ({optional} may be left out)" if optional else ""
        return (), (Problem(file.name, 1, f"columns must be {','.join(every)}{may}"),)
    rows: list[Row] = []
    problems: list[Problem] = []
    for cells in reader:
        place = reader.line_num
        if None in cells or None in cells.values():
            problems.append(Problem(file.name, place, f"a row has {len(columns)} cells"))
        elif not cells[columns[0]] or not cells["source"]:
            problems.append(Problem(file.name, place, f"`{columns[0]}` and `source` must not be empty"))
        else:
            rows.append(Row({name: cell.strip() for name, cell in cells.items()}, file.name, place))
    return tuple(rows), tuple(problems)
