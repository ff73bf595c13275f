"""Reading Schematron: includes resolved, abstract patterns expanded; what is left is ready to be compiled.

ISO/IEC 19757-3:2016, as far as the official kit uses it, with its portability traps (spec cda.md §1.2).
"""

import copy
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lxml import etree

SCH = "http://purl.oclc.org/dsdl/schematron"
_S = f"{{{SCH}}}"
SOURCE = "{urn:conformance}source"
"""Attribute that names the file an included element came from, relative to the rule file's folder."""
_EXPRESSIONS = ("context", "test", "value", "select", "path", "subject")


class SchematronError(ValueError):
    """The rules cannot be read: a file is missing or not Schematron."""


class Schema(NamedTuple):
    """An expanded rule set. `files` are all files read, for the key of the compiled form."""

    path: Path
    root: etree._Element
    files: tuple[Path, ...]

    @property
    def namespaces(self) -> dict[str, str]:
        return {ns.get("prefix", ""): ns.get("uri", "") for ns in self.root.iter(f"{_S}ns")}

    def patterns(self) -> Iterator[etree._Element]:
        """Patterns of the default phase, in order; all of them without one. Abstract ones are left out."""
        phase = self.root.get("defaultPhase")
        active = None
        if phase:
            chosen = self.root.find(f"{_S}phase[@id='{phase}']")
            if chosen is None:
                raise SchematronError(f"{self.path.name}: there is no phase {phase}")
            active = {one.get("pattern") for one in chosen.findall(f"{_S}active")}
        for pattern in self.root.findall(f"{_S}pattern"):
            if pattern.get("abstract") != "true" and (active is None or pattern.get("id") in active):
                yield pattern


def load(path: Path) -> Schema:
    """Read `path` with all that it includes. Raises SchematronError with the file that is missing."""
    path = path.resolve()
    files: list[Path] = []
    root = _resolve(path, path.parent, files, ())
    if root.tag != f"{_S}schema":
        raise SchematronError(f"{path.name} is no Schematron schema")
    _expand_abstract_patterns(root)
    return Schema(path, root, tuple(files))


def digest(files: tuple[Path, ...]) -> str:
    """SHA-256 over names and contents."""
    found = hashlib.sha256()
    for path in files:
        found.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _resolve(path: Path, base: Path, files: list[Path], above: tuple[Path, ...]) -> etree._Element:
    if path in above:
        raise SchematronError(f"{path.name} includes itself")
    if path not in files:
        files.append(path)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.parse(str(path), parser).getroot()
    except (OSError, etree.XMLSyntaxError) as error:
        raise SchematronError(f"{path.name}: {error}") from None
    root.set(SOURCE, path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name)
    for include in list(root.iter(f"{_S}include")):
        parent = include.getparent()
        if parent is None:
            continue
        target = any_case(path.parent, include.get("href", ""))
        if target is None:
            raise SchematronError(f"{path.name} includes {include.get('href')}, which is not there")
        child = _resolve(target, base, files, (*above, path))
        child.tail = include.tail
        parent.replace(include, child)
    return root


def any_case(folder: Path, relative: str) -> Path | None:
    """The file `relative` to `folder`, found without regard to case (the kit was written on Windows)."""
    exact = (folder / relative).resolve()
    if exact.is_file():
        return exact
    here = folder
    for part in Path(relative).parts:
        if part == "..":
            here = here.parent
            continue
        if not here.is_dir():
            return None
        match = [child for child in here.iterdir() if child.name.lower() == part.lower()]
        if not match:
            return None
        here = match[0]
    return here.resolve() if here.is_file() else None


def _expand_abstract_patterns(root: etree._Element) -> None:
    """Replace each `is-a` pattern by the abstract one with its parameters put in (ISO 19757-3 §6.3)."""
    abstract = {
        pattern.get("id"): pattern
        for pattern in root.findall(f"{_S}pattern")
        if pattern.get("abstract") == "true"
    }
    for pattern in root.findall(f"{_S}pattern"):
        name = pattern.get("is-a")
        if not name:
            continue
        if name not in abstract:
            raise SchematronError(f"pattern {pattern.get('id')} is a {name}, which is not there")
        values = {param.get("name", ""): param.get("value", "") for param in pattern.findall(f"{_S}param")}
        made = copy.deepcopy(abstract[name])
        made.attrib.pop("abstract")
        made.set("id", pattern.get("id") or "")
        # Rules are found again where the instance stands, their text where the abstract pattern stands.
        made.set(SOURCE, pattern.get(SOURCE) or abstract[name].get(SOURCE) or "")
        made.tail = pattern.tail
        _substitute(made, values)
        parent = pattern.getparent()
        assert parent is not None
        parent.replace(pattern, made)


def _substitute(pattern: etree._Element, values: dict[str, str]) -> None:
    if not values:
        return
    names = "|".join(re.escape(name) for name in sorted(values, key=len, reverse=True))
    placeholder = re.compile(rf"\$({names})(?![\w.-])")
    for element in pattern.iter(etree.Element):
        for attribute in _EXPRESSIONS:
            text = element.get(attribute)
            if text and "$" in text:
                element.set(attribute, placeholder.sub(lambda found: values[found[1]], text))


def origin(element: etree._Element) -> str:
    """The file that `element` came from."""
    for holder in (element, *element.iterancestors()):
        name = holder.get(SOURCE)
        if name:
            return name
    return ""
