"""The official validation of a CDA document with the kit that the user names: XSD, five steps, volet."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from lxml import etree

from conformance.schematron.engine import Engine, EngineUnavailableError
from conformance.schematron.source import SchematronError
from conformance.schematron.steps import GENERIC, SCHEMA, choose, kit_folder, volets
from conformance.verdict import N1_HAS_NO_VOLET, NO_VOLET, UNREADABLE, Remark, Step
from gateway.model.findings import Severity

CLINICAL_DOCUMENT = "{urn:hl7-org:v3}ClinicalDocument"


class Official:
    """Keeps schema and rules loaded: the first document costs seconds, each further one a fraction.

    Raises KitError for a folder that is no kit.
    """

    def __init__(self, kit: Path, cache_folder: Path | None = None) -> None:
        self.kit = kit_folder(kit)
        self._schema: etree.XMLSchema | None = None
        self._engine: Engine | None = None
        self._cache = cache_folder

    def warm(self) -> None:
        """Load schema, generic rules and all volets now. Raises SchematronError, EngineUnavailableError."""
        self._load_schema()
        self._engine = self._engine or Engine(self._cache)
        for path in (*(self.kit / path for _, path in GENERIC), *(one.path for one in volets(self.kit))):
            self._engine.warm(path)

    def judge(self, root: etree._Element) -> tuple[tuple[Step, ...], tuple[Remark, ...]]:
        """All seven steps in the official order; of a self-presenting document its ClinicalDocument.

        `root` comes from the hardened parser (`conformance.xml.parse`).
        """
        document = root if root.tag == CLINICAL_DOCUMENT else next(root.iter(CLINICAL_DOCUMENT), None)
        if document is None:
            text = "There is no ClinicalDocument"
            return (), (Remark(severity=Severity.ERROR, step="XSD", text=text, location="/"),)
        steps, remarks = [], []
        started = time.perf_counter()
        remarks += self._schema_remarks(document)
        steps.append(Step(name="XSD", seconds=time.perf_counter() - started))
        volet = choose(document, self.kit)
        wanted = [(name, self.kit / path) for name, path in GENERIC]
        if volet is not None:
            wanted.append((volet.name, volet.path))
        try:
            engine = self._engine or Engine(self._cache)
        except EngineUnavailableError as error:
            skipped = tuple(Step(name=name, skipped=str(error)) for name, _ in wanted)
            return (*steps, *skipped), tuple(remarks)
        self._engine = engine
        try:
            judged = engine.document(etree.tostring(document, encoding="unicode", with_tail=False))
        except SchematronError as error:
            refused = Remark(severity=Severity.ERROR, step="XML", text=str(error), location="/")
            skipped = tuple(Step(name=name, skipped=UNREADABLE) for name, _ in wanted)
            return (*steps, *skipped), (*remarks, refused)
        for name, path in wanted:
            started = time.perf_counter()
            try:
                remarks += engine.check(judged, path, name)
            except SchematronError as error:
                remarks.append(Remark(severity=Severity.ERROR, step=name, text=str(error)))
            steps.append(Step(name=name, seconds=time.perf_counter() - started))
        if volet is None:
            steps.append(Step(name="Volet", skipped=_why_no_volet(document)))
        return tuple(steps), tuple(remarks)

    def _schema_remarks(self, document: etree._Element) -> list[Remark]:
        return schema_remarks(self._load_schema(), document)

    def _load_schema(self) -> etree.XMLSchema:
        if self._schema is None:
            self._schema = etree.XMLSchema(etree.parse(str(self.kit / SCHEMA)))
        return self._schema


def schema_remarks(schema: etree.XMLSchema, document: etree._Element) -> list[Remark]:
    """One error for each that libxml2 reports, at the element and line that it names."""
    subtree = etree.ElementTree(document)
    if schema.validate(subtree):
        return []
    return [
        Remark(
            severity=Severity.ERROR,
            step="XSD",
            text=str(entry.message).replace("{urn:hl7-org:v3}", ""),
            location=_place(document, str(entry.path or "")),
            rule=str(entry.type_name),
            line=int(entry.line),
        )
        for entry in cast("Iterable[Any]", schema.error_log)
    ]


def _place(document: etree._Element, star_path: str) -> str:
    """`/*/*[9]` of libxml2 in names with indexes."""
    try:
        found = document.getroottree().xpath(star_path)
    except etree.XPathError:
        return star_path
    if not isinstance(found, list) or not found or not isinstance(found[0], etree._Element):
        return star_path
    parts = []
    for element in (found[0], *found[0].iterancestors()):
        name = etree.QName(element).localname
        before = len(list(element.itersiblings(element.tag, preceding=True)))
        parts.append(f"{name}[{before + 1}]")
    return "/" + "/".join(reversed(parts))


def _why_no_volet(document: etree._Element) -> str:
    if document.find("{urn:hl7-org:v3}component/{urn:hl7-org:v3}nonXMLBody") is not None:
        return N1_HAS_NO_VOLET
    return NO_VOLET
