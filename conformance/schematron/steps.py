"""The official validation of the CI-SIS: its steps in order, and the volet that fits a document."""

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lxml import etree

CDA = "{urn:hl7-org:v3}"
SCHEMA = "infrastructure/cda/CDA_extended.xsd"
GENERIC: tuple[tuple[str, str], ...] = (
    ("IHE", "schematrons/profils/IHE.sch"),
    ("Terminologies", "schematrons/profils/terminologies/schematron/terminologie.sch"),
    ("Modèles de contenus", "schematrons/profils/CI-SIS_ModelesDeContenusCDA.sch"),
    ("Structuration minimale", "schematrons/profils/structurationMinimale/ASIP-STRUCT-MIN-StrucMin.sch"),
    ("Modèles ANS", "schematrons/profils/CI-SIS_Modeles_ANS.sch"),
)
"""Steps 2 to 6, in the official order."""
_TEMPLATE = re.compile(r"templateId\[@root\s*=\s*['\"]([0-9.]+)['\"]")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class KitError(ValueError):
    """The folder is not a validation kit."""


class Volet(NamedTuple):
    """A rule file of a content volet and the templateIds that its header rules demand."""

    name: str
    path: Path
    templates: frozenset[str]


def kit_folder(path: Path) -> Path:
    """The kit itself, also when the folder above it is named. Raises KitError."""
    for candidate in (path, path / "cisis"):
        if (candidate / SCHEMA).is_file():
            return candidate.resolve()
    raise KitError(f"{path} holds no {SCHEMA}: not an official CI-SIS validation kit")


RULE_FILES = (".sch", ".xsd", ".xml", ".rdf")


def content_digest(kit: Path) -> str:
    """SHA-256 over the rules, schemas and value sets of a kit by their place in it: the same kit gives the
    same digest on every machine, so that a report says by which rules it was made."""
    found = hashlib.sha256()
    for path in sorted(one for one in kit.rglob("*") if one.suffix in RULE_FILES and one.is_file()):
        found.update(path.relative_to(kit).as_posix().encode() + b"\0")
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


@cache
def volets(kit: Path) -> tuple[Volet, ...]:
    """All volets of the kit, by name; the templateIds they demand stand in the Entete_*.sch they include."""
    found = []
    for path in sorted((kit / "schematrons").glob("CI-SIS_*.sch")):
        text = _COMMENT.sub("", path.read_text(encoding="utf-8"))
        headers = re.findall(r"href=\"([^\"]*/Entete_[^\"]*)\"", text)
        templates: set[str] = set()
        for header in headers:
            file = path.parent / header
            if file.is_file():
                templates.update(_TEMPLATE.findall(_COMMENT.sub("", file.read_text(encoding="utf-8"))))
        found.append(Volet(path.stem, path, frozenset(templates)))
    return tuple(found)


def choose(document: etree._Element, kit: Path) -> Volet | None:
    """The volet of step 7, None for an unstructured body or when no volet shares a templateId.

    A templateId counts the more the fewer volets demand it, so that a document that lacks one of its own
    still meets its rules. A tie goes to the volet that the document's oxygen instruction names, then to the
    latest version.
    """
    if document.find(f"{CDA}component/{CDA}nonXMLBody") is not None:
        return None
    own = {found.get("root", "") for found in document.findall(f"{CDA}templateId")}
    known = volets(kit)
    demanded = [template for volet in known for template in volet.templates]
    named = _named_volets(document)

    def fit(volet: Volet) -> tuple[float, bool, str]:
        weight = sum(1 / demanded.count(template) for template in volet.templates & own)
        return weight, volet.name in named, volet.name

    best = max(known, key=fit, default=None)
    return best if best is not None and best.templates & own else None


def _named_volets(document: etree._Element) -> set[str]:
    instructions = document.xpath("preceding-sibling::processing-instruction('oxygen')")
    assert isinstance(instructions, list)
    text = " ".join(str(getattr(one, "text", "")) for one in instructions)
    return {Path(name).stem for name in re.findall(r'SCHSchema="([^"]*)"', text)}
